"""Landed inputs: external rows as they were found, content-addressed and shared by snapshots.

A source is a list of blocks. A block is named by its content and place, so an input that grew lands
only its new blocks, and two recipes over one file share them all.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from dagster_project.identity import digest, file_digest
from dagster_project.warehouse.erasure.known_records import Blank, blanked
from dagster_project.warehouse.manifest import read_sealed, write_sealed
from dagster_project.warehouse.store import Store, sync_file, sync_folder

ROW_GROUP = 8192
"""Rows of a Parquet row group: what is read to show one landed record."""


class LandedBlock(BaseModel):
    """A piece of a landed source.

    Attributes:
        key: identity of its content and place.
        first_row: the number of its first record in the source.
        rows: how many records.
        unreadable: how many of them could not be read.
        parsed_sha256: of `parsed.parquet`: typed columns.
        origin_sha256: of `origin.parquet`: file, line, raw text or bytes, error.
        erased: which of its records (from 0) were erased; they count as unreadable.
        landed_as: its key before any were; empty when none was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    first_row: int = 0
    rows: int
    unreadable: int
    parsed_sha256: str
    origin_sha256: str
    erased: tuple[int, ...] = ()
    landed_as: str = ""


class LandedFile(BaseModel):
    """An external file as it was when it was read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    uri: str
    sha256: str
    size: int


class LandedSource(BaseModel):
    """An external input as it was found.

    Attributes:
        source_id: names it in the store; equal for equal blocks and files.
        content_id: identity of its records and their places.
        rows: how many records, unreadable ones too.
        blocks: in order.
        files: what was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_id: str
    content_id: str
    rows: int
    blocks: tuple[LandedBlock, ...]
    files: tuple[LandedFile, ...]


class LandedGeneration(BaseModel):
    """How the making of an input's rows ended, and where they are.

    Attributes:
        source_id: of the source that holds its candidates.
        accepted: how many passed.
        attempts: how many were made.
        stopped_by: why no more were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source_id: str
    accepted: int
    attempts: int
    stopped_by: str


def generation_path(store: Store, key: str) -> Path:
    """Where it stands how the making of what this key names ended."""
    return store.landed / "generated" / f"{key}.json"


def block_folder(store: Store, key: str) -> Path:
    """Where a block's files are."""
    return store.landed / "blocks" / key[:2] / key


def find_block(store: Store, key: str) -> LandedBlock | None:
    """The block of this key, if it was landed before. It counts as new to retention, which leaves
    alone what a running build may be about to use."""
    folder = block_folder(store, key)
    if not (folder / "block.json").exists():
        return None
    os.utime(folder)
    return read_sealed(folder / "block.json", LandedBlock)


def land_block(
    store: Store,
    key: str,
    parsed: pl.DataFrame,
    origin: pl.DataFrame,
    erased: Mapping[int, Blank] | None = None,
) -> LandedBlock:
    """Keep a block. Landing the same block twice, even at once, is harmless.

    Args:
        store: where.
        key: of its content and place.
        parsed: its typed columns.
        origin: its files, lines, texts and errors.
        erased: what stands in the place of records that must not be kept.
    """
    landed_as = ""
    if erased:
        landed_as, key = key, digest([key, "erased", sorted(erased)])
        parsed, origin = blanked(parsed, origin, erased)
        if (found := find_block(store, key)) is not None:
            return found
    folder = block_folder(store, key)
    building = folder.with_name(f".building-{uuid.uuid4().hex}")
    building.mkdir(parents=True)
    try:
        parsed.write_parquet(
            building / "parsed.parquet", compression="lz4", row_group_size=ROW_GROUP
        )
        origin.write_parquet(
            building / "origin.parquet",
            compression="zstd",
            compression_level=1,
            row_group_size=ROW_GROUP,
        )
        sync_file(building / "parsed.parquet")
        sync_file(building / "origin.parquet")
        block = LandedBlock(
            key=key,
            rows=origin.height,
            unreadable=origin.height - origin["error"].null_count(),
            parsed_sha256=file_digest(building / "parsed.parquet"),
            origin_sha256=file_digest(building / "origin.parquet"),
            erased=tuple(sorted(erased or ())),
            landed_as=landed_as,
        )
        write_sealed(building / "block.json", block)
        try:
            building.rename(folder)
        except OSError:
            if not (folder / "block.json").exists():
                raise
            return read_sealed(folder / "block.json", LandedBlock)
        sync_folder(folder.parent)
        return block
    finally:
        shutil.rmtree(building, ignore_errors=True)


def source_path(store: Store, source_id: str) -> Path:
    """Where a source's list of blocks is."""
    return store.landed / "sources" / f"{source_id}.json"


def land_source(store: Store, blocks: list[LandedBlock], files: list[LandedFile]) -> LandedSource:
    """Record which blocks, in order, make up a source."""
    placed, first_row = [], 0
    for block in blocks:
        placed.append(block.model_copy(update={"first_row": first_row}))
        first_row += block.rows
    content_id = digest([block.key for block in placed])
    source = LandedSource(
        source_id=digest([content_id, [file.model_dump() for file in files]]),
        content_id=content_id,
        rows=first_row,
        blocks=tuple(placed),
        files=tuple(files),
    )
    path = source_path(store, source.source_id)
    if not path.exists():
        write_sealed(path, source)
    return source


def read_source(store: Store, source_id: str) -> LandedSource:
    """The landed source of this id.

    Raises:
        ManifestDamaged: when it is missing or altered.
    """
    return read_sealed(source_path(store, source_id), LandedSource)
