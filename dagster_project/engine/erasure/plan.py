"""What would be erased: told to a person before anything is, and noted so that it can be carried out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from dagster_project.engine.erasure.source_records import ErasureRefused, records_meeting
from dagster_project.llm.forget import known_calls
from dagster_project.warehouse.address import Answer, RowAddress, Snapshot, SnapshotAddress
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.erasure.known_records import Fingerprint, fingerprint
from dagster_project.warehouse.erasure.notes import ErasureWork
from dagster_project.warehouse.erasure.reach import Reach, ReachFinder, by_block
from dagster_project.warehouse.landing import LandedSource
from dagster_project.warehouse.manifest import Manifest, read_head
from dagster_project.warehouse.reading import OpenSnapshot, Reader, erased
from dagster_project.warehouse.records import origin_path
from dagster_project.warehouse.retention import all_manifests
from dagster_project.warehouse.store import Store

FIRST = 20


class FilePart(Answer):
    """Records of a file that go.

    Attributes:
        file: as the recipe names it.
        uri: where it was found; None where the records are of no file.
        records: how many.
        lines: where the first of them start, from 1; their numbers where a format has no lines.
    """

    file: str
    uri: str | None
    records: int
    lines: tuple[int, ...]


class SnapshotPart(Answer):
    """What goes of a snapshot.

    Attributes:
        snapshot: which.
        status: current, old, rejected, trial or unlisted.
        rows: how many rows it loses; 0 where only its books tell of them.
        of: how many it has.
        first: the ids of the first of them.
        read: how many of the rows and records that go it has read.
    """

    snapshot: Snapshot
    status: str
    rows: int
    of: int
    first: tuple[int, ...]
    read: int


class ErasurePlan(Answer):
    """What would be erased.

    Attributes:
        asked: how many rows, or records of sources, were asked for.
        records: how many landed records lose their content.
        alike: how many of them only because they were merged with others that go, or say the same.
        files: where they are.
        snapshots: what is written anew.
        rows: how many rows snapshots lose, all together.
        calls: how many recorded calls of models lose their texts.
        notes: what was left out, and why.
    """

    asked: int
    records: int
    alike: int
    files: tuple[FilePart, ...]
    snapshots: tuple[SnapshotPart, ...]
    rows: int
    calls: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class PlannedErasure:
    """A plan, with all that is needed to carry it out.

    Attributes:
        plan: to show.
        work: to do.
        texts: what the records say; for keyed hashes, never kept.
    """

    plan: ErasurePlan
    work: ErasureWork
    texts: frozenset[str]

    def known_by(self, key: bytes) -> tuple[Fingerprint, ...]:
        """How the records are known again."""
        return tuple(sorted(fingerprint(key, text) for text in self.texts))


def plan_erasure(
    store: Store,
    rows: Sequence[RowAddress] = (),
    versions: Sequence[SnapshotAddress] = (),
    where: str | None = None,
    *,
    source: str | None = None,
    duplicates: bool = True,
) -> PlannedErasure:
    """Find all that must go with some rows. Nothing is changed.

    Args:
        store: where.
        rows: to erase.
        versions: of which the rows that meet `where` are erased: of one snapshot, or of all that a
            version has when no snapshot is named.
        where: a SQL condition over the columns of their rows.
        source: an external input of these versions: the condition is over its records, as they were
            landed, instead.
        duplicates: whether rows go that were merged with those that go.

    Raises:
        ErasureRefused: when the condition cannot be read, or nothing is found.
        AddressRefused, NotPublished: when there is no such row or version.
        SnapshotDamaged, SnapshotOutdated, ManifestDamaged: when a file cannot be read: what depends on
            it cannot be known.
    """
    manifests = all_manifests(store)
    notes: list[str] = []
    with Reader(store) as reader:
        asked = _named(reader, rows, notes)
        records: dict[str, set[int]] = {}
        finder = ReachFinder(reader, manifests, duplicates)
        for version in versions:
            snapshots = _snapshots(manifests, version)
            if source is not None:
                records |= records_meeting(reader, finder.sources, snapshots, source, where or "")
                continue
            for at, ids in _meeting(store, snapshots, version, where or "", notes).items():
                asked[at] |= ids
        if versions and not any(asked.values()) and not any(records.values()):
            what = f"record of input {source}" if source else "row"
            notes.append(f"no {what} of {', '.join(map(str, versions))} meets {where!r}")
        if not any(asked.values()) and not any(records.values()):
            raise ErasureRefused("; ".join(["nothing to erase", *notes]))
        found = finder.reach(asked, records)
        named = sum(map(len, asked.values())) + sum(map(len, records.values()))
        return _planned(store, finder, reader, found, named, notes)


def _named(
    reader: Reader, rows: Sequence[RowAddress], notes: list[str]
) -> defaultdict[SnapshotAddress, set[int]]:
    asked: defaultdict[SnapshotAddress, set[int]] = defaultdict(set)
    for row in rows:
        snapshot, address = reader.open_row(row)
        told = erased(reader, address)
        if told is not None:
            notes.append(f"{address} was {told}")
            continue
        asked[snapshot.address].add(address.row_id)
    return asked


def _snapshots(
    manifests: Mapping[SnapshotAddress, Manifest], version: SnapshotAddress
) -> list[SnapshotAddress]:
    snapshots = [
        at
        for at in manifests
        if at.version == version.version and version.snapshot_id in (None, at.snapshot_id)
    ]
    if not snapshots:
        raise ErasureRefused(
            f"{version} has no snapshot here; `seedbed history {version.version}` lists those it has"
        )
    return snapshots


def _meeting(
    store: Store,
    snapshots: Sequence[SnapshotAddress],
    version: SnapshotAddress,
    where: str,
    notes: list[str],
) -> dict[SnapshotAddress, set[int]]:
    """The rows that meet a condition, by snapshot."""
    found: dict[SnapshotAddress, set[int]] = {}
    refused: dict[SnapshotAddress, str] = {}
    for at in snapshots:
        with open_snapshot(store, at.version, at.snapshot_id) as connection:
            try:
                query = f"SELECT row_id FROM snapshot.rows WHERE (\n{where}\n)"
                found[at] = {row for (row,) in connection.execute(query).fetchall()}
            except (duckdb.Error, ValueError, TypeError) as error:
                refused[at] = str(error).split("\n\n")[0]
    if not found:
        raise ErasureRefused(
            f"--where {where!r} is no condition over the rows of {version}: "
            f"{next(iter(refused.values()))}"
        )
    notes += [f"{at} was not looked into: {error}" for at, error in refused.items()]
    return found


def _planned(
    store: Store,
    finder: ReachFinder,
    reader: Reader,
    found: Reach,
    asked: int,
    notes: list[str],
) -> PlannedErasure:
    touched = {at: found.touched.get(at, {}) for at in found.touched}
    blocks, texts, files = _records(reader, finder, found)
    requests = {
        request
        for at, keys in touched.items()
        for request in _requests(reader, reader.open(at), keys)
    }
    calls = known_calls(store, requests)
    parts = tuple(
        _part(store, reader.open(at), found.rows[at], keys) for at, keys in touched.items()
    )
    plan = ErasurePlan(
        asked=asked,
        records=finder.distinct(found),
        alike=found.alike,
        files=files,
        snapshots=parts,
        rows=sum(part.rows for part in parts),
        calls=len(calls),
        notes=tuple(notes),
    )
    work = ErasureWork(
        rows={str(at): tuple(sorted(found.rows[at])) for at in touched},
        touched={
            str(at): {number: tuple(sorted(ids)) for number, ids in sorted(keys.items())}
            for at, keys in touched.items()
        },
        records={
            source: tuple(sorted(ids)) for source, ids in sorted(found.records.items()) if ids
        },
        blocks=tuple(sorted(blocks | found.unlisted)),
        calls=tuple(sorted(calls)),
    )
    return PlannedErasure(plan, work, frozenset(texts))


def _records(
    reader: Reader, finder: ReachFinder, found: Reach
) -> tuple[set[str], set[str], tuple[FilePart, ...]]:
    """The blocks that hold the records, what these say, and where they were found."""
    places: defaultdict[tuple[str, str | None], set[int]] = defaultdict(set)
    blocks: set[str] = set()
    texts: set[str] = set()
    for source_id, numbers in sorted(found.records.items()):
        source: LandedSource = finder.sources[source_id]
        uris = {file.name: file.uri for file in source.files}
        for block, inside in by_block(source, numbers):
            offsets = sorted(number - block.first_row for number in inside)
            origin = pl.read_parquet(origin_path(reader.store, block), columns=["file", "line"])[
                offsets
            ]
            for file, line in origin.iter_rows():
                places[file, uris.get(file)].add(line)
            if block.key not in blocks:
                blocks.add(block.key)
            texts.update(finder.said(block).gather(offsets))
    files = tuple(
        FilePart(file=file, uri=uri, records=len(lines), lines=tuple(sorted(lines)[:FIRST]))
        for (file, uri), lines in sorted(places.items(), key=lambda item: item[0][0])
    )
    return blocks, texts, files


def _requests(
    reader: Reader, snapshot: OpenSnapshot, touched: Mapping[int, Collection[int]]
) -> set[str]:
    """Hashes of the requests that were made from what a snapshot read."""
    ledger, generations = snapshot.table("ledger"), snapshot.table("generations")
    return {
        request
        for number, ids in touched.items()
        for (request,) in reader.all(
            f"SELECT DISTINCT request_hash FROM {ledger} WHERE parent_input = {number} AND ("
            "parent_row_id IN (SELECT unnest($1::BIGINT[])) OR attempt IN (SELECT attempt FROM "
            f"{generations} WHERE parent_input = {number} AND parent_row_id IN "
            "(SELECT unnest($1::BIGINT[]))))",
            [sorted(ids)],
        )
    }


def _part(
    store: Store,
    snapshot: OpenSnapshot,
    rows: Collection[int],
    touched: Mapping[int, Collection[int]],
) -> SnapshotPart:
    manifest, head = snapshot.manifest, read_head(store, snapshot.address.version)
    status = str(manifest.status)
    if status == "published":
        listed = manifest.snapshot_id in head.published
        status = "old" if listed else "unlisted"
        if manifest.snapshot_id == head.current:
            status = "current"
    return SnapshotPart(
        snapshot=snapshot.address,
        status=status,
        rows=len(rows),
        of=manifest.rows,
        first=tuple(sorted(rows)[:FIRST]),
        read=sum(map(len, touched.values())),
    )
