"""Puts rows in a new order, on disk where they do not fit in memory."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Sequence

import duckdb
import polars as pl

from dagster_project.engine.chunk import Chunk, frame_digest
from dagster_project.identity import digest
from dagster_project.warehouse.snapshot import MEMORY_LIMIT
from dagster_project.warehouse.store import Store

ROWS = 65_536


def reorder(chunks: Sequence[Chunk], order: pl.Series, store: Store) -> list[Chunk]:
    """The chunks' rows in a new order.

    Args:
        chunks: rows in their old order.
        order: old positions, in the new order.
    """
    key = digest([[chunk.key for chunk in chunks], frame_digest(order.to_frame("order"))])
    folder = store.cache / "ordered" / key[:2] / key
    rows = order.len()
    if not folder.exists():
        positions = pl.Series(range(rows), dtype=pl.Int64)
        places = pl.DataFrame({"old": order.cast(pl.Int64), "new": positions}).sort("old")["new"]
        building = folder.with_name(f".building-{uuid.uuid4().hex}")
        building.mkdir(parents=True)
        try:
            start = 0
            for index, chunk in enumerate(chunks):
                batch = chunk.load()
                place = places[start : start + batch.height].alias("__place")
                batch.with_columns(place).write_parquet(building / f"in-{index:06}.parquet")
                start += batch.height
            config: dict[str, str | bool | int | float | list[str]] = {
                "temp_directory": str(building / "spill"),
                "memory_limit": MEMORY_LIMIT,
            }
            with duckdb.connect(config=config) as connection:
                ordered = connection.sql(
                    f"SELECT * EXCLUDE (__place) FROM read_parquet('{building}/in-*.parquet') "
                    "ORDER BY __place"
                ).to_arrow_reader(ROWS)
                for index, batch in enumerate(_even(ordered)):
                    batch.write_parquet(building / f"{index:06}.parquet")
            for path in building.glob("in-*.parquet"):
                path.unlink()
            building.rename(folder)
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def chunk_of(index: int) -> Chunk:
        path = folder / f"{index:06}.parquet"
        height = min(ROWS, rows - index * ROWS)
        return Chunk(digest([key, index]), chunks[0].input, height, lambda: pl.read_parquet(path))

    return [chunk_of(index) for index in range((rows + ROWS - 1) // ROWS)]


def _even(batches):
    """Frames of `ROWS` rows each, but the last, from record batches of any size."""
    held: list[pl.DataFrame] = []
    height = 0
    for batch in batches:
        held.append(pl.DataFrame(pl.from_arrow(batch)))
        height += held[-1].height
        while height >= ROWS:
            whole = pl.concat(held)
            yield whole[:ROWS]
            held, height = [whole[ROWS:]], height - ROWS
    if height:
        yield pl.concat(held)
