"""Scores by slice of the held-out rows: where a contestant is weak."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

from dagster_project.warehouse.address import Answer

FEWEST = 8
"""Held-out rows of a slice, and outside of it, from which on its score is told."""
RESAMPLES = 1000


class Slice(Answer):
    """Held-out rows that have a value, as a contestant scores on them.

    Attributes:
        model: whose score it is.
        axis, value: which rows.
        items: how many.
        score: mean of theirs.
        rest: mean of the others'.
        low, high: of the difference between the two (95 %, bootstrap over rows).
        loss: what the mean of all rows would gain if the slice were as good as the rest; less than 0
            where it is better.
    """

    model: str
    axis: str
    value: str
    items: int
    score: float
    rest: float
    low: float
    high: float
    loss: float

    @property
    def is_weak(self) -> bool:
        """Whether it is worse than the rest by more than chance."""
        return self.high < 0


def slices(scores: pl.DataFrame, placed: pl.DataFrame) -> list[Slice]:
    """A contestant's scores by slice, what costs most first.

    Args:
        scores: `model`, `item`, `score`, one row for each of both.
        placed: `item`, and its value on each axis, null where it has none.
    """
    told = [
        found
        for (model,), own in scores.group_by("model", maintain_order=True)
        for axis in placed.columns[1:]
        for found in _of_axis(str(model), axis, own.join(placed.select("item", axis), on="item"))
    ]
    return sorted(told, key=lambda each: -each.loss)


def _of_axis(model: str, axis: str, scores: pl.DataFrame) -> Iterator[Slice]:
    draw = np.random.Generator(np.random.PCG64(0))
    all_scores, values = scores["score"].to_numpy(), scores[axis]
    for value in values.drop_nulls().unique().sort():
        inside = (values == value).fill_null(False).to_numpy()
        own, others = all_scores[inside], all_scores[~inside]
        if min(len(own), len(others)) < FEWEST:
            continue
        apart = [
            own[draw.integers(0, len(own), len(own))].mean()
            - others[draw.integers(0, len(others), len(others))].mean()
            for _ in range(RESAMPLES)
        ]
        low, high = np.quantile(apart, [0.025, 0.975])
        score, rest = float(own.mean()), float(others.mean())
        yield Slice(
            model=model,
            axis=axis,
            value=value,
            items=len(own),
            score=score,
            rest=rest,
            low=float(low),
            high=float(high),
            loss=(rest - score) * len(own) / len(all_scores),
        )
