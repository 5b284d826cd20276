"""Writes a snapshot anew, without rows that are erased and without what its books say of them."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.identity import canonical_json, file_digest
from dagster_project.warehouse.connect import identifier, literal
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.manifest import (
    ErasureNote,
    Manifest,
    snapshot_path,
    write_manifest,
)
from dagster_project.warehouse.schema import ERASE_STEP
from dagster_project.warehouse.snapshot import (
    BUILDING,
    MEMORY_LIMIT,
    content_id,
    data_columns,
)
from dagster_project.warehouse.store import Store, sync_file, sync_folder
from dagster_project.workspace import VersionName

REMOVED_TEXT = "erased"
"""What stands in the place of a text that must be there."""

_KEPT = "row_id IS NULL OR row_id NOT IN (FROM gone)"
_READ = "(SELECT (parent_input, parent_row_id) FROM touched)"
_TOUCHED = f"(parent_input, parent_row_id) IN {_READ}"
_OTHER_TOUCHED = f"(other_input, other_row_id) IN {_READ}"
_PAID = (
    f"({_TOUCHED} OR (parent_input, attempt) IN (SELECT (parent_input, attempt) "
    f"FROM old.generations WHERE {_TOUCHED}))"
)


def _without(text: str, where: str, instead: str = "NULL") -> str:
    return f"CASE WHEN {where} THEN {instead} ELSE {text} END AS {text}"


_WRITTEN: dict[str, str] = {
    "rows": f"SELECT * FROM old.rows WHERE {_KEPT}",
    "row_hashes": f"SELECT * FROM old.row_hashes WHERE {_KEPT}",
    "synthetic": f"SELECT * FROM old.synthetic WHERE {_KEPT}",
    "check_failures": f"SELECT * FROM old.check_failures WHERE {_KEPT}",
    "lineage": f"SELECT * FROM old.lineage WHERE {_KEPT}",
    "scores": f"SELECT * FROM old.scores WHERE ({_KEPT}) AND NOT ({_TOUCHED})",
    "dispositions": f"SELECT * REPLACE ({_without('measured', _TOUCHED)}, "
    f"{_without('error', f'error IS NOT NULL AND {_TOUCHED}', literal(REMOVED_TEXT))}) "
    "FROM old.dispositions",
    "quarantine": f"SELECT * REPLACE ({_without('error', _TOUCHED, literal(REMOVED_TEXT))}, "
    f"{_without('content', _TOUCHED)}) FROM old.quarantine",
    "pairs": f"SELECT * REPLACE ({_without('matched', f'{_TOUCHED} OR {_OTHER_TOUCHED}')}) "
    "FROM old.pairs",
    "generations": f"SELECT * REPLACE ({_without('rejected', _TOUCHED)}) FROM old.generations",
    "ledger": f"SELECT * REPLACE ({_without('prompt', _PAID, repr(''))}, "
    f"{_without('response', _PAID, repr(''))}) FROM old.ledger",
    # a message may cite any row, and is not needed to know what was found
    "checks": f"SELECT * REPLACE ({_without('error', 'error IS NOT NULL', literal(REMOVED_TEXT))}) "
    "FROM old.checks",
    "manifest": "SELECT * FROM old.manifest WHERE key NOT IN ('rows', 'content_id', 'erasures')",
}
"""What each table is without what is erased. Tables that are not named here hold no content of rows:
they are copied."""


def erase_from(
    store: Store,
    manifest: Manifest,
    erasure: str,
    at: datetime,
    reason: str,
    rows: Collection[int],
    touched: Mapping[int, Collection[int]],
) -> Manifest:
    """Put a snapshot without some rows in the place of one that has them.

    The new file is written beside the old one, which stays: readers have the one or the other, whole.

    Args:
        store: where it is.
        manifest: of the snapshot as it is.
        erasure: id of the erasure.
        at: when it began, UTC.
        reason: why, as it is told.
        rows: ids of the rows that go.
        touched: what is erased of each of its inputs, references and seeds, by number.

    Returns:
        the new manifest.
    """
    name = VersionName.parse(manifest.version)
    old = snapshot_path(store, manifest)
    building = old.with_name(f"{BUILDING}{manifest.snapshot_id}-{erasure}.duckdb")
    building.unlink(missing_ok=True)
    note = ErasureNote(erasure=erasure, at=at, reason=reason, rows=len(rows))
    try:
        identity, left = _write(store, building, old, manifest, note, rows, touched)
        sync_file(building)
        building.chmod(0o444)
        changed = manifest.model_copy(
            update={
                "content_id": identity,
                "rows": left,
                "sha256": file_digest(building),
                "size": building.stat().st_size,
                "erasures": (*manifest.erasures, note),
            }
        )
        building.rename(snapshot_path(store, changed))
        sync_folder(store.version_folder(name))
        failpoint("erased_snapshot_renamed")
        write_manifest(store, changed)
        failpoint("erased_manifest_written")
        return changed
    finally:
        building.unlink(missing_ok=True)
        building.with_name(building.name + ".wal").unlink(missing_ok=True)


def _write(
    store: Store,
    path: Path,
    old: Path,
    manifest: Manifest,
    note: ErasureNote,
    rows: Collection[int],
    touched: Mapping[int, Collection[int]],
) -> tuple[str, int]:
    """Write the new file; returns the identity of its rows, and how many they are."""
    spill = store.cache / "spill"
    spill.mkdir(parents=True, exist_ok=True)
    config: dict[str, str | bool | int | float | list[str]] = {
        "python_enable_replacements": False,
        "temp_directory": str(spill / f"{manifest.snapshot_id}-{note.erasure}"),
        "memory_limit": MEMORY_LIMIT,
    }
    with duckdb.connect(str(path), config=config) as connection:
        run = connection.execute
        run(f"ATTACH {literal(str(old))} AS old (READ_ONLY)")
        _register(connection, "gone", pl.DataFrame({"row_id": sorted(rows)}, {"row_id": pl.Int64}))
        keys = [(number, row) for number, ids in sorted(touched.items()) for row in sorted(ids)]
        schema = {"parent_input": pl.UInt16, "parent_row_id": pl.Int64}
        _register(connection, "touched", pl.DataFrame(keys, schema, orient="row"))
        run("BEGIN")
        tables = run(
            "SELECT table_name, sql FROM duckdb_tables() WHERE database_name = 'old' ORDER BY table_oid"
        ).fetchall()
        for table, declared in tables:
            run(declared.replace("CREATE TABLE old.", "CREATE TABLE "))
            written = _WRITTEN.get(table, f"SELECT * FROM old.{identifier(table)}")
            run(f"INSERT INTO {identifier(table)} {written}")
        if not manifest.erasures:
            run("CREATE TABLE erased (row_id BIGINT NOT NULL, erasure VARCHAR NOT NULL)")
        run("INSERT INTO erased SELECT row_id, ? FROM gone ORDER BY row_id", [note.erasure])
        run(
            "INSERT INTO dispositions BY NAME SELECT parent_input, parent_row_id, ordinal, "
            f"{ERASE_STEP} AS step, 'dropped' AS disposition, 'erased' AS rule, ? AS error "
            "FROM old.lineage SEMI JOIN gone USING (row_id) ORDER BY ALL",
            [note.told],
        )
        identity = content_id(connection, data_columns(connection))
        ((left,),) = run("SELECT count(*) FROM rows").fetchall()
        facts = {
            "rows": left,
            "content_id": identity,
            "erasures": [json.loads(each.model_dump_json()) for each in (*manifest.erasures, note)],
        }
        for key, value in facts.items():
            run("INSERT INTO manifest VALUES (?, ?)", [key, canonical_json(value)])
        run("COMMIT")
        run("DETACH old")
        run("CHECKPOINT")
    return identity, left


def _register(connection: duckdb.DuckDBPyConnection, name: str, frame: pl.DataFrame) -> None:
    """A temporary table with the rows of a frame."""
    connection.register("incoming", frame.to_arrow())
    connection.execute(f"CREATE TEMP TABLE {name} AS FROM incoming")
    connection.unregister("incoming")
