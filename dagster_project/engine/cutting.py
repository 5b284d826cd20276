"""Cuts spans out of texts."""

from __future__ import annotations

import polars as pl


def without(texts: pl.Series, cuts: pl.DataFrame) -> pl.Series:
    """Texts without what is cut out of them.

    Args:
        texts: of String.
        cuts: `row` (UInt32, position in `texts`), `start` and `length` (UInt32, bytes of UTF-8, at
            characters' boundaries); sorted, not overlapping.

    Raises:
        PolarsError: when a cut is not at characters' boundaries.
    """
    end = pl.col("start") + pl.col("length")
    begins = end.shift(1).over("row").fill_null(0).alias("begin")
    before = cuts.select("row", begins, (pl.col("start") - begins).alias("size"))
    last = cuts.group_by("row", maintain_order=True).agg(end.last().alias("begin"))
    pieces = pl.concat([before, last.with_columns(pl.lit(2**32 - 1, pl.UInt32).alias("size"))])
    rows = cuts["row"].unique(maintain_order=True)
    touched = pl.DataFrame({"row": rows, "text": texts[rows].cast(pl.Binary)})
    left = (
        pieces.sort("row", "begin")
        .join(touched, on="row", how="left", maintain_order="left")
        .select("row", pl.col("text").bin.slice("begin", "size").cast(pl.String))
        .group_by("row", maintain_order=True)
        .agg(pl.col("text").str.join(""))
    )
    return texts.clone().scatter(left["row"], left["text"])
