"""Finds the records of a landed source that are to be erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import duckdb

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import literal
from dagster_project.warehouse.landing import LandedSource, block_folder
from dagster_project.warehouse.reading import Reader


class ErasureRefused(SeedbedError):
    """An erasure that cannot be planned or carried out."""


def records_meeting(
    reader: Reader,
    sources: Mapping[str, LandedSource],
    snapshots: Sequence[SnapshotAddress],
    name: str,
    where: str,
) -> dict[str, set[int]]:
    """The numbers of the records that meet a condition, by landed source.

    Args:
        reader: of the store.
        sources: all landed sources, by id.
        snapshots: whose input it is.
        name: of the input.
        where: a SQL condition over the columns of its records.

    Raises:
        ErasureRefused: when no snapshot has such an external input, or the condition cannot be read.
        SnapshotDamaged: when a landed file is not as it was written.
    """
    landed: set[str] = set()
    known: set[str] = set()
    for at in snapshots:
        for origin in reader.open(at).inputs.values():
            if origin.source_id is not None:
                known.add(origin.name)
                landed |= {origin.source_id} if origin.name == name else set()
    if not landed:
        has = f"it has {', '.join(sorted(known))}" if known else "it has none"
        raise ErasureRefused(f"{snapshots[0].version} has no external input {name!r}: {has}")
    return {
        source_id: _meeting(reader, sources[source_id], name, where) for source_id in sorted(landed)
    }


def _meeting(reader: Reader, source: LandedSource, name: str, where: str) -> set[int]:
    firsts: dict[str, int] = {}
    for block in source.blocks:
        path = block_folder(reader.store, block.key) / "parsed.parquet"
        reader.verified.require(path, block.parsed_sha256, f"input {name}")
        firsts[str(path)] = block.first_row
    paths = ", ".join(map(literal, firsts))
    if not paths:
        return set()
    try:
        found = reader.all(
            f"SELECT filename, file_row_number FROM read_parquet([{paths}], union_by_name = true, "
            f"filename = true, file_row_number = true) WHERE (\n{where}\n)"
        )
    except (duckdb.Error, ValueError, TypeError) as error:
        told = str(error).split("\n\n")[0]
        raise ErasureRefused(
            f"--where {where!r} is no condition over the records of input {name}: {told}"
        ) from error
    return {firsts[path] + row for path, row in found}
