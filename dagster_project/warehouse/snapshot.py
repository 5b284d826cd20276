"""Building a snapshot: one DuckDB file, written under a temporary name by one process."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.identity import canonical_json, digest
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.schema import FORMAT, TABLES
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

if TYPE_CHECKING:
    import pyarrow as pa

BUILDING = ".building-"

MEMORY_LIMIT = "1500MB"
"""DuckDB's share of memory while a snapshot is written; it spills to the store's cache beyond."""

UNWRITTEN = 256 * 2**20
"""Bytes of rows that are appended before they are written to the file."""

SORTED_BY = {
    "dispositions": "parent_input, parent_row_id, ordinal, step",
    "quarantine": "parent_input, parent_row_id, ordinal, step",
    "scores": "parent_input, parent_row_id, ordinal",
    "pairs": "parent_input, parent_row_id, ordinal, other_input, other_row_id, other_ordinal",
    "cuts": "parent_input, parent_row_id, ordinal, step, column_name, start",
}
"""Tables that are staged while rows flow and written once, in this order: it makes them small, and
quick to read by key."""


class NotConserved(SeedbedError):
    """Rows that vanished or appeared without a recorded reason."""


class SnapshotBuilder:
    """Writes one snapshot. Use as a context manager: leaving it deletes the file, unless it was sealed
    under its final name by then.

    Args:
        store: where.
        name: of which version.
        build_id: what is being built.
    """

    def __init__(self, store: Store, name: VersionName, build_id: str) -> None:
        self.store, self.name, self.build_id = store, name, build_id
        moment = datetime.now(UTC)
        self.created_at = moment.replace(tzinfo=None)
        self.snapshot_id = f"{moment:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}"
        folder = store.version_folder(name)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{BUILDING}{self.snapshot_id}.duckdb"
        self.rows = 0
        self.content_id = ""
        self._created: set[str] = set()
        self._unwritten = 0

    def __enter__(self) -> SnapshotBuilder:
        self.connection = self._connect()
        self.connection.execute("BEGIN")
        for table, columns in TABLES.items():
            if table not in SORTED_BY and table != "row_hashes":
                self.connection.execute(f"CREATE TABLE {table} ({columns})")
        self._hashing = self.connection.cursor()
        self._hashing.execute("SET TimeZone = 'UTC'")  # of times in hashed JSON
        self._hashing.execute("BEGIN")
        self._hashing.execute(f"CREATE TABLE row_hashes ({TABLES['row_hashes']})")
        self._hasher = ThreadPoolExecutor(1)
        return self

    def _connect(self) -> duckdb.DuckDBPyConnection:
        spill = self.store.cache / "spill"
        spill.mkdir(parents=True, exist_ok=True)
        return duckdb.connect(
            str(self.path),
            config={
                "python_enable_replacements": False,
                "temp_directory": str(spill / self.snapshot_id),
                "memory_limit": MEMORY_LIMIT,
            },
        )

    def __exit__(self, *error: object) -> None:
        self._hasher.shutdown()
        self._hashing.close()
        self.connection.close()
        self.path.unlink(missing_ok=True)
        self.path.with_name(self.path.name + ".wal").unlink(missing_ok=True)

    def append(self, table: str, frame: pl.DataFrame) -> None:
        """Append rows to a table; of `rows`, their content hashes too.

        `rows` and `scores` take their columns from the first frame.
        """
        if table == "rows":
            self.rows += frame.height
        target = f"staging_{table}" if table in SORTED_BY else table
        incoming = frame.to_arrow()
        hashed = self._hasher.submit(self._append_hashes, incoming) if table == "rows" else None
        self.connection.register("incoming", incoming)
        try:
            if target in self._created or (table in TABLES and table not in SORTED_BY):
                self.connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM incoming")
            else:
                kind = "TEMP TABLE" if table in SORTED_BY else "TABLE"
                columns = TABLES.get(table)
                if columns and table != "scores":
                    self.connection.execute(f"CREATE {kind} {target} ({columns})")
                    self.connection.execute(f"INSERT INTO {target} BY NAME SELECT * FROM incoming")
                else:
                    self.connection.execute(f"CREATE {kind} {target} AS SELECT * FROM incoming")
                self._created.add(target)
        finally:
            self.connection.unregister("incoming")
        if hashed is not None:
            hashed.result()
            self._put_down(incoming.nbytes)

    def _put_down(self, size: int) -> None:
        """Write what was appended to the file, once it is much: until then, DuckDB has it in memory."""
        self._unwritten += size
        if self._unwritten < UNWRITTEN:
            return
        self._hashing.execute("COMMIT")
        self.connection.execute("COMMIT")
        self.connection.execute("CHECKPOINT")
        self.connection.execute("BEGIN")
        self._hashing.execute("BEGIN")
        self._unwritten = 0

    def _append_hashes(self, rows: pa.Table) -> None:
        """Hash rows, at the same time as they are written."""
        self._hashing.register("incoming", rows)
        self._hashing.execute(
            "INSERT INTO row_hashes SELECT row_id, "
            f"md5_number({_row_json(rows.column_names)}) FROM incoming"
        )
        self._hashing.unregister("incoming")

    def append_records(self, table: str, records: Iterable[Mapping[str, Any]]) -> None:
        """Append a few rows given as mappings."""
        for record in records:
            names = ", ".join(record)
            marks = ", ".join("?" for _ in record)
            self.connection.execute(
                f"INSERT INTO {table} ({names}) VALUES ({marks})", list(record.values())
            )

    def mark_synthetic(self, inherited: Mapping[int, pl.DataFrame]) -> None:
        """Write which rows were generated, or come from such upstream, once all rows are there.

        Args:
            inherited: `synthetic` of upstream snapshots by number of input.
        """
        into = "INSERT INTO synthetic SELECT l.row_id, g.depth, g.teachers FROM lineage l JOIN"
        on = "ON l.parent_input = {} AND l.parent_row_id = g.{} ORDER BY l.row_id"
        self.connection.execute(
            f"{into} generations g {on.format('g.parent_input', 'parent_row_id')}"
        )
        for number, frame in inherited.items():
            self.connection.register("incoming", frame.to_arrow())
            self.connection.execute(f"{into} incoming g {on.format(number, 'row_id')}")
            self.connection.unregister("incoming")

    def finish(self, facts: Mapping[str, Any], input_rows: Mapping[int, int]) -> None:
        """Write hashes and sorted tables, and prove that every input row is accounted for.

        Args:
            facts: what `manifest` records, beside what the builder knows; JSON values.
            input_rows: how many rows each input had.

        Raises:
            NotConserved: when an input row is neither an ancestor of a row nor has a disposition,
                or a row has no ancestor.
        """
        run = self.connection.execute
        failpoint("rows_written")
        for table, order in SORTED_BY.items():
            staged = f"staging_{table}"
            if staged in self._created:
                run(f"CREATE TABLE {table} AS SELECT * FROM {staged} ORDER BY {order}")
                run(f"DROP TABLE {staged}")
            else:
                run(f"CREATE TABLE {table} ({TABLES[table]})")
        self._prove_conservation(input_rows)
        self.content_id = content_id(self._hashing, self._data_columns())
        known = {
            "format": FORMAT,
            "version": str(self.name),
            "snapshot_id": self.snapshot_id,
            "build_id": self.build_id,
            "content_id": self.content_id,
            "rows": self.rows,
        }
        for key, value in {**known, **facts}.items():
            run("INSERT INTO manifest VALUES (?, ?)", [key, canonical_json(value)])
        failpoint("provenance_written")
        self._hashing.execute("COMMIT")
        run("COMMIT")
        run("CHECKPOINT")
        self._hashing.close()
        self.connection.close()

    @contextmanager
    def reopened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The finished file, open for writing what audits found, in one transaction."""
        with self._connect() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")

    def _data_columns(self) -> list[tuple[str, str]]:
        return data_columns(self.connection)

    def _prove_conservation(self, input_rows: Mapping[int, int]) -> None:
        counted = dict(
            self.connection.execute(
                "SELECT parent_input, count(DISTINCT parent_row_id) FROM ("
                "SELECT parent_input, parent_row_id FROM lineage UNION ALL "
                "SELECT parent_input, parent_row_id FROM dispositions) GROUP BY ALL"
            ).fetchall()
        )
        for number, rows in input_rows.items():
            if counted.get(number, 0) != rows:
                raise NotConserved(
                    f"{self.name}: input {number} had {rows:,} rows, but {counted.get(number, 0):,} "
                    "are accounted for; nothing is published"
                )
        orphans = self.connection.execute(
            "SELECT count(*) FROM rows ANTI JOIN lineage USING (row_id)"
        ).fetchone()
        if orphans and orphans[0]:
            raise NotConserved(f"{self.name}: {orphans[0]:,} rows have no ancestor")


def data_columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """The columns of `rows` but its key, each with its type."""
    described = connection.execute("DESCRIBE rows").fetchall()
    return [(name, kind) for name, kind, *_ in described if name != "row_id"]


def content_id(connection: duckdb.DuckDBPyConnection, columns: Sequence[tuple[str, str]]) -> str:
    """The identity of the rows whose hashes are in `row_hashes`, in any order.

    Args:
        connection: to the snapshot.
        columns: of the rows, see `data_columns`.
    """
    sums = connection.execute(
        "SELECT count(*), sum((content_hash >> 64)::UBIGINT), "
        "sum((content_hash & 18446744073709551615)::UBIGINT) FROM row_hashes"
    ).fetchone()
    assert sums is not None
    return digest([columns, *(str(value or 0) for value in sums)])


def _row_json(columns: Sequence[str]) -> str:
    """SQL for a row's own columns as JSON text."""
    fields = ", ".join(
        f"{_literal(name)}: {_identifier(name)}" for name in columns if name != "row_id"
    )
    return f"to_json({{{fields}}})::VARCHAR" if fields else "'{}'"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
