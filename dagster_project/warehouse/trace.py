"""Where a row came from: hop by hop, back to the records of external inputs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from dagster_project.warehouse.address import Answer, Row, RowAddress, SnapshotAddress
from dagster_project.warehouse.landing import LandedSource, read_source
from dagster_project.warehouse.reading import END, OpenSnapshot, Reader, erased, one_of, reading
from dagster_project.warehouse.records import Record, read_record
from dagster_project.warehouse.store import Store

MOST_ROWS = 1000
MOST_DUPLICATES = 20


class PassedStep(Answer):
    """A step that a row passed, and whether it changed the row."""

    step: int
    name: str
    operator: str
    changed: bool


class Duplicate(Answer):
    """An input row that was merged into another, which stands for it.

    Attributes:
        input: name of the input.
        row: its address upstream; None when the input is external.
        number: its row or record number in the input.
        step: the step that merged it.
        rule: why.
        similarity: to the row it was merged into, from 0 to 1, where measured.
    """

    input: str
    row: Row | None
    number: int
    step: str
    rule: str | None
    similarity: float | None


class SourceRecord(Answer):
    """A record of an external input, where a trace ends."""

    input: str
    kind: str
    reference: str
    licence: str | None
    record: Record


class PaidCall(Answer):
    """A call of a model that was paid for, as in the snapshot's `ledger`."""

    purpose: str
    provider: str
    model: str
    sampling: str
    request_hash: str
    prompt: str
    response: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    dollars: float


class Seed(Answer):
    """A row that another was generated from.

    Attributes:
        input: name of the seeds.
        row: its address, when it is a row of another version; it is in the trace too.
        source: the record, when it is of an external input.
    """

    input: str
    row: Row | None
    source: SourceRecord | None


class Generation(Answer):
    """How a candidate came about.

    Attributes:
        candidate: its number among those of its input.
        generator: the operator that made it.
        motive: what it was made for.
        attempt: the number of the attempt; its candidates share the attempt's calls.
        depth: 1 + that of the deepest row it was made from.
        teachers: the models it comes from, those of its seeds too.
        seeds: what it was made from.
        made_from: earlier candidates that it was made from.
        calls: what its attempt paid for.
    """

    candidate: int
    generator: str
    motive: str
    attempt: int
    depth: int
    teachers: tuple[str, ...]
    seeds: tuple[Seed, ...]
    made_from: tuple[int, ...]
    calls: tuple[PaidCall, ...]


class Parent(Answer):
    """An edge to what a row was made from.

    Attributes:
        relation: kept, changed, split, merged or generated.
        ordinal: which part, of a row that was split.
        input: name of the input.
        row: the parent, when it is a row of another version; it is in the trace too.
        source: the parent, when it is a record of an external input.
        generations: how it was generated, when it was: the candidate itself first, then the earlier ones
            that it was made from.
        steps: what the row passed on the way, in order.
        duplicates: the first rows that were merged into the parent.
        duplicate_count: how many there are.
    """

    relation: str
    ordinal: int
    input: str
    row: Row | None
    source: SourceRecord | None
    generations: tuple[Generation, ...]
    steps: tuple[PassedStep, ...]
    duplicates: tuple[Duplicate, ...]
    duplicate_count: int

    @property
    def rows(self) -> list[Row]:
        """The rows of other versions that it leads to."""
        seeds = (seed.row for made in self.generations for seed in made.seeds)
        return [row for row in (self.row, *seeds) if row is not None]


class TracedRow(Answer):
    """A row on the way, with what it was made from; `erased` says when and why, if it was erased."""

    address: Row
    hop: int
    parents: tuple[Parent, ...]
    erased: str | None = None


class Trace(Answer):
    """Where a row came from.

    Attributes:
        row: which.
        rows: the row itself, then its ancestors, nearest first; each once.
        truncated: whether there are more ancestors than were asked for.
    """

    row: Row
    rows: tuple[TracedRow, ...]
    truncated: bool

    @property
    def sources(self) -> list[SourceRecord]:
        """The external records it came from."""
        parents = [parent for row in self.rows for parent in row.parents]
        seeds = (seed for parent in parents for made in parent.generations for seed in made.seeds)
        found = (*(parent.source for parent in parents), *(seed.source for seed in seeds))
        return [source for source in found if source is not None]


def trace(store: Store | Reader, address: RowAddress, most: int = MOST_ROWS) -> Trace:
    """Follow a row back to the external records it was made from, through exactly the snapshots
    that were read when it was made.

    Args:
        store: where; or an open reader of it.
        address: which row.
        most: how many rows to visit at most.

    Raises:
        AddressRefused: when there is no such row.
        NotPublished: when its version has no current snapshot and the address names none.
        SnapshotDamaged, ManifestDamaged: when a file on the way is not as it was written.
    """
    with reading(store) as reader:
        _, start = reader.open_row(address)
        sources: dict[str, LandedSource] = {}
        visited: set[RowAddress] = {start}
        rows: list[TracedRow] = []
        frontier, hop, truncated = [start], 0, False
        while frontier:
            found: list[TracedRow] = []
            for snapshot, row_ids in _by_snapshot(frontier).items():
                found += _hop(reader, reader.open(snapshot), row_ids, hop, sources)
            rows += found
            parents = (row for traced in found for parent in traced.parents for row in parent.rows)
            ahead = dict.fromkeys(row for row in parents if row not in visited)
            frontier = list(ahead)[: max(0, most - len(rows))]
            truncated = truncated or len(frontier) < len(ahead)
            visited.update(frontier)
            hop += 1
        return Trace(row=start, rows=tuple(rows), truncated=truncated)


def _by_snapshot(rows: Iterable[RowAddress]) -> dict[SnapshotAddress, list[int]]:
    grouped: dict[SnapshotAddress, list[int]] = defaultdict(list)
    for row in rows:
        grouped[row.snapshot].append(row.row_id)
    return grouped


def _hop(
    reader: Reader,
    snapshot: OpenSnapshot,
    row_ids: list[int],
    hop: int,
    sources: dict[str, LandedSource],
) -> list[TracedRow]:
    """The rows of one snapshot, with their parents."""
    edges = sorted(
        reader.all(
            "SELECT row_id, parent_input, parent_row_id, ordinal, relation, changed_by "
            f"FROM {snapshot.table('lineage')} WHERE {one_of('row_id', row_ids)}"
        )
    )
    duplicates, counts = _duplicates(reader, snapshot, {edge[1:4] for edge in edges})
    made = _Generations(reader, snapshot, sources)
    parents: dict[int, list[Parent]] = defaultdict(list)
    for row_id, number, parent, ordinal, relation, changed_by in edges:
        origin = snapshot.inputs[number]
        row, source = origin.row(parent), None
        if row is None and not origin.generated:
            source = _source(reader, snapshot, number, parent, sources)
        key = number, parent, ordinal
        parents[row_id].append(
            Parent(
                relation=relation,
                ordinal=ordinal,
                input=origin.name,
                row=row,
                source=source,
                generations=made.of(number, parent) if origin.generated else (),
                steps=tuple(
                    PassedStep(
                        step=step.number,
                        name=step.name,
                        operator=step.operator,
                        changed=bool(changed_by >> step.number & 1),
                    )
                    for step in snapshot.steps_of(number)
                ),
                duplicates=tuple(duplicates.get(key, ())),
                duplicate_count=counts[key],
            )
        )
    version, snapshot_id = snapshot.address.version, snapshot.address.snapshot_id
    return [
        TracedRow(
            address=RowAddress(version, snapshot_id, row_id),
            hop=hop,
            parents=tuple(parents[row_id]),
            erased=None
            if parents[row_id]
            else erased(reader, RowAddress(version, snapshot_id, row_id)),
        )
        for row_id in row_ids
    ]


def _source(
    reader: Reader,
    snapshot: OpenSnapshot,
    number: int,
    record: int,
    sources: dict[str, LandedSource],
) -> SourceRecord:
    origin = snapshot.origin(number)
    source_id = origin.source_id or ""
    if source_id not in sources:
        sources[source_id] = read_source(reader.store, source_id)
    found = read_record(reader.verified, sources[source_id], record, str(snapshot.address))
    return SourceRecord(
        input=origin.name,
        kind=origin.kind,
        reference=origin.reference,
        licence=origin.licence,
        record=found,
    )


Key = tuple[int, int, int]
"""A row in flight: input, row or record number in it, ordinal."""


def _duplicates(
    reader: Reader, snapshot: OpenSnapshot, survivors: set[Key]
) -> tuple[Mapping[Key, list[Duplicate]], Counter[Key]]:
    """The first rows that were merged into each survivor or into what was merged into it, and how
    many there are."""
    found: dict[Key, list[Duplicate]] = defaultdict(list)
    counts: Counter[Key] = Counter()
    if not any(step.merged for step in snapshot.steps.values()):
        return found, counts
    seen: set[tuple[Key, int, Key]] = set()
    # By input and row: the ordinal, the step up to which it had that ordinal, and who it became.
    wanted: dict[tuple[int, int], list[tuple[int, int, Key]]] = defaultdict(list)
    for key in survivors:
        wanted[key[:2]].append((key[2], END, key))
    while wanted:
        ahead: dict[tuple[int, int], list[tuple[int, int, Key]]] = defaultdict(list)
        for number, row, ordinal, step, rule, *into, similarity in reader.all(
            "SELECT parent_input, parent_row_id, ordinal, step, rule, survivor_input, "
            f"survivor_row_id, survivor_ordinal, similarity FROM {snapshot.table('dispositions')} "
            f"WHERE {one_of('survivor_row_id', (row for _, row in wanted))} ORDER BY ALL"
        ):
            for kept_ordinal, until, end in wanted.get((into[0], into[1]), ()):
                gone = (number, row, ordinal), step, end
                same = kept_ordinal == into[2] or snapshot.renumbered(into[0], step, until)
                if not same or gone in seen:
                    continue
                seen.add(gone)
                ahead[number, row].append((ordinal, step, end))
                origin = snapshot.inputs[number]
                counts[end] += 1
                if counts[end] > MOST_DUPLICATES:
                    continue
                found[end].append(
                    Duplicate(
                        input=origin.name,
                        row=origin.row(row),
                        number=row,
                        step=snapshot.steps[step].name,
                        rule=rule,
                        similarity=similarity,
                    )
                )
        wanted = ahead
    return found, counts


class _Generations:
    """How the candidates of a snapshot came about."""

    def __init__(
        self, reader: Reader, snapshot: OpenSnapshot, sources: dict[str, LandedSource]
    ) -> None:
        self.reader, self.snapshot, self.sources = reader, snapshot, sources

    def of(self, number: int, candidate: int) -> tuple[Generation, ...]:
        """That of a candidate, then those of the earlier ones that it was made from."""
        ((name, motive),) = self.reader.all(
            "SELECT generator, motive FROM "
            f"{self.snapshot.table('generated_inputs')} WHERE input = {number}"
        )
        found: dict[int, Generation] = {}
        waiting = [candidate]
        while waiting:
            ahead: dict[int, None] = {}
            for row, attempt, depth, of, seeds, made_from, teachers in sorted(
                self.reader.all(
                    "SELECT parent_row_id, attempt, depth, seed_input, seed_row_ids, made_from, "
                    f"teachers FROM {self.snapshot.table('generations')} "
                    f"WHERE parent_input = {number} AND {one_of('parent_row_id', waiting)}"
                )
            ):
                found[row] = Generation(
                    candidate=row,
                    generator=name,
                    motive=motive,
                    attempt=attempt,
                    depth=depth,
                    teachers=tuple(teachers),
                    seeds=tuple(self._seed(of, seed) for seed in seeds),
                    made_from=tuple(made_from),
                    calls=self._calls(number, attempt),
                )
                ahead.update(dict.fromkeys(made_from))
            waiting = [row for row in ahead if row not in found]
        return tuple(found.values())

    def _seed(self, number: int, row_id: int) -> Seed:
        origin = self.snapshot.origin(number)
        row = origin.row(row_id)
        source = None
        if row is None:
            source = _source(self.reader, self.snapshot, number, row_id, self.sources)
        return Seed(input=origin.name, row=row, source=source)

    def _calls(self, number: int, attempt: int) -> tuple[PaidCall, ...]:
        fields = list(PaidCall.model_fields)
        return tuple(
            PaidCall(**dict(zip(fields, values, strict=True)))
            for values in self.reader.all(
                f"SELECT {', '.join(fields)} FROM {self.snapshot.table('ledger')} "
                f"WHERE parent_input = {number} AND attempt = {attempt} ORDER BY rowid"
            )
        )
