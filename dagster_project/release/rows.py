"""The rows of a snapshot, page by page, with what an export says about them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from dagster_project.errors import SeedbedError
from dagster_project.operators.base import SYSTEM_PREFIX
from dagster_project.recipe.problems import no_such
from dagster_project.release.files.manifest import Source
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import identifier, literal, open_snapshot
from dagster_project.warehouse.manifest import read_manifest
from dagster_project.warehouse.reading import ancestry, resolve
from dagster_project.warehouse.store import Store

PAGE_ROWS = 8192
PAGE_BYTES = 32 * 2**20
"""Most rows that are in memory at a time, and most bytes of a snapshot's (compressed) file that they
stand for."""

SPLIT = f"{SYSTEM_PREFIX}split"
ROWS = "snapshot.rows"

MOST_SPLITS = 100
SPLIT_NAME = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*")
"""The names of splits that `datasets` takes; they are safe in names of files."""


class RowsRefused(SeedbedError):
    """Rows that cannot be exported as it was asked."""


class SnapshotRows:
    """The rows of a published snapshot. Use as a context manager.

    Args:
        store: where it is.
        address: which snapshot; the version's current one if no id is given.

    Raises:
        NotPublished: when the version has no current snapshot.
        SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
        RowsRefused: when the snapshot was rejected, is a trial, or holds durations.
    """

    def __init__(self, store: Store, address: SnapshotAddress) -> None:
        self.store = store
        self.address = resolve(store, address)
        self.manifest = read_manifest(store, address.version, str(self.address.snapshot_id))
        if self.manifest.status != "published":
            raise RowsRefused(
                f"{self.address} is {self.manifest.status}, not published; only what passed its "
                "blocking checks, in full, is exported"
            )

    def __enter__(self) -> SnapshotRows:
        self.connection = open_snapshot(self.store, self.address.version, self.address.snapshot_id)
        for column, kind, *_ in self._all(f"DESCRIBE {ROWS}"):
            if "INTERVAL" in kind:
                self.connection.close()
                raise RowsRefused(
                    f"{self.address}: column {column!r} holds durations, for which no format has a "
                    "word; make it a number in the recipe"
                )
        self.schema = self.connection.sql(f"SELECT * FROM {ROWS} LIMIT 0").pl().schema
        return self

    def __exit__(self, *error: object) -> None:
        self.connection.close()

    def said(self, key: str) -> Any:
        """What the snapshot's `manifest` table says: phase, licence, recipe, ….; None if nothing."""
        found = self.connection.execute(
            "SELECT value FROM snapshot.manifest WHERE key = ?", [key]
        ).fetchall()
        return json.loads(found[0][0]) if found else None

    def sources(self) -> list[Source]:
        """The external inputs of the snapshot and of all it was made from, sorted."""
        found = []
        for address in ancestry(self.store, self.address):
            with open_snapshot(self.store, address.version, address.snapshot_id) as connection:
                found += [
                    Source(
                        version=str(address.version),
                        snapshot_id=str(address.snapshot_id),
                        input=name,
                        kind=kind,
                        reference=reference,
                        licence=licence,
                        content_id=content_id,
                        rows=rows,
                    )
                    for name, kind, reference, licence, content_id, rows in connection.execute(
                        "SELECT name, kind, reference, licence, content_id, row_count "
                        "FROM snapshot.inputs WHERE snapshot_id IS NULL"
                    ).fetchall()
                ]
        return sorted(found, key=lambda source: (source.version, source.snapshot_id, source.input))

    def require(self, columns: Sequence[str]) -> None:
        """Refuse columns that are not there.

        Raises:
            RowsRefused: naming the nearest.
        """
        there = [name for name in self.schema if name != "row_id"]
        for column in columns:
            if column not in there:
                where = f" in {self.address}"
                raise RowsRefused(no_such("column", column, there, where))

    def splits(self, column: str | None) -> list[str]:
        """The values of a column by which rows are split, sorted; `train` without one.

        Raises:
            RowsRefused: when a value cannot name files, or there are too many.
        """
        if column is None:
            return ["train"]
        self.require([column])
        counted = self._all(
            f"SELECT {identifier(column)}::VARCHAR, min(row_id) FROM {ROWS} GROUP BY 1 "
            f"ORDER BY 1 LIMIT {MOST_SPLITS + 1}"
        )
        twins: dict[str, str] = {}
        for value, row_id in counted:
            row = f"{self.address}:{row_id}"
            if value is None:
                raise RowsRefused(f"{row} has no {column}, so it is in no split")
            if len(value) > 64 or not SPLIT_NAME.fullmatch(value) or value == "all":
                raise RowsRefused(
                    f"{row}: {column} is {value[:80]!r}, which cannot name a split: letters, digits "
                    "and underscores, with single dots between them, 64 at most, and not `all`"
                )
            if twins.setdefault(value.lower(), value) != value:
                raise RowsRefused(
                    f"{column} has {value!r} and {twins[value.lower()]!r}, which differ in case "
                    "alone; some file systems do not tell them apart"
                )
        if len(counted) > MOST_SPLITS:
            raise RowsRefused(f"{column} has more than {MOST_SPLITS} values; is it a split?")
        return [value for value, _ in counted] or ["train"]

    def pages(
        self, columns: Sequence[str], split_by: str | None, json_columns: Sequence[str] = ()
    ) -> Iterator[pa.Table]:
        """All rows, in the order of their ids; see `page`."""
        rows = self.manifest.rows
        step = max(1, min(PAGE_ROWS, PAGE_BYTES * rows // self.manifest.size))
        for start in range(0, self.manifest.numbers, step):
            yield self.page(columns, split_by, range(start, start + step), json_columns)

    def page(
        self,
        columns: Sequence[str],
        split_by: str | None,
        row_ids: range,
        json_columns: Sequence[str] = (),
    ) -> pa.Table:
        """Some rows, in the order of their ids: `row_id`, `SPLIT` and columns.

        Args:
            columns: which.
            split_by: the column whose values name splits.
            row_ids: of which rows.
            json_columns: those of the columns whose texts are made JSON on one line; a text that is
                no JSON becomes empty.
        """
        split = f"{identifier(split_by)}::VARCHAR" if split_by else literal("train")
        chosen = ["row_id", f"{split} AS {SPLIT}"]
        for column in columns:
            name = identifier(column)
            if column in json_columns:
                chosen.append(
                    f"CASE WHEN json_valid({name}) THEN json({name})::VARCHAR "
                    f"WHEN {name} IS NOT NULL THEN '' END AS {name}"
                )
            else:
                chosen.append(name)
        return self.connection.sql(
            f"SELECT {', '.join(chosen)} FROM {ROWS} WHERE row_id >= {row_ids.start} "
            f"AND row_id < {row_ids.stop} ORDER BY row_id"
        ).to_arrow_table()

    def _all(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()
