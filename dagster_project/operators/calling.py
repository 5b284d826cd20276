"""Row operators that measure by asking a model or running a program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dagster_project.operators.base import RowOperator
from dagster_project.operators.calls import Calls


class CallingOperator(RowOperator):
    """A row operator whose annotations come from calls, one row at a time.

    The runner makes the calls of many rows at once, before `annotations`, `edits` and `rules`, which see
    what they brought. A row whose calls fail is quarantined, alone, with the error.
    """

    def brings(self, schema: pl.Schema) -> pl.Schema:
        """The annotation columns that it measures."""
        raise NotImplementedError

    async def measured(self, row: Mapping[str, Any], calls: Calls) -> Mapping[str, Any]:
        """The values of those columns for one row.

        Args:
            row: the columns that `reads` names.
            calls: answers.
        """
        raise NotImplementedError
