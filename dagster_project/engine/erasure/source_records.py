"""Finds the records of a landed source that are to be erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import identifier, literal
from dagster_project.warehouse.landing import LandedSource, block_folder
from dagster_project.warehouse.reading import Reader

PARSED, ORIGIN = "parsed.parquet", "origin.parquet"


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
        where: a SQL condition over the columns of its records, and over `file`, `line` and `raw`, their
            text as it was found, where there is no column of that name.

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
        folder = block_folder(reader.store, block.key)
        reader.verified.require(folder / PARSED, block.parsed_sha256, f"input {name}")
        reader.verified.require(folder / ORIGIN, block.origin_sha256, f"input {name}")
        firsts[str(folder)] = block.first_row
    if not firsts:
        return set()
    try:
        columns = _columns(firsts)
        places = ", ".join(f"o.{each}" for each in ("file", "line", "raw") if each not in columns)
        fields = ", ".join([f"p.{identifier(each)}" for each in columns] + [places] * bool(places))
        found = reader.all(
            f"SELECT __block, __row FROM (SELECT o.__block, o.__row, {fields} "
            f"FROM {_read(firsts, ORIGIN)} o"
            + (f" JOIN {_read(firsts, PARSED)} p USING (__block, __row)" if columns else "")
            + f") WHERE (\n{where}\n)"
        )
    except (duckdb.Error, ValueError, TypeError) as error:
        told = str(error).split("\n\n")[0]
        raise ErasureRefused(
            f"--where {where!r} is no condition over the records of input {name}: {told}"
        ) from error
    return {firsts[block] + row for block, row in found}


def _columns(folders: Iterable[str]) -> list[str]:
    """The columns of the records that could be read, in any of the blocks."""
    schemas = (pl.read_parquet_schema(Path(folder) / PARSED) for folder in folders)
    return list(dict.fromkeys(name for schema in schemas for name in schema))


def _read(folders: Iterable[str], file: str) -> str:
    """SQL for the rows of blocks' files, with block and number."""
    paths = ", ".join(literal(str(Path(folder) / file)) for folder in folders)
    return (
        "(SELECT parse_dirpath(filename) AS __block, file_row_number AS __row, "
        "* EXCLUDE (filename, file_row_number) FROM "
        f"read_parquet([{paths}], union_by_name = true, filename = true, file_row_number = true))"
    )
