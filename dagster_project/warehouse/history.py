"""The snapshots of a version through time, and samples of their rows."""

from __future__ import annotations

import random
import warnings
from datetime import datetime
from typing import Literal

import polars as pl

from dagster_project.warehouse.address import Answer, SnapshotAddress
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.manifest import (
    ErasureNote,
    InputReference,
    Manifest,
    ManifestDamaged,
    head_path,
    read_head,
    read_manifest,
)
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName


class HistoryEntry(Answer):
    """A snapshot of a version.

    Attributes:
        snapshot_id: unique within the version; sorts by time.
        status: published, rejected, trial, or unlisted (a publication or a deletion that was cut
            short: no reader sees it).
        current: whether it is what readers get.
        created_at: UTC.
        rows: how many.
        size: of its file, bytes.
        recipe_id, build_id, content_id: its identities.
        inputs: what it was made from.
        erasures: what was erased from it, oldest first.
    """

    snapshot_id: str
    status: Literal["published", "rejected", "trial", "unlisted"]
    current: bool
    created_at: datetime
    rows: int
    size: int
    recipe_id: str
    build_id: str
    content_id: str
    inputs: tuple[InputReference, ...]
    erasures: tuple[ErasureNote, ...] = ()


def history(store: Store, name: VersionName) -> list[HistoryEntry]:
    """All snapshots of a version, newest first. A damaged manifest is left out, with a warning.

    Raises:
        ManifestDamaged: when the version's head is altered.
    """
    head = read_head(store, name)
    entries = []
    for manifest in manifests(store, name):
        listed = manifest.snapshot_id in head.published
        entries.append(
            HistoryEntry(
                status="unlisted"
                if manifest.status == "published" and not listed
                else manifest.status,
                current=manifest.snapshot_id == head.current,
                **manifest.model_dump(exclude={"version", "status", "sha256"}),
            )
        )
    return sorted(entries, key=lambda entry: (entry.created_at, entry.snapshot_id), reverse=True)


def manifests(store: Store, name: VersionName) -> list[Manifest]:
    """All manifests of a version, by id. A damaged one is left out, with a warning."""
    found = []
    for path in sorted(store.version_folder(name).glob("*.json")):
        if path == head_path(store, name) or path.name.startswith("."):
            continue
        try:
            found.append(read_manifest(store, name, path.stem))
        except ManifestDamaged as error:
            warnings.warn(f"a snapshot is left out: {error}", stacklevel=2)
    return found


def sample(
    store: Store, snapshot: SnapshotAddress | VersionName, rows: int, seed: int = 0
) -> pl.DataFrame:
    """Rows drawn at random without replacement, in the order of their ids; the same for the same
    snapshot, number and seed.

    Args:
        store: where.
        snapshot: of which version (its current snapshot) or snapshot.
        rows: how many at most.
        seed: of the draw.

    Raises:
        NotPublished: when the version has no current snapshot.
        SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
    """
    if isinstance(snapshot, VersionName):
        snapshot = SnapshotAddress(snapshot)
    with open_snapshot(store, snapshot.version, snapshot.snapshot_id) as connection:
        numbers = connection.sql("SELECT row_id FROM snapshot.rows ORDER BY row_id").pl()["row_id"]
        drawn = random.Random(seed).sample(range(len(numbers)), min(max(rows, 0), len(numbers)))
        frame = numbers.gather(drawn).to_frame()
        connection.register("drawn", frame.to_arrow())
        return connection.sql(
            "SELECT * FROM snapshot.rows SEMI JOIN drawn USING (row_id) ORDER BY row_id"
        ).pl()
