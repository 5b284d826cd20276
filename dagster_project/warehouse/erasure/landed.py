"""Takes the content of records out of landed sources."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping

import polars as pl

from dagster_project.warehouse.erasure.known_records import Blank
from dagster_project.warehouse.erasure.reach import by_block
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.landing import (
    LandedBlock,
    block_folder,
    land_block,
    read_source,
    source_path,
)
from dagster_project.warehouse.manifest import write_sealed
from dagster_project.warehouse.retention import DELETING
from dagster_project.warehouse.store import Store, sync_folder

Blanked = Callable[[str | None], str | None]
"""What stands in the place of an erased record's text."""


def erase_records(
    store: Store,
    records: Mapping[str, Collection[int]],
    told: str,
    instead: Blanked,
) -> None:
    """Put blocks without the content of some records in the place of those that have it. The old blocks
    stay until `delete_old_blocks`. Doing it again changes nothing.

    Args:
        store: where.
        records: the numbers of the records of each landed source.
        told: when and why they are erased.
        instead: what stands in the place of a text.
    """
    gone: defaultdict[str, set[int]] = defaultdict(set)
    blocks: dict[str, LandedBlock] = {}
    for source_id, numbers in sorted(records.items()):
        for block, inside in by_block(read_source(store, source_id), numbers):
            offsets = {number - block.first_row for number in inside} - set(block.erased)
            if offsets:
                blocks[block.key] = block
                gone[block.key] |= offsets
    written = {
        key: _without(store, blocks[key], offsets, told, instead) for key, offsets in gone.items()
    }
    failpoint("erased_blocks_landed")
    for path in sorted((store.landed / "sources").glob("*.json")):
        source = read_source(store, path.stem)
        placed = tuple(
            written.get(block.key, block).model_copy(update={"first_row": block.first_row})
            for block in source.blocks
        )
        if placed != source.blocks:
            write_sealed(
                source_path(store, source.source_id), source.model_copy(update={"blocks": placed})
            )
            failpoint("erased_source_written")


def _without(
    store: Store, block: LandedBlock, offsets: Collection[int], told: str, instead: Blanked
) -> LandedBlock:
    folder = block_folder(store, block.key)
    parsed = pl.read_parquet(folder / "parsed.parquet")
    origin = pl.read_parquet(folder / "origin.parquet")
    raw, error = origin["raw"], origin["error"]
    erased = {at: Blank(error[at] or "erased", raw[at]) for at in block.erased}
    erased |= {at: Blank(told, instead(raw[at])) for at in offsets}
    return land_block(store, block.landed_as or block.key, parsed, origin, erased)


def delete_old_blocks(store: Store, keys: Collection[str]) -> None:
    """Delete blocks, unless a source has them."""
    paths = (store.landed / "sources").glob("*.json")
    listed = {block.key for path in paths for block in read_source(store, path.stem).blocks}
    for key in sorted(set(keys) - listed):
        folder = block_folder(store, key)
        if folder.exists():
            folder.rename(folder.with_name(f"{DELETING}{key}"))
            sync_folder(folder.parent)
    for folder in (store.landed / "blocks").glob(f"*/{DELETING}*"):
        shutil.rmtree(folder)
