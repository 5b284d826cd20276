"""Where a row went: every version that descends from it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from graphlib import TopologicalSorter

from dagster_project.warehouse.address import Answer, Row, RowAddress, Snapshot, SnapshotAddress
from dagster_project.warehouse.descendants import candidates_from
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.reading import (
    END,
    OpenSnapshot,
    Reader,
    erased,
    one_of,
    published,
    reading,
    upstreams,
)
from dagster_project.warehouse.store import Store

FIRST_ROWS = 20


class Reach(Answer):
    """What of a snapshot descends from a row.

    Attributes:
        snapshot: which.
        current: whether it is its version's current one.
        hops: how many snapshots away, by the shortest way.
        descended: how many of its rows were made from the row.
        first: the first of them.
        stand_ins: how many other rows stand for it, because it (or what was made from it) was
            merged into them or into what they were made from.
        first_stand_ins: the first of them.
    """

    snapshot: Snapshot
    current: bool
    hops: int
    descended: int
    first: tuple[Row, ...]
    stand_ins: int
    first_stand_ins: tuple[Row, ...]


class Impact(Answer):
    """Where a row went.

    Attributes:
        row: which.
        reached: the snapshots with rows that descend from it or stand for it, nearest first.
        erased: when it was erased, and why; None when it was not.
    """

    row: Row
    reached: tuple[Reach, ...]
    erased: str | None = None


def impact(store: Store | Reader, address: RowAddress, *, every_snapshot: bool = False) -> Impact:
    """Follow a row forward through all published snapshots.

    Args:
        store: where; or an open reader of it.
        address: which row.
        every_snapshot: tell of every published snapshot, not only of the current ones.

    Raises:
        AddressRefused: when there is no such row.
        NotPublished: when its version has no current snapshot and the address names none.
        SnapshotDamaged, ManifestDamaged: when a file on the way is not as it was written.
    """
    with reading(store) as reader:
        opened, start = reader.open_row(address)
        known = {at: (manifest, current) for at, manifest, current in published(reader.store)}
        known.setdefault(opened.address, (opened.manifest, False))
        made_from = {at: upstreams(manifest) for at, (manifest, _) in known.items()}
        direct: dict[SnapshotAddress, set[int]] = defaultdict(set, {start.snapshot: {start.row_id}})
        merged: dict[SnapshotAddress, set[int]] = defaultdict(set)
        hops = {start.snapshot: 0}
        for at in TopologicalSorter(made_from).static_order():
            reached = [parent for parent in made_from.get(at, ()) if parent in hops]
            if not reached:
                continue
            snapshot = reader.open(at)
            for number, origin in snapshot.inputs.items():
                if origin.upstream in hops:
                    rows = direct[origin.upstream]
                    others = merged[origin.upstream] - rows
                    direct[at] |= _children(reader, snapshot, number, rows)
                    merged[at] |= _children(reader, snapshot, number, others)
                    merged[at] |= _stand_ins(reader, snapshot, number, rows | others)
            for number, origin in snapshot.seeds.items():
                if origin.upstream in hops:
                    seeds = direct[origin.upstream]
                    for made, rows in candidates_from(reader, snapshot, number, seeds).items():
                        direct[at] |= _children(reader, snapshot, made, rows)
                        merged[at] |= _stand_ins(reader, snapshot, made, rows)
            merged[at] -= direct[at]
            if direct[at] or merged[at]:
                hops[at] = 1 + min(hops[parent] for parent in reached)
        return Impact(
            row=start,
            reached=tuple(
                _reach(at, known[at], hops[at], direct[at], merged[at])
                for at in sorted(hops, key=lambda at: (hops[at], at))
                if at != start.snapshot and (every_snapshot or known[at][1])
            ),
            erased=erased(reader, start),
        )


def _children(reader: Reader, snapshot: OpenSnapshot, number: int, rows: Iterable[int]) -> set[int]:
    """The rows made from rows of an input."""
    query = f"SELECT DISTINCT row_id FROM {snapshot.table('lineage')} WHERE parent_input = {number}"
    return {row for (row,) in reader.all(f"{query} AND {one_of('parent_row_id', rows)}")}


def _stand_ins(
    reader: Reader, snapshot: OpenSnapshot, number: int, rows: Iterable[int]
) -> set[int]:
    """The rows made from what rows of an input were merged into."""
    if not any(step.merged for step in snapshot.steps.values()):
        return set()
    found: set[int] = set()
    # By input and row: ordinal (None for all parts) and the step after which it had that ordinal.
    waiting: dict[int, dict[int, set[tuple[int | None, int]]]]
    waiting = {number: {row: {(None, -1)} for row in rows}}
    seen: set[tuple[int, int, int | None, int]] = set()
    while waiting:
        ahead: dict[int, dict[int, set[tuple[int | None, int]]]] = defaultdict(
            lambda: defaultdict(set)
        )
        for into, parts in waiting.items():
            for row, ordinal, step, *survivor in reader.all(
                "SELECT parent_row_id, ordinal, step, survivor_input, survivor_row_id, "
                f"survivor_ordinal FROM {snapshot.table('dispositions')} WHERE parent_input = {into} "
                f"AND {one_of('parent_row_id', parts)} AND disposition = 'merged'"
            ):
                if any(
                    part is None
                    or (
                        after < step and (part == ordinal or snapshot.renumbered(into, after, step))
                    )
                    for part, after in parts[row]
                ):
                    key = (survivor[0], survivor[1], survivor[2], step)
                    if key not in seen:
                        seen.add(key)
                        ahead[survivor[0]][survivor[1]].add((survivor[2], step))
        for into, parts in ahead.items():
            for row_id, row, ordinal in reader.all(
                f"SELECT row_id, parent_row_id, ordinal FROM {snapshot.table('lineage')} "
                f"WHERE parent_input = {into} AND {one_of('parent_row_id', parts)}"
            ):
                if any(
                    part == ordinal or snapshot.renumbered(into, after, END)
                    for part, after in parts[row]
                ):
                    found.add(row_id)
        waiting = ahead
    return found


def _reach(
    at: SnapshotAddress,
    known: tuple[Manifest, bool],
    hops: int,
    direct: set[int],
    merged: set[int],
) -> Reach:
    def first(rows: set[int]) -> tuple[RowAddress, ...]:
        return tuple(
            RowAddress(at.version, at.snapshot_id, row) for row in sorted(rows)[:FIRST_ROWS]
        )

    return Reach(
        snapshot=at,
        current=known[1],
        hops=hops,
        descended=len(direct),
        first=first(direct),
        stand_ins=len(merged),
        first_stand_ins=first(merged),
    )
