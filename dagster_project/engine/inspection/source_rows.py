"""Rows of the inputs of a snapshot, whether they are an upstream snapshot's or were landed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from dagster_project.engine.inspection.text_columns import shown, text_columns
from dagster_project.warehouse.address import Row, RowAddress
from dagster_project.warehouse.connect import literal
from dagster_project.warehouse.landing import block_folder, read_source
from dagster_project.warehouse.reading import Input, OpenSnapshot, Reader, one_of

WIDTH = 200
"""Characters of an excerpt."""

Columns = tuple[str, ...]
"""Those that an excerpt is to show first."""


@dataclass
class SourceRows:
    """Reads rows of a snapshot and of what it was made from or compared with.

    Args:
        reader: of the store.
        snapshot: whose.
        width: characters of an excerpt.
    """

    reader: Reader
    snapshot: OpenSnapshot
    width: int = WIDTH
    _relations: dict[int, str] = field(default_factory=dict)
    _schemas: dict[int, pl.Schema] = field(default_factory=dict)

    @cached_property
    def own_schema(self) -> pl.Schema:
        """The data columns of the snapshot's rows."""
        return data_columns(self.reader, self.snapshot)

    @cached_property
    def lineage(self) -> dict[str, list[list[str]]]:
        """By published column: the inputs and their columns that it was computed from."""
        found = self.reader.all(
            f"SELECT value FROM {self.snapshot.table('manifest')} WHERE key = 'column_lineage'"
        )
        return json.loads(found[0][0]) if found else {}

    def origins(self, number: int, column: str) -> list[str]:
        """The columns of an input that a published column was computed from."""
        name = self.snapshot.origin(number).name
        return [origin for source, origin in self.lineage.get(column, ()) if source == name]

    def relation(self, number: int) -> str:
        """SQL for all rows of an input or reference: `__row`, their number there, and its columns.

        Raises:
            SnapshotDamaged: when a file is not as it was written.
        """
        if number not in self._relations:
            self._relations[number] = self._relation(self.snapshot.origin(number))
        return self._relations[number]

    def schema(self, number: int) -> pl.Schema:
        """The columns of an input or reference."""
        if number not in self._schemas:
            self._schemas[number] = columns_of(self.reader, self.relation(number))
        return self._schemas[number]

    def texts(self, number: int, rows: set[int], columns: Columns) -> dict[int, str]:
        """Excerpts of rows of an input or reference by their numbers: of those of `columns` that hold
        texts there, or of what they were computed from; else of all that do."""
        schema = self.schema(number)
        there = [
            origin
            for column in columns
            for origin in ([column] if column in schema else self.origins(number, column))
        ]
        line = shown(schema, _chosen(schema, there), self.width)
        query = f"SELECT __row, {line} FROM ({self.relation(number)}) WHERE {one_of('__row', rows)}"
        return dict(self.reader.all(query)) if rows else {}

    def own_texts(self, wanted: Iterable[tuple[int, Columns]]) -> dict[tuple[int, Columns], str]:
        """The same for rows of the snapshot itself, for each wanted row id and columns; in place of a
        column that was not published, those that were computed from it."""
        table = self.snapshot.table("rows")
        together: dict[tuple[str, ...], set[tuple[int, Columns]]] = {}
        for row, columns in wanted:
            there = [
                published
                for column in columns
                for published in ([column] if column in self.own_schema else self._made_of(column))
            ]
            chosen = tuple(_chosen(self.own_schema, there))
            together.setdefault(chosen, set()).add((row, columns))
        texts: dict[tuple[int, Columns], str] = {}
        for chosen, pairs in together.items():
            line, rows = shown(self.own_schema, chosen, self.width), {row for row, _ in pairs}
            query = f"SELECT row_id, {line} FROM {table} WHERE {one_of('row_id', rows)}"
            found = dict(self.reader.all(query))
            texts |= {(row, columns): found[row] or "" for row, columns in pairs}
        return texts

    def address(self, number: int, row: int) -> Row | None:
        """The address of a row of an input; None for a record of an external one."""
        return self.snapshot.origin(number).row(row)

    def own_address(self, row: int) -> Row:
        """The address of a row of the snapshot itself."""
        here = self.snapshot.address
        return RowAddress(here.version, here.snapshot_id, row)

    def _made_of(self, column: str) -> list[str]:
        """The published columns that were computed from a column of any input."""
        return [
            published
            for published, origins in self.lineage.items()
            if any(origin == column for _, origin in origins)
        ]

    def _relation(self, origin: Input) -> str:
        if origin.upstream is not None:
            upstream = self.reader.open(origin.upstream)
            return f"SELECT row_id AS __row, * EXCLUDE (row_id) FROM {upstream.table('rows')}"
        assert origin.source_id is not None
        landed = read_source(self.reader.store, origin.source_id)
        starts: dict[str, int] = {}
        for block in landed.blocks:
            path = block_folder(self.reader.store, block.key) / "parsed.parquet"
            self.reader.verified.require(path, block.parsed_sha256, str(self.snapshot.address))
            starts[str(path)] = block.first_row
        if not starts:
            return "SELECT 0::BIGINT AS __row WHERE false"
        paths = ", ".join(map(literal, starts))
        places = ", ".join(f"({literal(path)}, {start})" for path, start in starts.items())
        return f"""
            SELECT first_row + file_row_number AS __row, data.* EXCLUDE (__file, file_row_number)
            FROM read_parquet([{paths}], union_by_name = true, filename = '__file',
                              file_row_number = true) AS data
            JOIN (VALUES {places}) AS places(path, first_row) ON path = __file"""


def columns_of(reader: Reader, query: str, without: Iterable[str] = ("__row",)) -> pl.Schema:
    """The columns of a query, but some."""
    schema = reader.connection.sql(f"SELECT * FROM ({query}) LIMIT 0").pl().schema
    return pl.Schema({name: kind for name, kind in schema.items() if name not in without})


def measured_columns(reader: Reader, snapshot: OpenSnapshot) -> pl.Schema:
    """The columns that steps of a snapshot measured."""
    key = ("parent_input", "parent_row_id", "ordinal", "row_id")
    return columns_of(reader, f"FROM {snapshot.table('scores')}", key)


def data_columns(reader: Reader, snapshot: OpenSnapshot) -> pl.Schema:
    """The columns of a snapshot's rows."""
    return columns_of(reader, f"FROM {snapshot.table('rows')}", ("row_id",))


def _chosen(schema: pl.Schema, columns: Iterable[str]) -> list[str]:
    wanted, texts = set(columns), text_columns(schema)
    return [name for name in texts if name in wanted] or texts
