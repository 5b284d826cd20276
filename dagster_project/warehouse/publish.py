"""Write, audit, publish: a snapshot becomes visible by one atomic rename, or not at all."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Literal

from dagster_project.identity import file_digest
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.manifest import (
    Head,
    InputReference,
    Manifest,
    Publication,
    head_path,
    read_head,
    read_manifest,
    snapshot_path,
    write_manifest,
    write_sealed,
)
from dagster_project.warehouse.snapshot import BUILDING, SnapshotBuilder
from dagster_project.warehouse.store import Store, exclusive, sync_file, sync_folder
from dagster_project.workspace import VersionName


def seal(
    built: SnapshotBuilder,
    *,
    recipe_id: str,
    inputs: tuple[InputReference, ...],
    references: tuple[InputReference, ...] = (),
    seeds: tuple[InputReference, ...] = (),
    status: Literal["published", "rejected", "trial"],
) -> Manifest:
    """Give a finished and audited snapshot its final name and its manifest.

    A published one becomes its version's current snapshot with the last rename; a rejected one or a
    trial is kept beside it for inspection, and the current snapshot stays.
    """
    store, name = built.store, built.name
    sync_file(built.path)
    built.path.chmod(0o444)
    manifest = Manifest(
        version=str(name),
        snapshot_id=built.snapshot_id,
        status=status,
        recipe_id=recipe_id,
        build_id=built.build_id,
        content_id=built.content_id,
        rows=built.rows,
        sha256=file_digest(built.path),
        size=built.path.stat().st_size,
        created_at=built.created_at,
        inputs=inputs,
        references=references,
        seeds=seeds,
    )
    path = snapshot_path(store, manifest)
    failpoint("snapshot_sealed")
    built.path.rename(path)
    sync_folder(path.parent)
    failpoint("snapshot_renamed")
    write_manifest(store, manifest)
    failpoint("manifest_written")
    if status == "published":
        publish(store, manifest)
        failpoint("head_written")
    return manifest


def publish(store: Store, manifest: Manifest) -> None:
    """Make a sealed snapshot its version's current one, for the first time or again."""
    name = VersionName.parse(manifest.version)
    with exclusive(head_path(store, name).with_name(".head.lock")):
        head = read_head(store, name)
        if head.current == manifest.snapshot_id:
            return
        publication = Publication(
            snapshot_id=manifest.snapshot_id, at=datetime.now(UTC).replace(tzinfo=None)
        )
        write_sealed(
            head_path(store, name),
            Head(version=str(name), publications=(*head.publications, publication)),
        )


def current(store: Store, name: VersionName) -> Manifest | None:
    """The manifest of the version's current snapshot; None when nothing is published."""
    head = read_head(store, name)
    return read_manifest(store, name, head.current) if head.current else None


def remove_unfinished(store: Store, name: VersionName, older_than_seconds: float = 86_400) -> None:
    """Delete what killed builds left behind, once it is a day old: files that were being written,
    and finished ones that have no manifest."""
    folder = store.version_folder(name)
    bare = (
        path
        for path in folder.glob("*.duckdb")
        if not (folder / f"{path.name.partition('.')[0]}.json").exists()
    )
    for path in {*folder.glob(f"{BUILDING}*"), *bare}:
        if time.time() - path.stat().st_mtime > older_than_seconds:
            path.unlink(missing_ok=True)
