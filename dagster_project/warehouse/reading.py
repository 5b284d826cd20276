"""Reading the provenance of exact snapshots, many at once, over one connection."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from typing import Any

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import (
    AddressRefused,
    RowAddress,
    SnapshotAddress,
)
from dagster_project.warehouse.connect import (
    NotPublished,
    attach,
    identifier,
    in_memory,
    no_snapshot,
)
from dagster_project.warehouse.manifest import (
    InputReference,
    Manifest,
    ManifestDamaged,
    read_head,
    read_manifest,
)
from dagster_project.warehouse.schema import FORMAT
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.verified import Verified
from dagster_project.workspace import VersionName


class SnapshotOutdated(SeedbedError):
    """A snapshot with another layout than this version of Seedbed reads."""


END = 65534
"""Later than every step."""


@dataclass(frozen=True)
class Input:
    """An input of a snapshot: an upstream snapshot (`upstream`) or a landed source (`source_id`)."""

    number: int
    name: str
    kind: str
    reference: str
    licence: str | None
    rows: int
    upstream: SnapshotAddress | None
    source_id: str | None

    @property
    def generated(self) -> bool:
        """Whether its rows were made, from seeds or from nothing."""
        return self.kind == "generated"

    def row(self, row_id: int) -> RowAddress | None:
        """The address of one of its rows; None when it is no snapshot."""
        if self.upstream is None:
            return None
        return RowAddress(self.upstream.version, self.upstream.snapshot_id, row_id)


@dataclass(frozen=True)
class Step:
    """A step of a snapshot; `input` is the name of the only input it applies to, if there is one."""

    number: int
    name: str
    operator: str
    input: str | None
    merged: int
    split: int


@dataclass(frozen=True)
class OpenSnapshot:
    """An attached snapshot, with its small tables read.

    Attributes:
        address: which.
        manifest: its manifest.
        inputs: what it was made from, by number.
        references: what its rows were compared with, by numbers beyond those of inputs.
        seeds: what its generated rows were made from, by numbers beyond those of references.
        steps: by number.
    """

    address: SnapshotAddress
    manifest: Manifest
    inputs: dict[int, Input]
    references: dict[int, Input]
    seeds: dict[int, Input]
    steps: dict[int, Step]

    def origin(self, number: int) -> Input:
        """The input, reference or seeds of a number."""
        return (self.inputs | self.references | self.seeds)[number]

    def table(self, name: str) -> str:
        """The qualified SQL name of one of its tables."""
        return f"{identifier(str(self.address))}.main.{name}"

    def steps_of(self, number: int) -> list[Step]:
        """The steps that rows of this input pass, in order."""
        name = self.inputs[number].name
        return [step for step in self.steps.values() if step.input in (None, name)]

    def renumbered(self, number: int, after: int, until: int = END) -> bool:
        """Whether a step after one and up to another split rows of this input: a row then has other
        ordinals."""
        return any(step.split and after < step.number <= until for step in self.steps_of(number))


@dataclass
class Reader:
    """Attaches snapshots on demand, verified and read-only. Use as a context manager, in one thread.

    Questions take a reader in place of a store: kept open over many of them, it saves each the time
    to open files (some 20 ms and 2 ms a snapshot).

    Args:
        store: whose snapshots.
    """

    store: Store
    _open: dict[SnapshotAddress, OpenSnapshot] = field(default_factory=dict)

    def __enter__(self) -> Reader:
        self.connection = in_memory(self.store)
        self.verified = Verified(self.store).__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self.verified.__exit__(*error)
        self.connection.close()

    def all(self, query: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """The rows of a query. (Sorting a few of them in Python is quicker than in DuckDB.)"""
        return self.connection.execute(query, list(parameters)).fetchall()

    def open(self, address: SnapshotAddress) -> OpenSnapshot:
        """The snapshot, attached under its address; the current one if no id is given.

        Raises:
            NotPublished: when the version has no current snapshot.
            SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
        """
        address = resolve(self.store, address)
        if address in self._open:
            return self._open[address]
        assert address.snapshot_id is not None
        manifest = read_manifest(self.store, address.version, address.snapshot_id)
        path = self.verified.snapshot(manifest)
        attach(self.connection, path, str(address), str(address))
        opened = OpenSnapshot(address, manifest, {}, {}, {}, {})
        ((layout,),) = self.all(
            f"SELECT value FROM {opened.table('manifest')} WHERE key = 'format'"
        )
        if layout != str(FORMAT):
            raise SnapshotOutdated(
                f"{address} was written by another version of Seedbed and cannot be read by this one; "
                f"materialize {address.version} again"
            )
        opened.inputs.update(self._inputs(opened.table("inputs"), manifest.inputs))
        compared = self._inputs(opened.table("reference_inputs"), manifest.references)
        opened.references.update(compared)
        opened.seeds.update(self._inputs(opened.table("seed_inputs"), manifest.seeds))
        for step in sorted(
            self.all(
                f"SELECT step, name, operator, input, merged, split FROM {opened.table('steps')}"
            )
        ):
            opened.steps[step[0]] = Step(*step)
        self._open[address] = opened
        return opened

    def _inputs(
        self, table: str, references: Sequence[InputReference]
    ) -> Iterator[tuple[int, Input]]:
        sources = {reference.name: reference.source_id for reference in references}
        for number, name, kind, reference, snapshot_id, licence, rows in sorted(
            self.all(
                f"SELECT input, name, kind, reference, snapshot_id, licence, row_count FROM {table}"
            )
        ):
            upstream = None
            if snapshot_id is not None:
                upstream = SnapshotAddress(VersionName.parse(reference), snapshot_id)
            yield (
                number,
                Input(number, name, kind, reference, licence, rows, upstream, sources.get(name)),
            )

    def open_row(self, address: RowAddress) -> tuple[OpenSnapshot, RowAddress]:
        """The row's snapshot, and its address with the snapshot's id.

        Raises:
            AddressRefused: when there is no such row.
        """
        snapshot = self.open(address.snapshot)
        if address.row_id >= snapshot.manifest.numbers:
            raise AddressRefused(
                f"{address}: {snapshot.address} has {snapshot.manifest.rows:,} rows, numbered from 0"
            )
        return snapshot, RowAddress(
            snapshot.address.version, snapshot.address.snapshot_id, address.row_id
        )


def row_ids(reader: Reader, snapshot: OpenSnapshot) -> Sequence[int]:
    """The ids of a snapshot's rows, rising: from 0, without those that were erased."""
    if not snapshot.manifest.erasures:
        return range(snapshot.manifest.rows)
    return [row for (row,) in reader.all(f"SELECT row_id FROM {snapshot.table('rows')} ORDER BY 1")]


def erased(reader: Reader, address: RowAddress) -> str | None:
    """When and why a row was erased; None when it was not.

    Args:
        reader: of the store.
        address: of a row, with its snapshot's id.
    """
    snapshot = reader.open(address.snapshot)
    if not snapshot.manifest.erasures:
        return None
    found = reader.all(
        f"SELECT erasure FROM {snapshot.table('erased')} WHERE row_id = {address.row_id}"
    )
    told = {note.erasure: note.told for note in snapshot.manifest.erasures}
    return told[found[0][0]] if found else None


def one_of(column: str, numbers: Iterable[int]) -> str:
    """SQL for `column` being one of some whole numbers, in a form that skips row groups."""
    wanted = sorted({int(number) for number in numbers})
    if not wanted:
        return "false"
    if len(wanted) == 1:
        return f"{column} = {wanted[0]}"
    listed = ", ".join(map(str, wanted))
    return f"({column} BETWEEN {wanted[0]} AND {wanted[-1]} AND {column} IN ({listed}))"


@contextmanager
def reading(store: Store | Reader) -> Iterator[Reader]:
    """A reader of a store, for as long as the context lasts; a reader is passed through."""
    if isinstance(store, Reader):
        yield store
    else:
        with Reader(store) as reader:
            yield reader


def resolve(store: Store, address: SnapshotAddress) -> SnapshotAddress:
    """The address with a snapshot id: the current one's if none is given.

    Raises:
        NotPublished: when there is no current snapshot.
    """
    if address.snapshot_id is not None:
        return address
    current = read_head(store, address.version).current
    if current is None:
        raise NotPublished(no_snapshot(address.version))
    return SnapshotAddress(address.version, current)


def upstreams(manifest: Manifest, *, references: bool = False) -> list[SnapshotAddress]:
    """The snapshots that a snapshot was made from; with `references`, also those it was compared
    with."""
    read = (*manifest.inputs, *manifest.seeds, *(manifest.references if references else ()))
    return sorted(
        {
            SnapshotAddress(VersionName.parse(reference.version), reference.snapshot_id)
            for reference in read
            if reference.version is not None
        }
    )


def ancestry(store: Store, address: SnapshotAddress) -> dict[SnapshotAddress, Manifest]:
    """A snapshot and all that it was made from, nearest first, each after all that it feeds.

    Raises:
        ManifestDamaged: when a manifest on the way is missing or altered.
    """
    found: dict[SnapshotAddress, Manifest] = {}
    waiting = [address]
    while waiting:
        here = waiting.pop()
        if here in found:
            continue
        assert here.snapshot_id is not None
        found[here] = read_manifest(store, here.version, here.snapshot_id)
        waiting.extend(upstreams(found[here]))
    order = TopologicalSorter({here: upstreams(found[here]) for here in found}).static_order()
    return {here: found[here] for here in reversed(list(order))}


def published(store: Store) -> Iterator[tuple[SnapshotAddress, Manifest, bool]]:
    """Every published snapshot with its manifest, and whether it is its version's current one. What
    cannot be read is left out, with a warning."""
    for name in store.versions():
        try:
            head = read_head(store, name)
            for snapshot_id in head.published:
                manifest = read_manifest(store, name, snapshot_id)
                yield SnapshotAddress(name, snapshot_id), manifest, snapshot_id == head.current
        except ManifestDamaged as error:
            warnings.warn(f"snapshots of {name} are left out: {error}", stacklevel=2)
