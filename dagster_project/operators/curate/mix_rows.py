"""Mix sources in given shares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch, Metric, OperatorMisuse
from dagster_project.operators.curate.select_stratified import require_weights
from dagster_project.operators.curate.strata import _SelectsByShares, tempered

REPEATS = "repeats"


class MixRows(_SelectsByShares):
    """Mixes sources: selects rows of each value of a column so that the shares of rows, or of tokens, are
    those that are wanted.

    `weights` name the sources and their shares, which need not add up to 1; sources that are not named
    are dropped, by `no_share`. Without them, shares are p^(1/T) of the shares p that the sources have,
    with `temperature` T: 1 leaves them, higher ones help small sources (T5 and mT5 mix so).

    A source may be used more than once, up to its `epochs`; up to 4 are about as good as new data
    (Muennighoff et al. 2023, arXiv 2305.16264). **A row stays one row**: the new column `repeats` says
    how often it is to be used, 1 unless the source had too few. Nothing that reads the version later
    follows it of itself: `repeat_rows` makes the copies, each with an identity of its own, or a trainer
    that weights rows reads the column. Whole epochs come first, and of the last, rows at random by their
    position (SplitMix64), or the `highest` of a column.

    Without a budget the mixture is as large as shares and epochs allow. With one, a source that has too
    little, at its most epochs, leaves its room to the others, or, with `when_short: leave`, keeps its
    share of the budget free: see the metrics. The parts of a mixture are whole rows: of a budget in
    tokens, each source leaves less than a row unused.

    **An annealing slice** (Llama 3, OLMo 2: a last stretch of training on the best sources) is this step
    again, in a version of its own, with other weights and a small budget, and `highest`.

    Measures `selection_score`, what rows of a source are ordered by, and `selection_rank` within it, from
    1. Metrics, of each source: `share_planned`, `share_realised` (with repetition), `rows_selected`, and
    `epochs_used`; of all, `rows_selected`, `rows_with_repeats`, and for a budget in tokens
    `tokens_selected`, `tokens_with_repeats`.

    Example:
        - mix_rows: {by: source, weights: {web: 6, code: 3, maths: 1}, epochs: {maths: 4}, tokens:
        50000000}

    Raises:
        OperatorMisuse: when a column does not fit, there is a column `repeats` already, or no row of a
            source that is named.
    """

    by: str = Field(description="The column that names sources, or any plain values.")
    weights: dict[str, float] | None = Field(
        default=None, min_length=1, description="The weight of each source; null for `temperature`."
    )
    temperature: float | None = Field(
        default=None, ge=0.1, le=1000, description="T, without `weights`."
    )
    epochs: dict[str, float] | float = Field(
        default=1.0,
        description="How many times a row may be used, 1 to 100, or that for each source, 1 for those "
        "that are not named.",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.weights is None) == (self.temperature is None):
            raise ValueError("give `weights` or `temperature`, one of them")
        if self.weights is not None:
            require_weights("weights", self.weights)
        epochs = self.epochs.values() if isinstance(self.epochs, dict) else [self.epochs]
        if not all(1 <= each <= 100 for each in epochs):
            raise ValueError("`epochs` must be from 1 to 100")
        return self

    def reads(self) -> Sequence[str]:
        return [self.by, *([self.highest] if self.highest else []), *(self.tokens_of or ())]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        if REPEATS in schema:
            raise OperatorMisuse(
                f"{self.operator_name()}: there is a column {REPEATS!r} already; rename or drop it "
                "first with `map_columns`"
            )
        return self._stratified(schema, (self.by,))

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return super().adds(schema)[0], pl.Schema({REPEATS: pl.Int64})

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        scored = self._scored(relation)
        strata = self._strata(scored)
        if self.weights is not None:
            shares = self._given(strata, self.weights)
        else:
            sizes = strata["size"].to_numpy().astype(np.float64)
            shares = tempered(sizes, self.temperature or 1.0)
        if isinstance(self.epochs, dict):
            epochs = np.maximum(self._given(strata, self.epochs), 1.0)
        else:
            epochs = np.full(strata.height, self.epochs)
        strata = self._allotted(strata, shares, epochs)
        ranked, gone = self._by_shares(scored, strata)
        decided = self._decided(ranked, gone, strata)
        kept = ranked.filter("kept")
        metrics = [Metric("rows_with_repeats", None, int(kept["repeats"].sum()))]
        if self.tokens is not None:
            used = int((kept["repeats"] * kept["cost"]).sum())
            metrics.append(Metric("tokens_with_repeats", None, used))
        return replace(
            decided,
            columns=kept.select("row", REPEATS).sort("row"),
            metrics=[*decided.metrics, *metrics],
        )
