"""One read-only DuckDB connection in which every dataset version is a view."""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.manifest import Manifest, read_head, read_manifest, snapshot_path
from dagster_project.warehouse.store import Store, exclusive, write_atomically
from dagster_project.warehouse.verified import SnapshotDamaged, Verified
from dagster_project.workspace import NameRefused, VersionName

LOCKDOWN = """
SET TimeZone = 'UTC';
SET enable_external_access = false;
SET lock_configuration = true;
"""


class NotPublished(SeedbedError):
    """A version that has no snapshot to read."""


class TooManyVersions(SeedbedError):
    """More versions than this process may open files."""


def connect(
    store: Store,
    *,
    as_of: datetime | None = None,
    snapshots: Mapping[str, str] | None = None,
    only: Iterable[VersionName] | None = None,
) -> duckdb.DuckDBPyConnection:
    """An in-memory connection in which `SELECT * FROM python_tutor.v2` reads the version's rows, and
    `"python_tutor/v2".lineage` (or `.dispositions`, `.steps`, …) its provenance.

    Only files whose sha256 is the manifest's are attached, read-only. The connection then reaches
    no other file, loads no extension, and its settings are locked. It does not lock anybody out.

    Args:
        store: whose versions.
        as_of: read each version as it was current at this time (without a time zone: UTC).
        snapshots: read these snapshots of some versions, `{"python_tutor/v2": "<snapshot id>"}`.
        only: attach these versions and those of `snapshots`; all by default.

    Raises:
        NotPublished: when a version that was asked for by name has no snapshot (at that time).
        SnapshotDamaged: when a file that was asked for by name is damaged. One that was not is left
            out, with a warning.
        ManifestDamaged: the same, for a manifest.
        TooManyVersions: when the process may not open so many files.
    """
    pinned = {VersionName.parse(name): wanted for name, wanted in (snapshots or {}).items()}
    asked = set(only or ()) | set(pinned)
    names = sorted(asked) if only is not None else sorted(asked | set(store.versions()))
    connection = in_memory(store)
    try:
        seen: dict[str, VersionName] = {}
        attached: list[VersionName] = []
        with Verified(store) as verified:
            for name in names:
                try:
                    manifest = _chosen(store, name, pinned.get(name), as_of)
                    if manifest is None:
                        if name in asked:
                            raise NotPublished(no_snapshot(name, as_of))
                        continue
                    _refuse_twin(name, seen)
                    path = verified.snapshot(manifest)
                    attach(connection, path, str(name), str(name))
                except (NotPublished, TooManyVersions):
                    raise
                except SeedbedError as error:
                    if name in asked:
                        raise
                    warnings.warn(f"{name} is left out: {error}", stacklevel=2)
                else:
                    attached.append(name)
        for statement in _views(attached):
            connection.execute(statement)
        connection.execute(LOCKDOWN)
    except BaseException:
        connection.close()
        raise
    return connection


def open_snapshot(
    store: Store, name: VersionName, snapshot_id: str | None = None
) -> duckdb.DuckDBPyConnection:
    """One snapshot, attached as `snapshot`: `SELECT * FROM snapshot.rows`. Verified, read-only and
    locked down as in `connect`.

    Args:
        store: where it is.
        name: of which version.
        snapshot_id: which one, rejected ones and trials too; the current one by default.

    Raises:
        NotPublished: when the version has no current snapshot.
        SnapshotDamaged: when its file is not as it was written.
        ManifestDamaged: when its manifest is not.
    """
    manifest = _chosen(store, name, snapshot_id, None)
    if manifest is None:
        raise NotPublished(no_snapshot(name))
    with Verified(store) as verified:
        path = verified.snapshot(manifest)
    connection = in_memory(store)
    try:
        attach(connection, path, "snapshot", str(name))
        connection.execute(LOCKDOWN)
    except BaseException:
        connection.close()
        raise
    return connection


def catalogue_sql(store: Store) -> str:
    """SQL that gives the DuckDB shell the same views: `duckdb -init store/catalogue.sql`.

    It names the current snapshots by absolute path; it does not check them.
    """
    lines = ["-- Generated: the current snapshots of all versions. Do not edit."]
    attached: list[VersionName] = []
    seen: dict[str, VersionName] = {}
    for name in store.versions():
        try:
            manifest = _chosen(store, name, None, None)
            _refuse_twin(name, seen)
        except SeedbedError as error:
            lines.append(f"-- {' '.join(str(error).split())}")
            continue
        if manifest is None:
            continue
        path = snapshot_path(store, manifest).resolve()
        lines.append(f"ATTACH {literal(str(path))} AS {identifier(str(name))} (READ_ONLY);")
        attached.append(name)
    return "\n".join([*lines, *_views(attached)]) + "\n"


def write_catalogue(store: Store) -> Path:
    """Write `catalogue_sql` to `catalogue.sql` in the store; returns its path."""
    path = store.root / "catalogue.sql"
    with exclusive(store.root / ".catalogue.lock"):
        write_atomically(path, catalogue_sql(store).encode())
    return path


def identifier(name: str) -> str:
    """`name` as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """`text` as a SQL string."""
    return "'" + text.replace("'", "''") + "'"


def in_memory(store: Store) -> duckdb.DuckDBPyConnection:
    """An empty connection that loads no extension and spills to the store's cache."""
    spill = store.cache / "spill"
    with suppress(OSError):  # a store that cannot be written can still be read
        spill.mkdir(parents=True, exist_ok=True)
    return duckdb.connect(
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "temp_directory": str(spill / uuid.uuid4().hex),
        }
    )


def _chosen(
    store: Store, name: VersionName, snapshot_id: str | None, as_of: datetime | None
) -> Manifest | None:
    """The manifest of the snapshot asked for; None when nothing is published (by then)."""
    VersionName.parse(str(name))
    if snapshot_id is not None:
        return read_manifest(store, name, snapshot_id)
    head = read_head(store, name)
    if as_of is None:
        return read_manifest(store, name, head.current) if head.current else None
    if as_of.tzinfo is not None:
        as_of = as_of.astimezone(UTC).replace(tzinfo=None)
    then = head.as_of(as_of)
    return read_manifest(store, name, then) if then else None


def attach(connection: duckdb.DuckDBPyConnection, path: Path, alias: str, owner: str) -> None:
    """Attach a verified file, read-only.

    Raises:
        SnapshotDamaged: when DuckDB cannot open it.
    """
    try:
        connection.execute(f"ATTACH {literal(str(path))} AS {identifier(alias)} (READ_ONLY)")
    except duckdb.Error as error:
        if "Too many open files" in str(error):
            raise TooManyVersions(
                f"{owner}: more versions than this process may open files; raise `ulimit -n`, or "
                "attach some of them with `only`"
            ) from error
        raise SnapshotDamaged(f"{path} of {owner} cannot be opened: {error}") from error


def _views(names: Iterable[VersionName]) -> Iterator[str]:
    """Statements that make a schema for each dataset and a view for each version."""
    schemas: set[str] = set()
    for name in names:
        schema = f"memory.{identifier(name.dataset)}"
        if name.dataset.lower() not in schemas:
            schemas.add(name.dataset.lower())
            yield f"CREATE SCHEMA {schema};"
        yield (
            f"CREATE VIEW {schema}.{identifier(name.version)} "
            f"AS SELECT * FROM {identifier(str(name))}.main.rows;"
        )


def _refuse_twin(name: VersionName, seen: dict[str, VersionName]) -> None:
    twin = seen.setdefault(str(name).lower(), name)
    if twin != name:
        raise NameRefused(f"{name} and {twin} differ in case alone, which SQL does not tell apart")


def no_snapshot(name: VersionName, as_of: datetime | None = None) -> str:
    """What to tell a reader of a version without a snapshot (at a time)."""
    when = f" at {as_of:%Y-%m-%d %H:%M:%S}" if as_of else ""
    return f"{name} has no published snapshot{when}; materialize it first (`seedbed build {name}`)"
