"""Cutting repeated units, such as lines or tokens, out of the texts of a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import polars as pl

from dagster_project.operators.base import CUTS_SCHEMA, Fetch, completed

PIECES = pl.Schema({"row": pl.UInt64, "first": pl.Int64, "last": pl.Int64, "other": pl.UInt64})
"""Units of a row's text that go, from the first to before the last, and the row in which they stay."""

UNITS_AT_ONCE = 2**24
"""So many units, each of about 9 bytes, are looked up at once."""


def cuts_of(
    column: str,
    pieces: pl.DataFrame,
    units: pl.DataFrame,
    bounds: Callable[[pl.Series], pl.Series],
    fetch: Fetch,
) -> pl.DataFrame:
    """The bytes to cut out so that pieces of texts go.

    Args:
        column: of the texts.
        pieces: of `PIECES`, sorted, not overlapping, and not all of a text.
        units: `row` and how many units its text has, `units`, at least of the rows of the pieces.
        bounds: gives, for texts, where their units are, as lists of
            `dagster_project.operators.kernels.text_cuts.UNITS`.
        fetch: gives the texts.

    Returns:
        Columns of `CUTS_SCHEMA`. Of the white spaces around and between units that go, one stays:
        the one with most line feeds, of which two are as good as more; the last of equals.
    """
    import numpy as np

    from dagster_project.operators.kernels.text_cuts import UNITS, cut_spans

    def units_of(schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            "units": pl.col(column).map_batches(bounds, return_dtype=UNITS, is_elementwise=True)
        }

    rows = units.filter(pl.col("row").is_in(pieces["row"].unique().implode())).sort("row")
    batches = rows.with_columns(batch=pl.col("units").cast(pl.Int64).cum_sum() // UNITS_AT_ONCE)
    frames = [pl.DataFrame(schema=CUTS_SCHEMA)]
    for batch in batches.partition_by("batch", maintain_order=True):
        numbers = batch["row"]
        found = fetch(numbers, units_of)["units"]
        here = pieces.filter(pl.col("row").is_between(numbers.min(), numbers.max()))
        piece, start, length = cut_spans(
            found,
            numbers.search_sorted(here["row"]).cast(pl.Int64).to_numpy(),
            here["first"].to_numpy(),
            here["last"].to_numpy(),
            here["other"].cast(pl.Int64).to_numpy(),
        )
        spans = here.select("row", "other")[np.asarray(piece)]
        spans = spans.with_columns(pl.lit(column).alias("column"), start=start, length=length)
        frames.append(completed(spans, CUTS_SCHEMA))
    return pl.concat(frames)
