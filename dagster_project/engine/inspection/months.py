"""Rows over time."""

from __future__ import annotations

import polars as pl

from dagster_project.engine.inspection.rows_looked_at import LookedAt
from dagster_project.engine.inspection.text_columns import has_roles, roles
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.connect import identifier

DATED = 0.9
"""Least share of the texts of a column that must be dates for it to be one of dates."""


class Month(Answer):
    """Rows of a month, as `2024-05`, by the order of roles where there are chats."""

    month: str
    rows: int
    formats: dict[str, int]


class Months(Answer):
    """Rows over time, by a column of dates."""

    column: str
    months: tuple[Month, ...]


def months(seen: LookedAt) -> tuple[Months, ...]:
    """Rows by month, for every column of dates, with the orders of roles in the first column of
    chats."""
    chats = [name for name in seen.texts if has_roles(seen.schema, name)]
    form = roles(chats[0]) if chats else "NULL"
    found = []
    for column in _dated(seen):
        date = f"try_cast({identifier(column)} AS TIMESTAMP)"
        counted = seen.reader.all(
            f"SELECT strftime({date}, '%Y-%m') AS month, {form} AS form, count(*) "
            f"FROM {seen.rows_table()} WHERE {date} IS NOT NULL GROUP BY ALL ORDER BY ALL"
        )
        by_month: dict[str, dict[str | None, int]] = {}
        for month, shape, rows in counted:
            by_month.setdefault(month, {})[shape] = rows
        found.append(
            Months(
                column=column,
                months=tuple(
                    Month(
                        month=month,
                        rows=sum(shapes.values()),
                        formats={shape: rows for shape, rows in shapes.items() if shape},
                    )
                    for month, shapes in by_month.items()
                ),
            )
        )
    return tuple(found)


def _dated(seen: LookedAt) -> list[str]:
    """Columns of dates, or of texts that are."""
    texts = [
        name
        for name, kind in seen.schema.items()
        if kind == pl.String and any(word in name.lower() for word in ("date", "time", "created"))
    ]
    dates = [
        name
        for name, kind in seen.schema.items()
        if kind.is_temporal() and kind not in (pl.Time, pl.Duration)
    ]
    if not texts:
        return dates
    (shares,) = seen.reader.all(
        "SELECT "
        + ", ".join(
            f"count(try_cast({identifier(name)} AS TIMESTAMP)) / nullif(count({identifier(name)}), 0)"
            for name in texts
        )
        + f" FROM {seen.rows_table()}"
    )
    dated = [name for name, share in zip(texts, shares, strict=True) if (share or 0) >= DATED]
    return [name for name in seen.schema if name in dates or name in dated]
