"""Keeps what is held out away from what is trained on."""

from __future__ import annotations

import polars as pl

WINDOW = 5
"""Words of a window."""
SHARE = 0.5
"""A row that has so great a share of an answer's windows has the answer."""
FEWEST = 3
"""Windows that an answer must have to be told by them."""


def without_held_out(rows: pl.DataFrame, held_out: pl.DataFrame) -> pl.DataFrame:
    """Pairs that give no answer of the evaluation away: neither its prompt, nor half of the five-word
    windows of its answer, nor the whole answer where that is too short for windows.

    Args:
        rows: `prompt` and `answer` to train on.
        held_out: `prompt` and `answer` of the evaluation.
    """
    prompts = held_out.filter(pl.col("prompt") != "").select("prompt")
    rows = rows.join(prompts, on="prompt", how="anti", maintain_order="left").with_row_index("row")
    wanted = _windows(held_out.with_row_index("item"), "item")
    sizes = wanted.group_by("item").len("size").filter(pl.col("size") >= FEWEST)
    told = wanted.join(sizes, on="item")
    found = (
        _windows(rows, "row")
        .join(told, on="window")
        .group_by("row", "item")
        .agg(pl.len().alias("both"), pl.col("size").first())
        .filter(pl.col("both") >= SHARE * pl.col("size"))
    )
    short = held_out.with_row_index("item").join(sizes, on="item", how="anti").select("answer")
    kept = rows.join(found, on="row", how="anti", maintain_order="left")
    return kept.join(short, on="answer", how="anti", maintain_order="left").drop("row")


def _windows(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    """The different windows of each answer, as hashes."""
    words = pl.col("answer").str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")
    window = pl.concat_str(
        [pl.element().shift(-at) for at in range(WINDOW)], separator=" "
    ).drop_nulls()
    listed = rows.select(name, words.list.eval(window).alias("window")).explode("window")
    return listed.drop_nulls().with_columns(pl.col("window").hash()).unique()
