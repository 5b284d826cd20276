"""Single records of landed sources: what was found, in which file, on which line."""

from __future__ import annotations

from bisect import bisect_right
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.landing import LandedBlock, LandedSource, block_folder
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.verified import SnapshotDamaged, Verified

EXCERPT = 200


class Record(Answer):
    """A record as it was landed.

    Attributes:
        number: its number in the source, from 0.
        file: the file as the recipe names it.
        line: from 1; the record's number where a format has no lines.
        raw: its exact text; None where the source is typed or not UTF-8.
        raw_bytes: its bytes where they are not UTF-8.
        fields: its columns as JSON, where the source is typed.
        error: why it could not be read; None when it could.
        sha256: of the whole file as stored.
        uri: where the file was found.
        erased: whether its content was erased; `error` says when and why.
    """

    number: int
    file: str
    line: int
    raw: str | None
    raw_bytes: bytes | None
    fields: str | None
    error: str | None
    sha256: str | None
    uri: str | None
    erased: bool = False

    def excerpt(self, length: int = EXCERPT) -> str:
        """The first `length` characters of the text, on one line, for display."""
        if self.erased:
            return self.error or "erased"
        text = self.raw if self.raw is not None else self.fields or repr(self.raw_bytes)
        line = " ".join(text[: 4 * length].split())
        return line if len(line) <= length else line[: length - 1] + "…"


def read_record(verified: Verified, source: LandedSource, number: int, owner: str) -> Record:
    """One record; reads only the row group it is in.

    Args:
        verified: opens the store's files.
        source: where the record is.
        number: its number, from 0, less than `source.rows`.
        owner: a version that uses the source, for errors.

    Raises:
        SnapshotDamaged: when its block is missing or altered.
    """
    starts = [block.first_row for block in source.blocks]
    block = source.blocks[bisect_right(starts, number) - 1]
    path = origin_path(verified.store, block)
    verified.require(path, block.origin_sha256, owner)
    here = number - block.first_row
    found = pl.scan_parquet(path).slice(here, 1).collect().row(0, named=True)
    fields = None
    erased = here in block.erased
    if found["raw"] is None and found["raw_bytes"] is None and not erased:
        path = path.with_name("parsed.parquet")
        verified.require(path, block.parsed_sha256, owner)
        as_json = pl.struct(pl.all()).struct.json_encode()
        fields = pl.scan_parquet(path).slice(here, 1).select(as_json).collect().item()
    file = next((file for file in source.files if file.name == found["file"]), None)
    return Record(
        number=number,
        sha256=file.sha256 if file else None,
        uri=file.uri if file else None,
        fields=fields,
        erased=erased,
        **found,
    )


def find_records(
    verified: Verified, source: LandedSource, file: str, line: int, owner: str
) -> list[int]:
    """The numbers of the records that start on a line.

    Args:
        verified: opens the store's files.
        source: where to look.
        file: as the recipe names it.
        line: from 1.
        owner: a version that uses the source, for errors.

    Raises:
        SnapshotDamaged: when a block is missing or altered.
    """
    blocks = {str(origin_path(verified.store, block)): block for block in source.blocks}
    if not blocks:
        return []
    here = (pl.col("file") == file) & (pl.col("line") == line)
    try:
        places = pl.scan_parquet(list(blocks), include_file_paths="path").filter(here)
        paths = places.select("path").unique().collect()["path"].to_list()
    except (OSError, PolarsError) as error:
        raise SnapshotDamaged(f"a landed block of {owner} cannot be read: {error}") from error
    found: list[int] = []
    for path in paths:
        block = blocks[path]
        verified.require(Path(path), block.origin_sha256, owner)
        numbered = pl.scan_parquet(path).with_row_index("number").filter(here)
        found += [block.first_row + n for n in numbered.collect()["number"].to_list()]
    return sorted(found)


def origin_path(store: Store, block: LandedBlock) -> Path:
    """Where a block's raw records are."""
    return block_folder(store, block.key) / "origin.parquet"
