"""Columns of few values, orders of roles in chats, and languages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from dagster_project.engine.inspection.rows_looked_at import LookedAt, few_valued
from dagster_project.engine.inspection.text_columns import has_roles, roles
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.connect import identifier, literal

SHOWN_VALUES = 12
MOST_FORMATS = 8
DETECTED_ROWS = 500

_ALL = "SELECT input, total AS __total FROM looked_at"


class Frequency(Answer):
    """How many rows have a value, and their median length in characters of all texts together."""

    value: str
    rows: int
    median_characters: float | None


class Values(Answer):
    """A column of few values.

    Attributes:
        column: which.
        kind: data or measured; `input` for the input rows came from, `roles` for the order of roles in
            a chat, `detected` for languages that were told on a sample.
        distinct: how many values there are.
        rows: that were counted.
        frequencies: the most frequent ones, most frequent first.
    """

    column: str
    kind: Literal["data", "measured", "input", "roles", "detected"]
    distinct: int
    rows: int
    frequencies: tuple[Frequency, ...]


def values(seen: LookedAt, columns: Sequence[str] = ()) -> tuple[Values, ...]:
    """The columns with few values, and how many rows have each.

    Args:
        seen: the rows.
        columns: only these.
    """
    found: list[Values] = []
    if len(seen.snapshot.inputs) > 1 and not columns:
        cases = " ".join(
            f"WHEN {number} THEN {literal(item.name)}"
            for number, item in seen.snapshot.inputs.items()
        )
        found += _values(seen, "input", "input", f"CASE input {cases} END", f"({_ALL})")
    for column in seen.texts:
        if column in (columns or seen.texts) and has_roles(seen.schema, column):
            found += _values(seen, column, "roles", roles(column), _with_totals(seen, [column]))
    for schema, kind in ((seen.schema, "data"), (seen.scores, "measured")):
        names = [
            name
            for name, type_ in schema.items()
            if name in (columns or schema) and _may_be_few(type_, kind == "data" or bool(columns))
        ]
        table = seen.rows_table() if kind == "data" else _with_totals(seen, names, kind)
        for column in few_valued(seen.reader, names, table, seen.rows):
            table = _with_totals(seen, [column], kind)
            found += _values(seen, column, kind, f"{identifier(column)}::VARCHAR", table)
    return tuple(found)


def languages(seen: LookedAt) -> Values | None:
    """Languages of a sample of rows, as `detect_language` tells them, in the first column of texts;
    None where they were measured when the snapshot was built, or there is no text."""
    from dagster_project.operators.process.detect_language import DetectLanguage

    annotated = any(f"{name}_confidence" in seen.scores for name in seen.scores)
    if annotated or not seen.texts or not seen.rows:
        return None
    longest = _longest(seen)
    rows = seen.reader.connection.sql(
        f"SELECT {identifier(longest)} FROM {seen.snapshot.table('rows')} SEMI JOIN "
        f"(SELECT row_id FROM looked_at ORDER BY {_draw(seen.seed, 'row_id')} LIMIT {DETECTED_ROWS}) "
        "USING (row_id) ORDER BY row_id"
    ).pl()
    told = DetectLanguage(column=longest).annotations(rows.schema)["language"]
    counts = rows.select(language=told).fill_null("(none)").group_by("language").len()
    counts = counts.sort(["len", "language"], descending=[True, False])
    return Values(
        column=longest,
        kind="detected",
        distinct=counts.height,
        rows=rows.height,
        frequencies=tuple(
            Frequency(value=language, rows=count, median_characters=None)
            for language, count in counts.head(SHOWN_VALUES).iter_rows()
        ),
    )


def _may_be_few(kind: pl.DataType, numbers: bool) -> bool:
    return kind in (pl.String, pl.Boolean, pl.Categorical, pl.Enum) or (
        numbers and kind.is_integer()
    )


def _with_totals(seen: LookedAt, columns: Sequence[str], kind: str = "data") -> str:
    """SQL for columns of the rows that are looked at, with the characters of all texts."""
    table = seen.snapshot.table("rows" if kind == "data" else "scores")
    wanted = ", ".join(f"whole.{identifier(column)}" for column in columns)
    return (
        f"(SELECT {wanted}, looked_at.total AS __total "
        f"FROM {table} AS whole JOIN looked_at USING (row_id))"
    )


def _values(seen: LookedAt, column: str, kind, value: str, table: str) -> list[Values]:
    """The frequencies of a value; none where all rows have the same."""
    counted = seen.reader.all(
        f"SELECT coalesce({value}, '(null)') AS __value, count(*) AS __n, median(__total) "
        f"FROM {table} GROUP BY __value ORDER BY __n DESC, __value"
    )
    if len(counted) < 2 and kind != "roles":
        return []
    shown = MOST_FORMATS if kind == "roles" else SHOWN_VALUES
    return [
        Values(
            column=column,
            kind=kind,
            distinct=len(counted),
            rows=sum(rows for _, rows, _ in counted),
            frequencies=tuple(
                Frequency(value=value, rows=rows, median_characters=median)
                for value, rows, median in counted[:shown]
            ),
        )
    ]


def _longest(seen: LookedAt) -> str:
    """The column that holds most of the text."""
    lengths = {each.column: each.place for each in seen.measures if each.unit == "characters"}
    (sums,) = seen.reader.all(
        f"SELECT {', '.join(f'coalesce(sum({place}), 0)' for place in lengths.values())} "
        "FROM looked_at"
    )
    return max(zip(lengths, sums, strict=True), key=lambda each: each[1])[0]


def _draw(seed: int, key: str) -> str:
    """SQL: a number that orders rows at random, the same for the same seed."""
    return f"md5(concat({literal(str(seed))}, ' ', {key}))"
