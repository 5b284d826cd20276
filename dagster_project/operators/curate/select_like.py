"""Select rows so that they are distributed as those of a target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import polars as pl
from pydantic import Field, PrivateAttr

from dagster_project.operators.base import Decisions, Fetch, Metric
from dagster_project.operators.curate.selection import _SelectsRows
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.reference_texts import no_words, reference_texts

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMPORTANCE = "importance"
SMOOTHING = 1e-8
"""Added to each probability, as in the authors' code."""
DIGITS = 9
"""To which scores are rounded, so that their last bits, which differ between machines, decide nothing."""


class SelectLike(_SelectsRows):
    """Selects rows as a target has them: data selection by importance resampling (DSIR; Xie et al. 2023,
    arXiv 2302.03169), inside a budget of rows or tokens.

    Words and pairs of words of each text, in lower case, fall into `buckets` by a hash. A row's
    `importance` is Σ over them of ln q − ln p, where q is how frequent the bucket is in the target, and
    p in all rows. To it a draw of Gumbel's distribution is added, and the rows with the highest sums are
    selected: that is sampling without replacement, in proportion to e^importance. With `noise: false` the
    rows of the highest importance are.

    Hashes, probabilities and smoothing (1e-8) are those of the authors' package `data-selection`, but for
    two things: p is counted on all rows instead of the first 100,000 × `buckets` tokens, and
    `min_tokens` is 0 instead of 100, as many a good answer is shorter. Importance adds up, so that long
    texts have extreme ones: of the rows alike, the longest go first.

    The target is a reference: examples of the task, or rows of the evaluation's kind. **Never the
    evaluation itself**: what is selected by it is fitted to it.

    Dropped are the others by `not_selected`, rows of more tokens than the whole budget by `over_budget`,
    and rows with fewer words than `min_tokens`, or none, by `not_measured`.

    Measures `importance`, `selection_score`, with the draw, and `selection_rank`, from 1. Metrics:
    `rows_selected`, with `tokens` `tokens_selected`, and the mean importance of a token and pair, of the
    rows `selected` and of `all`, and of those of the target's own rows (`target`).

    Example:
        - select_like: {columns: [messages], like: {examples: [messages]}, rows: 5000}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or the target says nothing.
    """

    libraries: ClassVar[tuple[str, ...]] = ("quicktok-v1", "numba", "numpy")

    compared: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages count, in columns of chat messages, here and in the target.",
    )
    like: dict[str, tuple[str, ...]] = Field(
        min_length=1,
        description="References of the recipe that are the target, with their columns.",
    )
    buckets: int = Field(default=10_000, ge=2, le=65_536, description="How many there are.")
    noise: bool = Field(default=True, description="Whether rows are drawn, or the highest taken.")
    min_tokens: int = Field(
        default=0, ge=0, description="Fewest words and marks of a row that may be selected."
    )
    seed: int = Field(default=0, ge=0, lt=2**64, description="Another seed, other draws.")

    _target: NDArray[np.int64] | None = PrivateAttr(default=None)

    def reads(self) -> Sequence[str]:
        return [*self.compared, *(self.tokens_of or ())]

    def references(self) -> Mapping[str, tuple[str, ...]]:
        return self.like

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        from dagster_project.operators.kernels.hashed_ngrams import bucket_counts, ngram_buckets

        texts = reference_texts(self, references, self.like, self.roles).str.to_lowercase()
        ready = self.model_copy()
        ready._target = bucket_counts(ngram_buckets(texts, self.buckets), self.buckets)
        if not ready._target.sum():
            raise no_words(self, self.like)
        return ready

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        kinds, data = super().adds(schema)
        return pl.Schema({**kinds, self.prefix + IMPORTANCE: pl.Float64()}), data

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        def hashed(texts: pl.Series) -> pl.Series:
            from dagster_project.operators.kernels.hashed_ngrams import ngram_buckets

            return ngram_buckets(texts, self.buckets)

        text = compared_text(self, schema, self.compared, self.roles).str.to_lowercase()
        listed = text.map_batches(hashed, return_dtype=pl.List(pl.UInt16), is_elementwise=True)
        return {"ngrams": listed, **self._cost(schema)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.hashed_ngrams import bucket_counts, summed_weights

        assert self._target is not None
        ngrams = relation["ngrams"]
        counts = bucket_counts(ngrams, self.buckets)
        weights = _log_shares(self._target) - _log_shares(counts)
        importance = summed_weights(ngrams, weights).round(DIGITS)
        score = importance + self._draws(relation["row"]) if self.noise else importance
        sizes = ngrams.list.len()
        enough = (sizes > 0) & (sizes + 1 >= 2 * self.min_tokens)
        scored = relation.select("row", "cost").with_columns(
            score.round(DIGITS).alias("score"), importance.alias(IMPORTANCE), size=sizes
        )
        scored = scored.with_columns(pl.when(enough).then(pl.col("score", IMPORTANCE)))
        decided = self._selected(scored)
        assert decided.annotations is not None
        told = decided.annotations.join(scored.select("row", IMPORTANCE), on="row", how="left")
        gone = decided.removed["row"].implode()
        kept = scored.filter(~pl.col("row").is_in(gone.cast(pl.List(scored["row"].dtype))))
        means = {
            "all": _mean(scored),
            "selected": _mean(kept),
            "target": float((self._target * weights).sum() / self._target.sum()),
        }
        metrics = [
            Metric("importance_of_an_ngram", name, round(mean, 6)) for name, mean in means.items()
        ]
        renamed = told.rename({IMPORTANCE: self.prefix + IMPORTANCE}) if self.prefix else told
        return replace(decided, annotations=renamed, metrics=[*decided.metrics, *metrics])

    def _draws(self, rows: pl.Series) -> pl.Series:
        """A draw of Gumbel's distribution for each row, by its position."""
        drawn = numbers(start(self.operator_name(), self.seed), rows).cast(pl.Float64)
        uniform = (drawn + 0.5) / 2**64
        return -((-(uniform.clip(upper_bound=1 - 2**-53).log())).log())


def _log_shares(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.log(counts / max(counts.sum(), 1) + SMOOTHING)


def _mean(scored: pl.DataFrame) -> float:
    measured = scored.filter(pl.col(IMPORTANCE).is_not_null())
    size = int(measured["size"].sum())
    return float(measured[IMPORTANCE].sum()) / size if size else 0.0
