"""A random sample of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.operators.curate.splitmix64 import last_number, numbers, start


class SampleRows(RelationOperator):
    """Keeps a random sample of rows: a number of them, or a fraction.

    Each row gets a random number from the seed and its position (SplitMix64; Steele, Lea and Flood
    2014), the same on every machine. `rows` keeps those with the smallest numbers. `fraction`
    keeps those whose number, as a fraction of the largest, is below it: about that share, and each
    row's fate depends on its own position alone, so that rows appended later change nothing.

    With `by`, each value of that column (null is one) keeps its share of the sample: `fraction`
    keeps that share of each, rounded; `rows` is shared out in proportion, by largest remainder.

    Others are dropped by the rule `not_sampled`, with their number as a fraction.

    Example:
        - sample_rows: {rows: 10000, by: source, seed: 1}
    """

    rule_names = ("not_sampled",)

    rows: int | None = Field(default=None, gt=0, description="How many rows to keep, at most.")
    fraction: float | None = Field(default=None, gt=0, le=1, description="What share to keep.")
    by: str | None = Field(default=None, description="A column whose values keep their shares.")
    seed: int = Field(default=0, ge=0, lt=2**64, description="Another seed, another sample.")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.rows is None) == (self.fraction is None):
            raise ValueError("give `rows` or `fraction`, one of them")
        return self

    def reads(self) -> Sequence[str]:
        return [] if self.by is None else [self.by]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"stratum": pl.lit(0) if self.by is None else pl.col(self.by)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        drawn = relation.with_columns(
            numbers(start("sample_rows", self.seed), relation["row"]).alias("number")
        )
        if self.fraction is not None and self.by is None:
            drawn = drawn.with_columns(pl.lit(last_number(self.fraction), pl.UInt64).alias("last"))
        else:
            last = self._last_of_each_stratum(drawn)
            drawn = drawn.join(last, on="stratum", nulls_equal=True, maintain_order="left")
        kept = (pl.col("number") <= pl.col("last")).fill_null(False)
        gone = drawn.filter(~kept).with_columns(
            _fraction("number").alias("measured"),
            pl.concat_str(pl.lit("<= "), _fraction("last")).fill_null("none").alias("threshold"),
        )
        frame = removed(gone["row"], "dropped", "not_sampled", measured=gone["measured"])
        return Decisions(frame.with_columns(gone["threshold"]))

    def _last_of_each_stratum(self, drawn: pl.DataFrame) -> pl.DataFrame:
        """By stratum, the largest number that is kept; null where none is."""
        number, size = pl.col("number"), pl.col("size")
        strata = drawn.group_by("stratum", maintain_order=True).agg(
            number.sort(), number.len().cast(pl.Int64).alias("size")
        )
        if self.fraction is not None:
            quota = (size * self.fraction + 0.5).floor()
        else:
            total, all_rows = min(self.rows or 0, drawn.height), max(drawn.height, 1)
            share, remainder = size * total // all_rows, size * total % all_rows
            left = total - share.sum()
            quota = share + (remainder.rank("ordinal", descending=True) <= left)
        place = quota.cast(pl.Int64) - 1
        last = pl.when(place >= 0).then(number.list.get(place, null_on_oob=True))
        return strata.select("stratum", last.alias("last"))


def _fraction(column: str) -> pl.Expr:
    """A 64-bit number as a fraction of the largest, as text."""
    return (pl.col(column).cast(pl.Float64) / 2**64).cast(pl.String)
