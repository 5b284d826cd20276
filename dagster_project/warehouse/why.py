"""What became of a row: why it is not in a version, or where it is."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

from dagster_project.warehouse.address import (
    Answer,
    Row,
    RowAddress,
    Snapshot,
    SnapshotAddress,
    SourceAddress,
)
from dagster_project.warehouse.descendants import candidates_from
from dagster_project.warehouse.locate import parse_address, records_meant, rows_meant
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.reading import (
    END,
    OpenSnapshot,
    Reader,
    ancestry,
    erased,
    reading,
)
from dagster_project.warehouse.records import Record, read_record
from dagster_project.warehouse.schema import ERASE_STEP, LANDING_STEP
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

MOST_FATES = 1000
BESIDE_STEPS = {LANDING_STEP: "landing", ERASE_STEP: "erase"}


class Removal(Answer):
    """How a row, or a part of it, left.

    Attributes:
        disposition: dropped, merged or quarantined.
        step: name of the step; "landing" when it was unreadable when it was found, or erased before;
            "erase" when it was erased from the snapshot.
        operator: of the step; None where there was no step.
        ordinal: which part, of a row that was split before.
        rule, measured, threshold: the rule that it broke, the value measured, and the limit.
        similarity: to the survivor, from 0 to 1, where measured.
        matched: text of the row that shows the similarity, where there is such.
        error: why it was quarantined.
        content: a quarantined row as it was, JSON or raw text.
        survivor: what became of the row it was merged into, or for which it was dropped.
    """

    disposition: Literal["dropped", "merged", "quarantined"]
    step: str
    operator: str | None
    ordinal: int
    rule: str | None
    measured: str | None
    threshold: str | None
    similarity: float | None
    matched: str | None
    error: str | None
    content: str | None
    survivor: Fate | None


class Arrival(Answer):
    """A row that came of it.

    Attributes:
        row: its address.
        relation: kept, changed, split, merged or generated.
        changed_by: names of the steps that changed it.
        then: what became of it in the snapshots made from this one, on the way to the version
            asked about.
    """

    row: Row
    relation: str
    changed_by: tuple[str, ...]
    then: tuple[Fate, ...]


class Fate(Answer):
    """What became of a row in a snapshot that read it.

    Attributes:
        snapshot: which.
        input: as what it was read.
        row: the row; None for a record of an external input.
        record: the record's number; None for a row.
        reference: whether that is a reference, with which rows were only compared.
        candidates: how many candidates were generated from it, where it was a seed.
        removed: how it, or parts of it, left.
        arrived: what came of it. Neither removed nor arrived: a trial did not read it, or it is of a
            reference.
        untold: true where the answer was cut off for its size.
    """

    snapshot: Snapshot
    input: str
    row: Row | None
    record: int | None
    reference: bool
    candidates: int
    removed: tuple[Removal, ...]
    arrived: tuple[Arrival, ...]
    untold: bool = False


class Why(Answer):
    """What became of a row or record in a version.

    Attributes:
        asked: the address asked about.
        snapshot: the version's snapshot.
        source: the record itself, for the address of a record.
        fates: what became of it where it was first read, and from there on.
        present: the rows of the version that came of it.
        stand_ins: the rows of the version that stand for it, as survivors of a merge.
        erased: when the row asked about was erased, and why; None when it was not.
    """

    asked: str
    snapshot: Snapshot
    source: Record | None
    fates: tuple[Fate, ...]
    present: tuple[Row, ...]
    stand_ins: tuple[Row, ...]
    erased: str | None = None


def why(
    store: Store | Reader,
    version: VersionName | SnapshotAddress,
    row: RowAddress | SourceAddress | str,
) -> Why:
    """Say what became of a row in a version that was made from it, however far up.

    Args:
        store: where; or an open reader of it.
        version: the version that is asked about, or one snapshot of it; else the current one.
        row: a row of a version that it was made from, or a record of an external input, by input
            name and number or by file and line. An address of a row without a snapshot means the
            snapshot that the version was made from.

    Raises:
        AddressRefused: when there is no such row, or the version was not made from it.
        NotPublished: when the version has no current snapshot.
        SnapshotDamaged, ManifestDamaged: when a file on the way is not as it was written.
    """
    if isinstance(version, VersionName):
        version = SnapshotAddress(version)
    with reading(store) as reader:
        target = reader.open(version).address
        family = ancestry(reader.store, target)
        if isinstance(row, str):
            row = parse_address(reader.store, row)
        tale = _Tale(reader, target, family)
        source, fates, gone = None, [], None
        if isinstance(row, RowAddress):
            for start in rows_meant(row, target, family):
                reader.open_row(start)
                gone = gone or erased(reader, start)
                if start.snapshot == target and not gone:
                    tale.present[start] = True
                fates += tale.onward(start)
        else:
            for snapshot, origin, number, landed in records_meant(reader, row, family):
                fates.append(tale.fate(reader.open(snapshot), origin.number, number))
                owner = str(snapshot)
                source = source or read_record(reader.verified, landed, number, owner)
                gone = source.error if source.erased else None
        return Why(
            asked=str(row),
            snapshot=target,
            source=source,
            fates=tuple(fates),
            present=tuple(sorted(row for row, direct in tale.present.items() if direct)),
            stand_ins=tuple(sorted(row for row, direct in tale.present.items() if not direct)),
            erased=gone,
        )


@dataclass
class _Tale:
    """Follows rows forward, from snapshot to snapshot, to the target."""

    reader: Reader
    target: SnapshotAddress
    family: dict[SnapshotAddress, Manifest]
    present: dict[RowAddress, bool] = field(default_factory=dict)
    told: int = 0

    def __post_init__(self) -> None:
        self.consumers: dict[SnapshotAddress, list[tuple[SnapshotAddress, str]]] = defaultdict(list)
        for address, manifest in self.family.items():
            for reference in (*manifest.inputs, *manifest.seeds):
                if reference.version is not None:
                    version = VersionName.parse(reference.version)
                    upstream = SnapshotAddress(version, reference.snapshot_id)
                    self.consumers[upstream].append((address, reference.name))

    def onward(self, row: RowAddress, direct: bool = True) -> list[Fate]:
        """What became of a row in each snapshot of the family that read it."""
        fates = []
        for address, name in self.consumers[row.snapshot]:
            snapshot = self.reader.open(address)
            read = snapshot.inputs | snapshot.seeds
            number = next(n for n, origin in read.items() if origin.name == name)
            fates.append(self.fate(snapshot, number, row.row_id, direct))
        return fates

    def _generated(
        self, snapshot: OpenSnapshot, number: int, row: int, direct: bool
    ) -> tuple[int, tuple[Arrival, ...]]:
        """How many candidates were made from a seed, and what came of them."""
        made = candidates_from(self.reader, snapshot, number, [row])
        arrived = [
            arrival
            for source, candidates in sorted(made.items())
            for candidate in sorted(candidates)[:MOST_FATES]
            for arrival in self._arrived(snapshot, source, candidate, direct, None, -1)
        ]
        return sum(map(len, made.values())), tuple(arrived)

    def fate(
        self,
        snapshot: OpenSnapshot,
        number: int,
        row: int,
        direct: bool = True,
        ordinal: int | None = None,
        after: int = -1,
    ) -> Fate:
        """What became of a row of an input.

        Args:
            snapshot: that read it.
            number: of the input.
            row: its row or record number there.
            direct: whether it is the row asked about, not one that stands for it.
            ordinal: only this part of it, as numbered after step `after`.
            after: only what happened later than this step.
        """
        origin = snapshot.origin(number)
        self.told += 1
        told = self.told <= MOST_FATES
        candidates, arrived = 0, ()
        if told and number in snapshot.seeds:
            candidates, arrived = self._generated(snapshot, number, row, direct)
        elif told:
            arrived = self._arrived(snapshot, number, row, direct, ordinal, after)
        return Fate(
            snapshot=snapshot.address,
            input=origin.name,
            row=origin.row(row),
            record=row if origin.upstream is None else None,
            reference=number in snapshot.references,
            candidates=candidates,
            removed=self._removed(snapshot, number, row, ordinal, after) if told else (),
            arrived=arrived,
            untold=not told,
        )

    def _removed(
        self, snapshot: OpenSnapshot, number: int, row: int, ordinal: int | None, after: int
    ) -> tuple[Removal, ...]:
        here = f"parent_input = {number} AND parent_row_id = {row}"
        removals = self.reader.all(
            "SELECT step, ordinal, disposition, rule, measured, threshold, similarity, error, "
            "survivor_input, survivor_row_id, survivor_ordinal "
            f"FROM {snapshot.table('dispositions')} WHERE {here}"
        )
        contents = {}
        if any(removal[2] == "quarantined" for removal in removals):
            contents = {
                (at, part): content
                for at, part, content in self.reader.all(
                    f"SELECT step, ordinal, content FROM {snapshot.table('quarantine')} WHERE {here}"
                )
            }
        found = []
        for step, part, *what, into, into_row, into_part in sorted(
            removals, key=lambda removal: (removal[0] != LANDING_STEP, *removal[:2])
        ):
            if after >= 0 and not after < step <= END:
                continue
            if ordinal not in (None, part) and not snapshot.renumbered(number, after, step):
                continue
            disposition, rule, measured, threshold, similarity, error = what
            beside = BESIDE_STEPS.get(step)
            found.append(
                Removal(
                    disposition=disposition,
                    step=beside or snapshot.steps[step].name,
                    operator=None if beside else snapshot.steps[step].operator,
                    ordinal=part,
                    rule=rule,
                    measured=measured,
                    threshold=threshold,
                    similarity=similarity,
                    matched=self._matched(snapshot, step, number, row, into, into_row),
                    error=error,
                    content=contents.get((step, part)),
                    survivor=None
                    if into is None
                    else self.fate(snapshot, into, into_row, False, into_part, step),
                )
            )
        return tuple(found)

    def _matched(
        self, snapshot: OpenSnapshot, step: int, number: int, row: int, into: int, into_row: int
    ) -> str | None:
        if into not in snapshot.references:
            return None
        found = self.reader.all(
            f"SELECT matched FROM {snapshot.table('pairs')} WHERE step = {step} AND parent_input = "
            f"{number} AND parent_row_id = {row} AND other_input = {into} AND other_row_id = {into_row}"
        )
        return found[0][0] if found else None

    def _arrived(
        self,
        snapshot: OpenSnapshot,
        number: int,
        row: int,
        direct: bool,
        ordinal: int | None,
        after: int,
    ) -> tuple[Arrival, ...]:
        found = []
        edges = self.reader.all(
            f"SELECT row_id, ordinal, relation, changed_by FROM {snapshot.table('lineage')} "
            f"WHERE parent_input = {number} AND parent_row_id = {row}"
        )
        for row_id, part, relation, changed_by in sorted(edges):
            if ordinal not in (None, part) and not snapshot.renumbered(number, after):
                continue
            address = RowAddress(snapshot.address.version, snapshot.address.snapshot_id, row_id)
            if snapshot.address == self.target:
                self.present[address] = direct or self.present.get(address, False)
            steps = (step for step in snapshot.steps_of(number) if changed_by >> step.number & 1)
            found.append(
                Arrival(
                    row=address,
                    relation=relation,
                    changed_by=tuple(step.name for step in steps),
                    then=tuple(self.onward(address, direct)),
                )
            )
        return tuple(found)
