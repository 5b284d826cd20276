"""What an audit found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dagster_project.quality.suite import Check


@dataclass(frozen=True)
class CheckResult:
    """The result of one check.

    Attributes:
        check: what was checked.
        passed: whether it holds; a check that could not be run has failed.
        expected: what it expects, for a person to read.
        observed: what was seen, without text of rows.
        element_count: how many rows it looked at; None when it does not count rows.
        unexpected_count: how many of them fail; None when it does not count rows.
        failing_rows_sql: a query over the snapshot's tables that gives the `row_id` of every
            failing row; None when there is none, or the check is not about single rows.
        examples: up to five failing rows, as `row_id` and values cut to 200 characters; for checks
            of whole columns, unexpected values.
        error: why it could not be run; None when it was.
    """

    check: Check
    passed: bool
    expected: str
    observed: str
    element_count: int | None = None
    unexpected_count: int | None = None
    failing_rows_sql: str | None = None
    examples: Sequence[dict[str, Any]] = ()
    error: str | None = None
