"""Reads the rows of a SQL query over published versions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import duckdb
import polars as pl

from dagster_project.engine.chunk import frame_digest
from dagster_project.identity import digest
from dagster_project.operators.acquire.block import ORIGIN_SCHEMA, Block, Records, SourceFile
from dagster_project.operators.acquire.column_types import conform, storable
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

BATCH_ROWS = 65_536


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
            InputError: when DuckDB refuses the query.
        """
        with connect(self.store, only=self.versions) as connection:
            first = 0
            try:
                for batch in connection.sql(self.query).to_arrow_reader(BATCH_ROWS):
                    frame = pl.DataFrame(pl.from_arrow(batch))
                    yield self._block(conform(frame, storable(frame.schema)), first)
                    first += frame.height
            except duckdb.Error as error:
                raise InputError(f"input {self.name}: the query fails: {error}") from error

    def _block(self, frame: pl.DataFrame, first: int) -> Block:
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
