"""Texts cut into windows that overlap."""

from __future__ import annotations

import numpy as np
import polars as pl

from dagster_project.operators.kernels.token_windows import token_bounds


def word_counts(texts: pl.Series) -> pl.Series:
    """How many words and signs each text has: runs of letters and digits, and other visible
    characters (UInt32)."""
    return token_bounds(texts).list.len()


def overlapping_windows(texts: pl.Series, size: int) -> pl.DataFrame:
    """The windows of `size` words and signs of each text that has more of them; a new one starts after
    half of one, and the last ends where the text does.

    Args:
        texts: of String, without nulls.
        size: at least 2.

    Returns:
        `text`, the position of each window's text, ascending (Int64), and `window` (String).
    """
    units = token_bounds(texts)
    flat = units.explode(empty_as_null=False).struct
    starts, ends = flat.field("start").to_numpy(), flat.field("end").to_numpy()
    lengths = units.list.len().to_numpy().astype(np.int64)
    step = size // 2
    counts = np.where(lengths > size, (lengths - size + step - 1) // step + 1, 0)
    text = np.repeat(np.arange(len(texts)), counts)
    number = np.arange(len(text)) - np.repeat(np.cumsum(counts) - counts, counts)
    first = np.minimum(number * step, lengths[text] - size)
    first += (np.cumsum(lengths) - lengths)[text]
    start, end = starts[first], ends[first + size - 1]
    window = pl.col("window").cast(pl.Binary).bin.slice(pl.Series(start), pl.Series(end - start))
    return pl.DataFrame({"text": text, "window": texts.gather(text)}).with_columns(
        window.cast(pl.String)
    )
