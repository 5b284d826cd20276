"""Where a row came from: hop by hop, back to the records of external inputs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from dagster_project.warehouse.address import Answer, Row, RowAddress, SnapshotAddress
from dagster_project.warehouse.landing import LandedSource, read_source
from dagster_project.warehouse.reading import END, OpenSnapshot, Reader, one_of, reading
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


class Parent(Answer):
    """An edge to what a row was made from.

    Attributes:
        relation: kept, changed, split, merged or generated.
        ordinal: which part, of a row that was split.
        input: name of the input.
        row: the parent, when it is a row of another version; it is in the trace too.
        source: the parent, when it is a record of an external input.
        steps: what the row passed on the way, in order.
        duplicates: the first rows that were merged into the parent.
        duplicate_count: how many there are.
    """

    relation: str
    ordinal: int
    input: str
    row: Row | None
    source: SourceRecord | None
    steps: tuple[PassedStep, ...]
    duplicates: tuple[Duplicate, ...]
    duplicate_count: int


class Generation(Answer):
    """How a generated row was made."""

    step: str
    depth: int
    model: str
    prompt: str
    template_hash: str | None
    sampling: str
    request_hash: str
    response: str
    tokens_in: int
    tokens_out: int
    dollars: float
    verdicts: str


class TracedRow(Answer):
    """A row on the way, with what it was made from."""

    address: Row
    hop: int
    parents: tuple[Parent, ...]
    generation: Generation | None


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
        parents = (parent for row in self.rows for parent in row.parents)
        return [parent.source for parent in parents if parent.source is not None]


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
            parents = (parent.row for row in found for parent in row.parents)
            ahead = dict.fromkeys(row for row in parents if row is not None and row not in visited)
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
    generated = [edge[0] for edge in edges if edge[4] == "generated"]
    generations = _generations(reader, snapshot, generated) if generated else {}
    parents: dict[int, list[Parent]] = defaultdict(list)
    for row_id, number, parent, ordinal, relation, changed_by in edges:
        origin = snapshot.inputs[number]
        row, source = origin.row(parent), None
        if row is None:
            source = SourceRecord(
                input=origin.name,
                kind=origin.kind,
                reference=origin.reference,
                licence=origin.licence,
                record=_record(reader, snapshot, number, parent, sources),
            )
        key = number, parent, ordinal
        parents[row_id].append(
            Parent(
                relation=relation,
                ordinal=ordinal,
                input=origin.name,
                row=row,
                source=source,
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
            generation=generations.get(row_id),
        )
        for row_id in row_ids
    ]


def _record(
    reader: Reader,
    snapshot: OpenSnapshot,
    number: int,
    record: int,
    sources: dict[str, LandedSource],
) -> Record:
    source_id = snapshot.inputs[number].source_id or ""
    if source_id not in sources:
        sources[source_id] = read_source(reader.store, source_id)
    return read_record(reader.verified, sources[source_id], record, str(snapshot.address))


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


def _generations(
    reader: Reader, snapshot: OpenSnapshot, row_ids: list[int]
) -> dict[int, Generation]:
    fields = [name for name in Generation.model_fields if name != "step"]
    return {
        row_id: Generation(step=snapshot.steps[step].name, **dict(zip(fields, values, strict=True)))
        for row_id, step, *values in reader.all(
            f"SELECT row_id, step, {', '.join(fields)} FROM {snapshot.table('generations')} "
            f"WHERE {one_of('row_id', row_ids)} ORDER BY row_id, step DESC"
        )
    }
