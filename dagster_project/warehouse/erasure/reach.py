"""What must go with some rows: the records they were made from, and every row made from those.

The text of a duplicate is (nearly) that of the row it was merged into, so each stands for the other:
from a row that is one of such a pair the search goes on to the other's records, and to what was made from
them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

import polars as pl

from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.descendants import candidates_from
from dagster_project.warehouse.erasure.known_records import said
from dagster_project.warehouse.landing import LandedBlock, LandedSource, block_folder, read_source
from dagster_project.warehouse.manifest import Manifest, read_sealed
from dagster_project.warehouse.reading import Input, OpenSnapshot, Reader, upstreams

Numbers = defaultdict[str, set[int]]


@dataclass
class Reach:
    """What an erasure reaches.

    Attributes:
        rows: of each snapshot, the ids of the rows it loses.
        records: of each landed source, the numbers of the records that lose their content.
        touched: of each snapshot that read any of it, the numbers of those rows or records by number
            of the input, reference or seeds.
        unlisted: keys of landed blocks that hold such records and belong to no source.
        alike: how many records are reached only because they were merged with others, or say the same.
    """

    rows: defaultdict[SnapshotAddress, set[int]] = field(default_factory=lambda: defaultdict(set))
    records: Numbers = field(default_factory=lambda: defaultdict(set))
    touched: dict[SnapshotAddress, dict[int, set[int]]] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    alike: int = 0

    def size(self) -> int:
        """How much it is; it only grows."""
        return sum(map(len, self.rows.values())) + sum(map(len, self.records.values()))


class ReachFinder:
    """Finds what an erasure reaches, in all snapshots of a store.

    Args:
        reader: of the store.
        manifests: of all its snapshots.
        duplicates: whether rows go that were merged with those that go.

    Raises:
        SnapshotDamaged, SnapshotOutdated, ManifestDamaged: when a snapshot or landed source cannot be
            read, so that it cannot be known what it holds.
    """

    def __init__(
        self, reader: Reader, manifests: Mapping[SnapshotAddress, Manifest], duplicates: bool = True
    ) -> None:
        self._reader, self._duplicates = reader, duplicates
        made_from = {at: upstreams(each, references=True) for at, each in manifests.items()}
        order = TopologicalSorter(made_from).static_order()
        self._snapshots = [reader.open(at) for at in order if at in manifests]
        paths = sorted((reader.store.landed / "sources").glob("*.json"))
        self.sources = {path.stem: read_source(reader.store, path.stem) for path in paths}
        self._blocks = {block.key: block for each in self.sources.values() for block in each.blocks}
        self._unlisted = [
            read_sealed(path, LandedBlock)
            for path in sorted((reader.store.landed / "blocks").glob("*/[0-9a-f]*/block.json"))
            if path.parent.name not in self._blocks
        ]
        self._compared: set[tuple[str, int]] = set()

    def reach(
        self,
        rows: Mapping[SnapshotAddress, Collection[int]],
        records: Mapping[str, Collection[int]],
    ) -> Reach:
        """What goes with some rows of snapshots, and some records of landed sources."""
        found = Reach()
        for source_id, numbers in records.items():
            found.records[source_id].update(numbers)
        self._back({at: set(ids) for at, ids in rows.items()}, found)
        own = self.distinct(found)
        before = -1
        while before != found.size():
            before = found.size()
            self._same_records(found)
            for snapshot in self._snapshots:
                self._forward(snapshot, found)
        self._drop_erased(found)
        found.alike = max(0, self.distinct(found) - own)
        return found

    def distinct(self, found: Reach) -> int:
        """How many landed records it is: sources share blocks."""
        return len(
            {
                (block.key, number - block.first_row)
                for source, numbers in found.records.items()
                for block, inside in self._by_block(source, numbers)
                for number in inside
            }
        )

    def _back(self, rows: dict[SnapshotAddress, set[int]], found: Reach) -> None:
        """To what rows were made from, up to landed records."""
        for snapshot in reversed(self._snapshots):
            new = rows.get(snapshot.address, set()) - found.rows[snapshot.address]
            if not new:
                continue
            found.rows[snapshot.address] |= new
            parents: defaultdict[int, set[int]] = defaultdict(set)
            for number, parent in self._ids(
                f"SELECT DISTINCT parent_input, parent_row_id FROM {snapshot.table('lineage')} "
                "WHERE row_id IN {ids}",
                new,
            ):
                parents[number].add(parent)
            for number, ids in list(parents.items()):
                if snapshot.origin(number).generated:
                    self._seeds(snapshot, number, ids, parents)
            for number, ids in parents.items():
                self._add(snapshot.origin(number), ids, rows, found)

    def _seeds(
        self,
        snapshot: OpenSnapshot,
        number: int,
        candidates: set[int],
        parents: defaultdict[int, set[int]],
    ) -> None:
        """Candidates that these were made from, and the seeds of all of them."""
        table = snapshot.table("generations")
        latest = candidates
        while latest:
            ahead: set[int] = set()
            for seeds, ids, made_from in self._ids(
                f"SELECT seed_input, seed_row_ids, made_from FROM {table} "
                f"WHERE parent_input = {number} AND parent_row_id IN {{ids}}",
                latest,
            ):
                ahead.update(made_from)
                if seeds is not None:
                    parents[seeds].update(ids)
            latest = ahead - candidates
            candidates |= latest

    def _add(
        self,
        origin: Input,
        ids: Collection[int],
        rows: dict[SnapshotAddress, set[int]],
        found: Reach,
    ) -> None:
        """Note parents: rows, whose own parents are still to be found, or records."""
        if origin.upstream is not None:
            rows.setdefault(origin.upstream, set()).update(ids)
        elif origin.source_id is not None:
            found.records[origin.source_id].update(ids)

    def _forward(self, snapshot: OpenSnapshot, found: Reach) -> None:
        """To the rows of a snapshot that were made from what is found already."""
        reads = snapshot.inputs | snapshot.references | snapshot.seeds
        touched: defaultdict[int, set[int]] = defaultdict(set)
        for number, origin in reads.items():
            if origin.upstream is not None:
                touched[number] |= found.rows.get(origin.upstream, set())
            elif origin.source_id is not None:
                touched[number] |= found.records.get(origin.source_id, set())
        for number in snapshot.seeds:
            for made, candidates in candidates_from(
                self._reader, snapshot, number, touched[number]
            ).items():
                touched[made] |= candidates
        for number, origin in snapshot.inputs.items():
            if origin.generated and touched[number]:
                touched[number] |= self._same_attempt(snapshot, number, touched[number])
                assert origin.source_id is not None
                found.records[origin.source_id] |= touched[number]
        children = {
            row
            for number in snapshot.inputs
            for (row,) in self._ids(
                f"SELECT DISTINCT row_id FROM {snapshot.table('lineage')} "
                f"WHERE parent_input = {number} AND parent_row_id IN {{ids}}",
                touched[number],
            )
        }
        found.rows[snapshot.address] |= children
        if self._duplicates and any(step.merged for step in snapshot.steps.values()):
            self._merged(snapshot, touched, found)
        touched = defaultdict(set, {number: ids for number, ids in touched.items() if ids})
        if touched or found.rows[snapshot.address]:
            found.touched[snapshot.address] = dict(touched)

    def _same_attempt(self, snapshot: OpenSnapshot, number: int, candidates: set[int]) -> set[int]:
        """The candidates that the same answer of a model held, or that were made from these."""
        table, known = snapshot.table("generations"), set(candidates)
        latest = known
        while latest:
            mates = self._ids(
                f"SELECT parent_row_id FROM {table} WHERE parent_input = {number} AND (attempt IN "
                f"(SELECT attempt FROM {table} WHERE parent_input = {number} "
                "AND parent_row_id IN {ids}) OR list_has_any(made_from, ?))",
                latest,
                sorted(latest),
            )
            latest = {row for (row,) in mates} - known
            known = known | latest
        return known

    def _merged(
        self, snapshot: OpenSnapshot, touched: defaultdict[int, set[int]], found: Reach
    ) -> None:
        """To what rows of a snapshot's inputs were merged into, and what was merged into them."""
        table = snapshot.table("dispositions")
        ahead: dict[SnapshotAddress, set[int]] = {}
        for number in sorted(touched):
            for mine, other in (
                (("parent_input", "parent_row_id"), ("survivor_input", "survivor_row_id")),
                (("survivor_input", "survivor_row_id"), ("parent_input", "parent_row_id")),
            ):
                for into, row in self._ids(
                    f"SELECT DISTINCT {', '.join(other)} FROM {table} WHERE disposition = 'merged' "
                    f"AND {mine[0]} = {number} AND {mine[1]} IN {{ids}}",
                    touched[number],
                ):
                    self._add(snapshot.origin(into), [row], ahead, found)
        self._back(ahead, found)

    def _same_records(self, found: Reach) -> None:
        """To the records that say exactly the same, in any landed source."""
        inside: defaultdict[str, set[int]] = defaultdict(set)
        for source_id, numbers in found.records.items():
            for block, own in self._by_block(source_id, numbers):
                inside[block.key] |= {number - block.first_row for number in own}
        new = {(key, at) for key, places in inside.items() for at in places} - self._compared
        if not new:
            return
        texts = [
            self.said(self._blocks[key]).gather(sorted(at for other, at in new if other == key))
            for key in sorted({key for key, _ in new})
        ]
        wanted = pl.concat(texts).unique()
        found.unlisted |= {
            block.key for block in self._unlisted if self.said(block).is_in(wanted.implode()).any()
        }
        same = {
            key: set(self.said(block).is_in(wanted.implode()).arg_true().to_list())
            - set(block.erased)
            for key, block in sorted(self._blocks.items())
        }
        self._compared |= {(key, at) for key, places in same.items() for at in places} | new
        for source_id, source in self.sources.items():
            for block in source.blocks:
                if same[block.key]:
                    found.records[source_id].update(block.first_row + at for at in same[block.key])

    def said(self, block: LandedBlock) -> pl.Series:
        """What each record of a landed block says."""
        folder = block_folder(self._reader.store, block.key)
        verified = self._reader.verified
        verified.require(folder / "origin.parquet", block.origin_sha256, "a landed source")
        verified.require(folder / "parsed.parquet", block.parsed_sha256, "a landed source")
        origin = pl.read_parquet(folder / "origin.parquet", columns=["raw", "raw_bytes"])
        typed = origin["raw"].null_count() + origin["raw_bytes"].null_count() > origin.height
        parsed = pl.read_parquet(folder / "parsed.parquet") if typed else pl.DataFrame()
        return said(parsed, origin)

    def _drop_erased(self, found: Reach) -> None:
        """Leave out what an earlier erasure took."""
        for source_id, numbers in found.records.items():
            for block in self.sources[source_id].blocks:
                numbers.difference_update(block.first_row + at for at in block.erased)
        for snapshot in self._snapshots:
            if snapshot.manifest.erasures and found.rows[snapshot.address]:
                gone = self._reader.all(f"SELECT row_id FROM {snapshot.table('erased')}")
                found.rows[snapshot.address].difference_update(row for (row,) in gone)

    def _by_block(
        self, source_id: str, numbers: Collection[int]
    ) -> list[tuple[LandedBlock, set[int]]]:
        return by_block(self.sources[source_id], numbers)

    def _ids(self, query: str, ids: Collection[int], *more: object) -> list[tuple]:
        """The rows of a query in which `{ids}` stands for some numbers."""
        if not ids:
            return []
        return self._reader.all(
            query.replace("{ids}", "(SELECT unnest(?::BIGINT[]))"), [sorted(ids), *more]
        )


def by_block(source: LandedSource, numbers: Collection[int]) -> list[tuple[LandedBlock, set[int]]]:
    """Numbers of records of a source by the block they are in."""
    sorted_numbers = pl.Series(sorted(numbers), dtype=pl.Int64)
    found = []
    for block in source.blocks:
        inside = sorted_numbers.filter(
            sorted_numbers.is_between(block.first_row, block.first_row + block.rows - 1)
        )
        if len(inside):
            found.append((block, set(inside.to_list())))
    return found
