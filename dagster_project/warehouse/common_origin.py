"""Follows the rows of two snapshots up to where they have a common origin.

An origin is a node and a number in it. Nodes are snapshots that both sides were made from, and
groups of landed sources: sources that share blocks or files are one group, in which the same record
has the same number.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import literal
from dagster_project.warehouse.landed_origin import Group, RecordNumbers, grouped
from dagster_project.warehouse.landing import read_source
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.reading import OpenSnapshot, Reader, ancestry, upstreams

DISPOSITION_BITS = 40
"""A removed row is named by its snapshot's place in the side's `expanded`, shifted by this, plus
its position in that snapshot's `dispositions`."""

Node = SnapshotAddress | Group


@dataclass
class Side:
    """One of two snapshots that are compared.

    Attributes:
        name: "a" or "b"; prefix of its tables.
        address: the snapshot.
        family: its manifest and those of all it was made from, nearest first.
        expanded: the snapshots that were followed upward, nearest first.
        nodes: where its rows end.
    """

    name: str
    address: SnapshotAddress
    family: dict[SnapshotAddress, Manifest]
    expanded: list[SnapshotAddress] = field(default_factory=list)
    nodes: set[Node] = field(default_factory=set)

    def source_ids(self) -> set[str]:
        """The landed sources it was made from."""
        return {
            reference.source_id
            for manifest in self.family.values()
            for reference in manifest.inputs
            if reference.source_id is not None
        }


@dataclass
class CommonOrigin:
    """Makes, for each side, the temporary tables

    - `<side>_rows(id, node, origin, steps, generated)`: origins of its rows, `steps` naming the steps
      that changed the row on the way;
    - `<side>_removed(id, node, origin)`: origins of the rows that were removed on the way.

    Attributes:
        related: whether the sides have any origin in common; if not, no table is made.
        numbers: nodes by number.
    """

    reader: Reader
    a: Side
    b: Side
    related: bool = False
    numbers: dict[Node, int] = field(default_factory=dict)

    @classmethod
    def of(cls, reader: Reader, a: SnapshotAddress, b: SnapshotAddress) -> CommonOrigin:
        """Find the common origins of two snapshots, and make the tables."""
        sides = (Side("a", a, ancestry(reader.store, a)), Side("b", b, ancestry(reader.store, b)))
        common = cls(reader, *sides)
        common._find_nodes()
        if common.related:
            common._follow()
        return common

    def _find_nodes(self) -> None:
        """Decide which nodes the rows of both sides are followed to: the nearest common ones, unless
        one of them was made from another; then the former is followed on."""
        self._sources = {
            source_id: read_source(self.reader.store, source_id)
            for source_id in sorted(self.a.source_ids() | self.b.source_ids())
        }
        self._groups = grouped(self._sources)
        self._made_from = {
            at: self._parents(manifest)
            for side in (self.a, self.b)
            for at, manifest in side.family.items()
        }
        reach = [self._above(side.address) | {side.address} for side in (self.a, self.b)]
        shared: set[Node] = reach[0] & reach[1]
        self.related = bool(shared)
        passed: set[Node] = set()
        while True:
            ends = [self._ends(side, shared - passed) for side in (self.a, self.b)]
            meeting = (ends[0] | ends[1]) & shared
            above = {
                node
                for node in meeting
                if isinstance(node, SnapshotAddress) and self._above(node) & meeting
            }
            if not above:
                break
            passed |= above
        for side, nodes in zip((self.a, self.b), ends, strict=True):
            side.nodes = nodes
        ordered = sorted(ends[0] | ends[1], key=_node_order)
        self.numbers = {node: number for number, node in enumerate(ordered)}

    def _parents(self, manifest: Manifest) -> set[Node]:
        landed = (reference.source_id for reference in manifest.inputs)
        return {*upstreams(manifest), *(self._groups[s] for s in landed if s is not None)}

    def _above(self, node: Node) -> set[Node]:
        """All that a node was made from."""
        found: set[Node] = set()
        waiting = [node]
        while waiting:
            here = waiting.pop()
            if isinstance(here, SnapshotAddress):
                ahead = self._made_from[here] - found
                found |= ahead
                waiting.extend(ahead)
        return found

    def _ends(self, side: Side, stops: set[Node]) -> set[Node]:
        """Where the ways up from a side end: at stops, and where no stop is above."""
        ends: set[Node] = set()
        expanded: set[SnapshotAddress] = set()
        waiting: list[Node] = [side.address]
        while waiting:
            here = waiting.pop()
            if here in ends or here in expanded:
                continue
            fruitful = here == side.address or self._above(here) & stops
            if here in stops or not isinstance(here, SnapshotAddress) or not fruitful:
                ends.add(here)
            else:
                expanded.add(here)
                waiting.extend(self._made_from[here])
        side.expanded = [at for at in side.family if at in expanded]
        return ends

    def _follow(self) -> None:
        names = _table_names()
        records = RecordNumbers(
            self.reader,
            self._sources,
            [node for node in self.numbers if isinstance(node, frozenset)],
            self.a.source_ids(),
            self.b.source_ids(),
            str(self.a.address),
        )
        for side in (self.a, self.b):
            rows: dict[Node, list[str]] = defaultdict(list)
            removed: dict[Node, list[str]] = defaultdict(list)
            if side.address in side.nodes:
                rows_table = self.reader.open(side.address).table("rows")
                rows[side.address].append(
                    "SELECT row_id AS id, row_id AS origin, '' AS steps, false AS generated "
                    f"FROM {rows_table}"
                )
            for place, at in enumerate(side.expanded):
                snapshot = self.reader.open(at)
                for number, origin in snapshot.inputs.items():
                    source_id = origin.source_id or ""
                    parent = origin.upstream or self._groups[source_id]
                    for found, table in (
                        (rows, self._rows_up(side, snapshot, number, rows[at])),
                        (removed, self._removed_up(snapshot, number, removed[at], place)),
                    ):
                        name = next(names)
                        query = records.applied(table, source_id)
                        self.reader.all(f"CREATE TEMP TABLE {name} AS {query}")
                        found[parent].append(f"FROM {name}")
            for table, found in (("rows", rows), ("removed", removed)):
                ends = [
                    f"SELECT {self.numbers[node]}::USMALLINT AS node, * FROM ({query})"
                    for node in side.nodes
                    for query in found[node]
                ]
                none = (
                    "SELECT 0::USMALLINT AS node, 0::BIGINT AS id, 0::BIGINT AS origin, "
                    "'' AS steps, false AS generated WHERE false"
                )
                union = " UNION ALL BY NAME ".join(ends or [none])
                self.reader.all(f"CREATE TEMP TABLE {side.name}_{table} AS {union}")

    def _rows_up(self, side: Side, snapshot: OpenSnapshot, number: int, rows: list[str]) -> str:
        """A query for the parents of rows: of all of a snapshot's, or of those in `rows`."""
        lineage = f"FROM {snapshot.table('lineage')} l"
        prefix = "" if snapshot.address == side.address else f"{snapshot.address.version} "
        masks = self.reader.all(
            f"SELECT DISTINCT changed_by {lineage} WHERE parent_input = {number} ORDER BY ALL"
        )
        labels = ", ".join(
            f"({mask}::UBIGINT, {literal(_label(snapshot, number, mask, prefix))})"
            for (mask,) in masks
        )
        named = f"(VALUES {labels or '(0::UBIGINT, ' + literal('') + ')'}) m(mask, label)"
        joined = f"JOIN {named} ON m.mask = l.changed_by"
        generated = "l.relation = 'generated'"
        if snapshot.address == side.address:
            return (
                f"SELECT l.row_id AS id, l.parent_row_id AS origin, m.label AS steps, "
                f"{generated} AS generated {lineage} {joined} WHERE l.parent_input = {number}"
            )
        below = " UNION ALL ".join(rows)
        return (
            "SELECT f.id, l.parent_row_id AS origin, "
            "concat_ws(', ', nullif(m.label, ''), nullif(f.steps, '')) AS steps, "
            f"f.generated OR {generated} AS generated {lineage} {joined} "
            f"JOIN ({below}) f ON f.origin = l.row_id WHERE l.parent_input = {number}"
        )

    def _removed_up(
        self, snapshot: OpenSnapshot, number: int, removed: list[str], place: int
    ) -> str:
        """A query for what a snapshot removed, and for the parents of what was removed before."""
        own = (
            f"SELECT ({place}::BIGINT << {DISPOSITION_BITS}) + rowid AS id, parent_row_id AS origin "
            f"FROM {snapshot.table('dispositions')} WHERE parent_input = {number}"
        )
        if not removed:
            return own
        return (
            f"{own} UNION ALL SELECT f.id, l.parent_row_id AS origin "
            f"FROM {snapshot.table('lineage')} l JOIN ({' UNION ALL '.join(removed)}) f "
            f"ON f.origin = l.row_id WHERE l.parent_input = {number}"
        )


def _label(snapshot: OpenSnapshot, number: int, mask: int, prefix: str) -> str:
    steps = [step for step in snapshot.steps_of(number) if mask >> step.number & 1]
    return ", ".join(prefix + step.name for step in steps)


def _node_order(node: Node) -> tuple[int, str]:
    return (0, str(node)) if isinstance(node, SnapshotAddress) else (1, min(node))


def _table_names() -> Iterator[str]:
    return (f"step_{number}" for number in count())
