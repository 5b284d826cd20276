"""The rows of a snapshot that an inspection looks at, and what it measures on each of them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from dagster_project.engine.inspection.source_rows import data_columns, measured_columns
from dagster_project.engine.inspection.text_columns import (
    characters,
    content,
    has_roles,
    text_columns,
    total_characters,
)
from dagster_project.warehouse.connect import identifier
from dagster_project.warehouse.reading import OpenSnapshot, Reader, row_ids

MOST_ROWS = 100_000
"""Rows that are looked at, unless all are asked for."""

MOST_READ = 20_000
"""Rows of them whose texts are read, letter by letter."""

LETTERS_OF = 2_000
"""Characters of a text in which letters are counted."""

FEW_VALUES = 50
"""Values of a column that can be listed."""

LABEL = 80
"""Characters of the longest of them."""

Unit = Literal["characters", "words", "turns", "non-letters", "value"]


@dataclass(frozen=True)
class Measure:
    """A number that every row has.

    Attributes:
        column: of the rows, or a measured one.
        unit: what is counted; `non-letters` is a share, `value` the column's own.
        place: its column in the table of measures.
    """

    column: str
    unit: Unit
    place: str

    @property
    def finite(self) -> str:
        """SQL: the number; null where it is none, or infinite."""
        return f"CASE WHEN isfinite({self.place}::DOUBLE) THEN {self.place}::DOUBLE END"


@dataclass(frozen=True)
class LookedAt:
    """Rows with their measures, as temporary table `looked_at` of the reader: `row_id`, `input` (null
    where a row has none), `total` (characters of all its texts), and the measures.

    Attributes:
        reader, snapshot: of which.
        schema: data columns.
        scores: measured columns.
        texts: data columns of texts and chats; those of labels, which have few values, are not.
        measures: what was measured.
        rows: how many are looked at.
        read: in how many words and letters were counted.
        seed: of the sample.
    """

    reader: Reader
    snapshot: OpenSnapshot
    schema: pl.Schema
    scores: pl.Schema
    texts: tuple[str, ...]
    measures: tuple[Measure, ...]
    rows: int
    read: int
    seed: int

    @property
    def sampled(self) -> bool:
        """Whether there are more rows."""
        return self.rows < self.snapshot.manifest.rows

    def rows_table(self) -> str:
        """SQL for the whole rows that are looked at."""
        table = self.snapshot.table("rows")
        return f"{table} SEMI JOIN looked_at USING (row_id)" if self.sampled else table


def look(
    reader: Reader,
    snapshot: OpenSnapshot,
    seed: int = 0,
    most_rows: int | None = MOST_ROWS,
    most_read: int | None = MOST_READ,
) -> LookedAt:
    """Choose rows and measure them.

    Args:
        reader: of the store.
        snapshot: whose rows.
        seed: of the sample.
        most_rows: how many rows are looked at; None for all.
        most_read: in how many of them words and letters are counted; None for all.
    """
    total = snapshot.manifest.rows
    rows = total if most_rows is None else min(total, most_rows)
    read = rows if most_read is None else min(rows, most_read)
    drawn = random.Random(seed).sample(row_ids(reader, snapshot), rows if rows < total else read)
    if rows < total:
        _register(reader, "chosen", drawn)
    chosen = "SEMI JOIN chosen USING (row_id)" if rows < total else ""
    if read < rows:
        _register(reader, "read_closely", drawn[:read])
    closely = "row_id IN (FROM read_closely)" if read < rows else "true"
    schema, scores = data_columns(reader, snapshot), measured_columns(reader, snapshot)
    table = f"{snapshot.table('rows')} {chosen}"
    strings = [name for name in schema if schema[name] == pl.String]
    labels = few_valued(reader, strings, table, rows)
    texts = [name for name in text_columns(schema) if name not in labels]
    measures: list[Measure] = []
    expressions: list[str] = []

    def add(column: str, unit: Unit, expression: str) -> None:
        measures.append(Measure(column, unit, f"m{len(measures)}"))
        expressions.append(f"{expression} AS {measures[-1].place}")

    for column in texts:
        text = f"CASE WHEN {closely} THEN {content(schema, column)} END"
        beginning = f"left({text}, {LETTERS_OF})"
        others = f"length(regexp_replace({beginning}, '[\\p{{L}}\\s]+', '', 'g'))"
        add(column, "characters", characters(schema, column))
        if has_roles(schema, column):
            add(column, "turns", f"len({identifier(column)})")
        add(column, "words", f"len(regexp_extract_all({text}, '\\S+'))")
        add(column, "non-letters", f"{others} / nullif(length({beginning}), 0)")
    for column in _numeric(schema):
        add(column, "value", f"{identifier(column)}::DOUBLE")
    of_rows = ", ".join(["row_id", f"{total_characters(schema, texts)} AS total", *expressions])
    expressions.clear()
    for column in _numeric(scores):
        add(column, "value", f"{identifier(column)}::DOUBLE")
    of_scores = ", ".join(["row_id", *expressions])
    lineage, parents = snapshot.table("lineage"), ", ".join(map(str, snapshot.inputs))
    if len(snapshot.inputs) > 1:
        parents = (
            f"(SELECT min(parent_input) FROM {lineage} AS edge WHERE edge.row_id = own.row_id)"
        )
    reader.all(f"""
        CREATE OR REPLACE TEMP TABLE looked_at AS
        SELECT own.*, measured.* EXCLUDE (row_id), {parents or "NULL"} AS input
        FROM (SELECT {of_rows} FROM {table}) AS own
        LEFT JOIN (SELECT {of_scores} FROM {snapshot.table("scores")} {chosen}
                   WHERE row_id IS NOT NULL) AS measured USING (row_id)""")
    return LookedAt(
        reader, snapshot, schema, scores, tuple(texts), tuple(measures), rows, read, seed
    )


def few_valued(reader: Reader, columns: Sequence[str], table: str, rows: int) -> list[str]:
    """The columns that have at most 50 values, none of more than 80 characters, each of two rows or
    more on average.

    Args:
        reader: of the table.
        columns: to choose from.
        table: SQL for the rows.
        rows: how many there are.
    """
    if not columns:
        return []
    counted = ", ".join(
        f"approx_count_distinct({name}), coalesce(max(length({name}::VARCHAR)), 0)"
        for name in map(identifier, columns)
    )
    (found,) = reader.all(f"SELECT {counted} FROM {table}")
    most = min(FEW_VALUES, rows // 2)
    return [
        name
        for name, distinct, longest in zip(columns, found[::2], found[1::2], strict=True)
        if distinct <= most and longest <= LABEL
    ]


def _numeric(schema: pl.Schema) -> list[str]:
    return [name for name, kind in schema.items() if kind.is_numeric()]


def _register(reader: Reader, name: str, rows: Sequence[int]) -> None:
    frame = pl.DataFrame({"row_id": rows}, schema={"row_id": pl.Int64})
    reader.connection.register("incoming", frame.to_arrow())
    reader.all(f"CREATE OR REPLACE TEMP TABLE {name} AS FROM incoming")
    reader.connection.unregister("incoming")
