"""Numbers the records of landed sources so that the same record has the same number in each.

A source that grew shares its first blocks with what it was before; one that was edited shares none
of the blocks around the edit, but most of its records still say the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import polars as pl

from dagster_project.warehouse.connect import identifier, literal
from dagster_project.warehouse.landing import LandedBlock, LandedSource, block_folder
from dagster_project.warehouse.reading import Reader
from dagster_project.warehouse.records import origin_path

Group = frozenset[str]
"""Ids of landed sources whose records are numbered together."""


def grouped(sources: Mapping[str, LandedSource]) -> dict[str, Group]:
    """For each source, the sources it shares blocks or file names with, itself included."""
    together: dict[str, set[str]] = {source_id: {source_id} for source_id in sources}
    holder: dict[tuple[str, str], str] = {}
    for source_id, source in sources.items():
        shared = [("block", block.key) for block in source.blocks]
        shared += [("file", file.name) for file in source.files]
        for mark in shared:
            other = holder.setdefault(mark, source_id)
            if together[other] is not together[source_id]:
                together[other] |= together[source_id]
                for member in together[other]:
                    together[member] = together[other]
    return {source_id: frozenset(members) for source_id, members in together.items()}


class RecordNumbers:
    """Numbers of records within groups, as temporary tables. A source that is alone in its group
    keeps its own numbers.

    Args:
        reader: makes the tables.
        sources: the landed sources by id.
        groups: which to number.
        a: the sources of one side; the other's records take the numbers of this one's where they
            say the same.
        owner: a version that uses the sources, for errors.

    Raises:
        SnapshotDamaged: when a block is not as it was written.
    """

    def __init__(
        self,
        reader: Reader,
        sources: Mapping[str, LandedSource],
        groups: Iterable[Group],
        a: set[str],
        b: set[str],
        owner: str,
    ) -> None:
        self._reader, self._sources, self._owner = reader, sources, owner
        self._tables: dict[str, tuple[str, str]] = {}
        for index, group in enumerate(sorted(groups, key=sorted)):
            if len(group) > 1:
                self._number(index, sorted(group), a, b)

    def applied(self, query: str, source_id: str) -> str:
        """The query, its `origin` (a record's number in the source) replaced by that in the group."""
        if source_id not in self._tables:
            return query
        places, same = self._tables[source_id]
        return (
            "SELECT p.* REPLACE (coalesce(e.same, p.origin) AS origin) FROM ("
            "SELECT q.* REPLACE (q.origin - s.first_row + s.start AS origin) "
            f"FROM ({query}) q ASOF JOIN {places} s ON q.origin >= s.first_row) p "
            f"LEFT JOIN {same} e ON e.number = p.origin"
        )

    def _number(self, index: int, group: list[str], a: set[str], b: set[str]) -> None:
        starts: dict[str, int] = {}
        blocks: dict[str, LandedBlock] = {}
        following = 0
        for source_id in group:
            for block in self._sources[source_id].blocks:
                if block.key not in starts:
                    starts[block.key], blocks[block.key] = following, block
                    following += block.rows
        keys_a, keys_b = (
            {
                block.key
                for source in group
                if source in side
                for block in self._sources[source].blocks
            }
            for side in (a, b)
        )
        same = f"same_{index}"
        tables = f"texts_{index}_a", f"texts_{index}_b"
        only_a, only_b = keys_a - keys_b, keys_b - keys_a
        for table, keys in zip(tables, (only_a, only_b), strict=True):
            self._create(table, pl.DataFrame(schema={"number": pl.Int64, "text": pl.String}))
            for key in sorted(keys) if only_a and only_b else ():
                self._say(table, blocks[key], starts[key])
        ranked = "SELECT *, row_number() OVER (PARTITION BY text ORDER BY number) AS nth FROM"
        self._reader.all(
            f"CREATE TEMP TABLE {same} AS SELECT b.number, a.number AS same "
            f"FROM ({ranked} {tables[0]}) a JOIN ({ranked} {tables[1]}) b USING (text, nth)"
        )
        for position, source_id in enumerate(group):
            places = f"places_{index}_{position}"
            rows = [(b.first_row, starts[b.key]) for b in self._sources[source_id].blocks]
            schema = {"first_row": pl.Int64, "start": pl.Int64}
            self._create(places, pl.DataFrame(rows, schema=schema, orient="row"))
            self._tables[source_id] = places, same

    def _say(self, table: str, block: LandedBlock, start: int) -> None:
        """Add the records of a block to a table: number, and a hash of what each says."""
        path = origin_path(self._reader.store, block)
        self._reader.verified.require(path, block.origin_sha256, self._owner)
        said = "coalesce(raw, to_base64(raw_bytes))"
        if pl.scan_parquet(path).select(pl.col("raw").count()).collect().item() == 0:
            path = block_folder(self._reader.store, block.key) / "parsed.parquet"
            self._reader.verified.require(path, block.parsed_sha256, self._owner)
            names = pl.read_parquet_schema(path)
            fields = ", ".join(f"{literal(name)}: {identifier(name)}" for name in names)
            said = f"to_json({{{fields}}})::VARCHAR"
        self._reader.all(
            f"INSERT INTO {table} SELECT {start} + file_row_number, md5({said}) "
            f"FROM read_parquet({literal(str(path))}, file_row_number = true)"
        )

    def _create(self, table: str, frame: pl.DataFrame) -> None:
        self._reader.connection.register("incoming", frame.to_arrow())
        self._reader.all(f"CREATE TEMP TABLE {table} AS FROM incoming")
        self._reader.connection.unregister("incoming")
