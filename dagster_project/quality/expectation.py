"""What every expectation measured in SQL is, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from dagster_project.quality.audited import Audited, Subject
from dagster_project.recipe.declared import Declared
from dagster_project.warehouse.connect import identifier


@dataclass(frozen=True)
class Finding:
    """What an expectation found in a snapshot.

    Attributes:
        passed: whether it holds.
        observed: what was seen, without text of rows.
        element_count: rows looked at.
        unexpected_count: rows that fail.
        failing_rows_sql: gives `row_id` of all of them, when there are any.
        shown_sql: gives `row_id` and the values that say why a row fails.
        values: unexpected values, where rows are not told apart.
    """

    passed: bool
    observed: str
    element_count: int | None = None
    unexpected_count: int | None = None
    failing_rows_sql: str | None = None
    shown_sql: str | None = None
    values: Sequence[Any] = ()


class SqlExpectation(Declared):
    """An expectation that Seedbed measures itself; its fields are its arguments."""

    of_a_table: ClassVar[bool] = False
    """Whether it looks at the rows of a table, so that `table` and `where` can choose them."""

    def expected(self) -> str:
        """What it expects, for a person to read."""
        raise NotImplementedError

    def look(self, audited: Audited, subject: Subject) -> Finding:
        """Measure it.

        Raises:
            CannotCheck: when the snapshot has not what it needs.
            duckdb.Error: when a query fails.
        """
        raise NotImplementedError


def some_rows(
    audited: Audited,
    failing_rows_sql: str,
    *,
    total: int,
    most: float,
    shown_sql: str,
    noun: str,
    more: str = "",
) -> Finding:
    """The finding about a query that gives failing rows.

    Args:
        audited: where.
        failing_rows_sql: gives their `row_id`; nulls and repetitions do not count.
        total: rows looked at.
        most: so many may fail.
        shown_sql: as in `Finding`.
        noun: what is counted, and what it does.
        more: added to what was observed.
    """
    (failing,) = audited.row(f"SELECT count(DISTINCT row_id) FROM (\n{failing_rows_sql}\n)")
    return Finding(
        passed=failing <= most,
        observed=counted(failing, total, noun) + more,
        element_count=total,
        unexpected_count=failing,
        failing_rows_sql=failing_rows_sql if failing else None,
        shown_sql=shown_sql,
    )


def counted(part: int, whole: int, noun: str) -> str:
    """`3 of 1,000 rows fail (0.3 %)`."""
    share = f" ({percent(part / whole)})" if part and whole else ""
    return f"{part:,} of {whole:,} {noun}{share}"


def percent(share: float) -> str:
    """`0.3 %`."""
    return f"{share * 100:,.4g} %"


def identifiers(columns: Sequence[str]) -> str:
    """Columns as SQL."""
    return ", ".join(identifier(column) for column in columns)


def quoted(columns: Sequence[str]) -> str:
    """Columns as text."""
    return ", ".join(f"`{column}`" for column in columns)
