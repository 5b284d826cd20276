"""Reads the rows of a SQL query over published versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import polars as pl
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from dagster_project.engine.chunk import frame_digest
from dagster_project.identity import digest
from dagster_project.operators.acquire.arrow_frames import frame_of_arrow
from dagster_project.operators.acquire.block import ORIGIN_SCHEMA, Block, Records, SourceFile
from dagster_project.operators.acquire.column_types import conform, storable
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

BATCH_ROWS = 65_536

CASTS = {
    "bit": "`{column}::VARCHAR`",
    "interval": "`epoch({column})`, in seconds",
    "time with time zone": "`{column}::VARCHAR`",
    "union": "`{column}::VARCHAR`",
    "variant": "`{column}::JSON`",
}
"""Types that rows cannot hold, and what to write instead."""


class SqlReader:
    """Reads a query's rows in the order the query gives them; end it with ORDER BY to have the same
    order, and so the same ids, each time.

    Args:
        store: whose current snapshots are read.
        query: one SELECT.
        versions: the versions it reads; no others are reachable.
        name: the input's name, for origins and errors.
    """

    def __init__(
        self, store: Store, query: str, versions: Sequence[VersionName], name: str
    ) -> None:
        self.store, self.query, self.versions, self.name = store, query, versions, name

    def blocks(self) -> Iterator[Block]:
        """The query's rows, 65,536 at a time.

        Raises:
            InputError: when DuckDB refuses the query, or a column has no name of its own or a type
                that rows cannot hold.
        """
        with connect(self.store, only=self.versions) as connection:
            first = 0
            try:
                rows = connection.sql(self.query)
                if rows is None:
                    raise InputError(f"input {self.name}: the query is no SELECT")
                self._check_types(rows)
                reader = rows.to_arrow_reader(BATCH_ROWS)
                for batch in reader:
                    yield self._block(pa.Table.from_batches([batch]), first)
                    first += batch.num_rows
                if first == 0:
                    yield self._block(reader.schema.empty_table(), first)
            except duckdb.Error as error:
                raise InputError(f"input {self.name}: the query fails: {error}") from error

    def _check_types(self, rows: duckdb.DuckDBPyRelation) -> None:
        for column, kind in zip(rows.columns, rows.types, strict=True):
            for found in _kinds(kind):
                if found in CASTS:
                    instead = CASTS[found].format(column=column)
                    raise InputError(
                        f"input {self.name}: column `{column}` is {kind}, which rows cannot hold; "
                        f"write it as something else in the query, such as {instead}"
                    )

    def _block(self, rows: pa.Table, first: int) -> Block:
        frame = frame_of_arrow(rows, f"input {self.name}")
        frame = conform(frame, storable(frame.schema))
        origin = pl.DataFrame(
            {"line": range(first + 1, first + frame.height + 1)}, schema={"line": pl.Int64}
        ).with_columns(file=pl.lit(self.name))
        missing = [pl.lit(None, ORIGIN_SCHEMA[n]).alias(n) for n in ("raw", "raw_bytes", "error")]
        origin = origin.with_columns(missing).select(list(ORIGIN_SCHEMA))
        key = digest(["sql", self.name, first, frame_digest(frame)])
        return Block(key, lambda: Records(frame, origin))

    def files(self) -> list[SourceFile]:
        """A query reads no files."""
        return []


def _kinds(kind: DuckDBPyType) -> Iterator[str]:
    """The names of a type and of those below it."""
    yield kind.id
    if kind.id in ("list", "array", "struct", "map", "union"):
        for _, child in kind.children:
            if isinstance(child, DuckDBPyType):
                yield from _kinds(child)
