"""Columns at a glance."""

from __future__ import annotations

import polars as pl

from dagster_project.engine.inspection.rows_looked_at import LookedAt
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.connect import identifier


class Column(Answer):
    """A column of the rows.

    Attributes:
        name, type: as in DuckDB.
        nulls: rows without a value.
        empty: rows with an empty text or list.
        distinct: values that differ, about (HyperLogLog; within some 2 %).
    """

    name: str
    type: str
    nulls: int
    empty: int
    distinct: int


class Overview(Answer):
    """Columns, counted over the rows that are looked at.

    Attributes:
        columns: in their order.
        tokens: sum of each measured column of tokens, over the same rows.
    """

    columns: tuple[Column, ...]
    tokens: dict[str, int]


def overview(seen: LookedAt) -> Overview:
    """Count nulls, empty and distinct values of every column."""
    types = dict(
        seen.reader.all(
            f"SELECT column_name, column_type FROM (DESCRIBE {seen.snapshot.table('rows')})"
        )
    )
    counts = [part for name, kind in seen.schema.items() for part in _counts(name, kind)]
    (found,) = (
        seen.reader.all(f"SELECT {', '.join(counts)} FROM {seen.rows_table()}") if counts else ((),)
    )
    columns = tuple(
        Column(name=name, type=types[name], nulls=nulls, empty=empty, distinct=distinct)
        for name, (nulls, empty, distinct) in zip(
            seen.schema, zip(*[iter(found)] * 3, strict=True), strict=True
        )
    )
    measured = {each.column: each.place for each in seen.measures if each.unit == "value"}
    tokens = {
        column: seen.reader.all(f"SELECT coalesce(sum({place}), 0)::BIGINT FROM looked_at")[0][0]
        for column, place in measured.items()
        if "token" in column and column in seen.scores and seen.scores[column].is_integer()
    }
    return Overview(columns=columns, tokens=tokens)


def _counts(name: str, kind: pl.DataType) -> list[str]:
    column = identifier(name)
    empty = "0"
    if kind == pl.String:
        empty = f"count(*) FILTER ({column} = '')"
    elif isinstance(kind, pl.List):
        empty = f"count(*) FILTER (len({column}) = 0)"
    return [f"count(*) - count({column})", empty, f"approx_count_distinct({column})"]
