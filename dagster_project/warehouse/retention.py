"""Deletes old snapshots, but none that a kept one was made from."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import Answer, Snapshot, SnapshotAddress
from dagster_project.warehouse.connect import write_catalogue
from dagster_project.warehouse.landing import block_folder, read_source, source_path
from dagster_project.warehouse.manifest import (
    Head,
    Manifest,
    head_path,
    manifest_path,
    read_head,
    read_manifest,
    read_sealed,
    snapshot_files,
    write_sealed,
)
from dagster_project.warehouse.reading import upstreams
from dagster_project.warehouse.store import Store, exclusive, sync_folder
from dagster_project.workspace import VersionName

SETTLED = timedelta(days=1)
DELETING = ".deleting-"


class RetentionRefused(SeedbedError):
    """A retention that cannot be planned."""


class Retention(Answer):
    """What would be deleted.

    Attributes:
        snapshots: to delete, each before those it was made from.
        spared: old enough to go, but kept snapshots were made from them.
        sources: ids of landed sources that no kept snapshot uses.
        blocks: keys of landed blocks that no kept source has.
        size: bytes that are freed.
    """

    snapshots: tuple[Snapshot, ...]
    spared: tuple[Snapshot, ...]
    sources: tuple[str, ...]
    blocks: tuple[str, ...]
    size: int


class _Journal(Answer):
    """A retention that has begun."""

    snapshots: tuple[tuple[str, str], ...]
    sources: tuple[str, ...]
    blocks: tuple[str, ...]


def plan_retention(
    store: Store,
    keep: int,
    names: Iterable[VersionName] | None = None,
    *,
    unpublished: bool = False,
    settled: timedelta = SETTLED,
) -> Retention:
    """Find what may go: all but the newest published snapshots of each version, except those that a
    kept snapshot of any version was made from, however far up; and landed inputs nobody uses.

    Args:
        store: where.
        keep: how many published snapshots of each version stay, at least 1.
        names: of these versions only; all by default.
        unpublished: also rejected snapshots, trials, and remains of killed publications that are
            older than the current snapshot.
        settled: what was current, built or landed less than this ago stays, so that a build that is
            running does not lose its inputs.

    Raises:
        RetentionRefused: when `keep` is less than 1.
        ManifestDamaged: when any manifest is damaged: what depends on it cannot be known.
    """
    if keep < 1:
        raise RetentionRefused(f"keep at least 1 snapshot of each version, not {keep}")
    before = datetime.now(UTC).replace(tzinfo=None) - settled
    wanted = None if names is None else set(names)
    known = all_manifests(store)
    doomed: set[SnapshotAddress] = set()
    for name in store.versions():
        if wanted is not None and name not in wanted:
            continue
        head = read_head(store, name)
        for old, successor in zip(
            head.published, head.published[1 : -keep + 1 or None], strict=False
        ):
            if head.published_at(successor) < before:
                doomed.add(SnapshotAddress(name, old))
        if unpublished and head.current is not None:
            current = _created(known[SnapshotAddress(name, head.current)])
            doomed |= {
                at
                for at, manifest in known.items()
                if at.version == name
                and at.snapshot_id not in head.published
                and _created(manifest) < min(current, before)
            }
    moment = before.replace(tzinfo=UTC).timestamp()
    return _spare(store, known, doomed, lambda landed: landed.stat().st_mtime < moment)


def apply_retention(store: Store, retention: Retention) -> Retention:
    """Delete what a plan says, except what has come into use since. A killed run leaves a store that
    is sound, and is finished by the next one.

    Args:
        store: where.
        retention: from `plan_retention`.

    Returns:
        what was deleted.

    Raises:
        ManifestDamaged: when a manifest is damaged; nothing is deleted.
    """
    journal = retention_path(store)
    with exclusive(store.root / ".retention.lock"):
        doomed = set(retention.snapshots)
        sources, blocks = set(retention.sources), set(retention.blocks)
        if journal.exists():
            begun = read_sealed(journal, _Journal)
            doomed |= {
                SnapshotAddress(VersionName.parse(name), snapshot_id)
                for name, snapshot_id in begun.snapshots
            }
            sources |= set(begun.sources)
            blocks |= set(begun.blocks)
        known = all_manifests(store)
        currents = {SnapshotAddress(n, read_head(store, n).current) for n in store.versions()}
        landed = sources | blocks
        done = _spare(store, known, doomed - currents, lambda path: path.stem in landed)
        write_sealed(
            journal,
            _Journal(
                snapshots=tuple((str(at.version), str(at.snapshot_id)) for at in sorted(doomed)),
                sources=tuple(sorted(sources)),
                blocks=tuple(sorted(blocks)),
            ),
        )
        _delete(store, [at for at in doomed if at not in known], done)
        write_catalogue(store)
        journal.unlink()
        sync_folder(journal.parent)
    return done


def retention_path(store: Store) -> Path:
    """Where the plan is while it is carried out."""
    return store.root / "retention.json"


def all_manifests(store: Store) -> dict[SnapshotAddress, Manifest]:
    """The manifests of all snapshots of all versions: published, rejected, trials and unlisted.

    Raises:
        ManifestDamaged: when one of them is missing or altered.
    """
    known = {}
    for name in store.versions():
        paths = store.version_folder(name).glob("*.json")
        found = {path.stem for path in paths if not path.name.startswith(".")} - {"head"}
        for snapshot_id in sorted(found | set(read_head(store, name).published)):
            known[SnapshotAddress(name, snapshot_id)] = read_manifest(store, name, snapshot_id)
    return known


def _created(manifest: Manifest) -> datetime:
    return manifest.created_at.replace(tzinfo=None)


def _spare(
    store: Store,
    known: dict[SnapshotAddress, Manifest],
    doomed: set[SnapshotAddress],
    old: Callable[[Path], bool],
) -> Retention:
    """What of `doomed` can go, and which landed inputs with it.

    Args:
        store: where.
        known: all manifests.
        doomed: snapshots that may go.
        old: whether a landed source or block may go if nobody uses it.
    """
    needed: set[SnapshotAddress] = set()
    waiting = [at for at in known if at not in doomed]
    while waiting:
        for upstream in upstreams(known[waiting.pop()], references=True):
            if upstream in doomed and upstream in known and upstream not in needed:
                needed.add(upstream)
                waiting.append(upstream)
    go = {at for at in doomed - needed if at in known}
    order = TopologicalSorter(
        {at: upstreams(known[at], references=True) for at in sorted(go)}
    ).static_order()
    used = {
        reference.source_id
        for at, manifest in known.items()
        if at not in go
        for reference in (*manifest.inputs, *manifest.seeds, *manifest.references)
        if reference.source_id is not None
    }
    listed = sorted((store.landed / "sources").glob("*.json"))
    unused = [p for p in listed if p.stem not in used and old(p)]
    stay = [read_source(store, path.stem) for path in listed if path not in unused]
    in_use = {block.key for source in stay for block in source.blocks}
    blocks = [
        folder
        for folder in sorted((store.landed / "blocks").glob("*/*"))
        if folder.name not in in_use and not folder.name.startswith(".") and old(folder)
    ]
    size = sum(known[at].size for at in go) + sum(
        path.stat().st_size for folder in blocks for path in folder.iterdir()
    )
    return Retention(
        snapshots=tuple(at for at in reversed(list(order)) if at in go),
        spared=tuple(sorted(doomed & needed)),
        sources=tuple(path.stem for path in unused),
        blocks=tuple(folder.name for folder in blocks),
        size=size,
    )


def _delete(store: Store, begun: list[SnapshotAddress], retention: Retention) -> None:
    """Delete so that at any moment what readers see is whole: heads first, then manifests, each
    before those of what it was made from, then files."""
    by_version: dict[VersionName, set[str | None]] = defaultdict(set)
    for at in retention.snapshots:
        by_version[at.version].add(at.snapshot_id)
    for name, gone in by_version.items():
        with exclusive(head_path(store, name).with_name(".head.lock")):
            head = read_head(store, name)
            stay = tuple(item for item in head.publications if item.snapshot_id not in gone)
            if stay != head.publications:
                write_sealed(head_path(store, name), Head(version=str(name), publications=stay))
    for at in retention.snapshots:
        path = manifest_path(store, at.version, str(at.snapshot_id))
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    for at in (*begun, *retention.snapshots):
        for path in snapshot_files(store, at.version, str(at.snapshot_id)):
            path.unlink(missing_ok=True)
    for source_id in retention.sources:
        source_path(store, source_id).unlink(missing_ok=True)
    if retention.sources:
        sync_folder(store.landed / "sources")
    for key in retention.blocks:
        folder = block_folder(store, key)
        folder.rename(folder.with_name(f"{DELETING}{key}"))
    for folder in (store.landed / "blocks").glob(f"*/{DELETING}*"):
        shutil.rmtree(folder)
