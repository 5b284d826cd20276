"""Who stands where: mean scores, and differences to a baseline with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import polars as pl

RESAMPLES = 2000
LEVEL = 0.95
NORMAL = 1.96
T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Of Student's distribution, what 95 % lie within, with 1 to 10 degrees of freedom."""

STANDING = pl.Schema(
    {
        "model": pl.String,
        "budget": pl.String,
        "amount": pl.Int64,
        "contestant": pl.String,
        "drawn": pl.String,
        "rows": pl.Float64,
        "tokens": pl.Float64,
        "score": pl.Float64,
        "difference": pl.Float64,
        "low": pl.Float64,
        "high": pl.Float64,
        "verdict": pl.String,
    }
)


def standing(results: pl.DataFrame, against: str) -> pl.DataFrame:
    """Contestants by model and budget, best first, each with its difference to one of them.

    A difference is paired: of the same held-out rows, over all pairs of draws. Its interval is that of
    a bootstrap over held-out rows and, where rows are drawn at random, over draws (95 %, percentile).
    Of scores that stand for a whole evaluation it is Student's, by how they vary over trainings and by
    their standard errors; where neither is known, it has no ends.

    Args:
        results: `RESULTS` of a contest.
        against: the contestant that others are compared with.

    Returns:
        `STANDING`; `verdict` is better, worse, or `no difference` where the interval holds 0, or
        `unknown` where it has no ends.
    """
    found = []
    order = ["model", "budget", "amount"]
    for (model, budget, amount), group in results.group_by(order, maintain_order=True):
        scores = {
            str(name): _matrix(own)
            for (name,), own in group.group_by("contestant", maintain_order=True)
        }
        errors = dict(group.group_by("contestant").agg(pl.col("standard_error").mean()).iter_rows())
        base = scores.get(against)
        for (name,), own in group.group_by("contestant", maintain_order=True):
            matrix = scores[str(name)]
            difference = low = high = None
            verdict = "baseline" if name == against else None
            if base is not None and name != against:
                difference = float(matrix.mean() - base.mean())
                if matrix.shape[1] == base.shape[1] == 1:
                    half = _half(matrix[:, 0], base[:, 0], [errors[name], errors[against]])
                    low, high = difference - half, difference + half
                else:
                    low, high = _interval(matrix, base)
                verdict = "better" if low > 0 else "worse" if high < 0 else "no difference"
                if high == math.inf:
                    verdict = "unknown"
            found.append(
                (
                    model, budget, amount, name, own["drawn"][0], own["rows"].mean(),
                    own["tokens"].mean(), float(matrix.mean()), difference, low, high, verdict,
                )
            )  # fmt: skip
    frame = pl.DataFrame(found, schema=STANDING, orient="row")
    return frame.sort([*order, "score"], descending=[False, False, False, True])


def _matrix(own: pl.DataFrame) -> np.ndarray:
    """Scores by draw and held-out row."""
    return own.sort("seed", "item")["score"].to_numpy().reshape(own["seed"].n_unique(), -1)


def _half(one: np.ndarray, other: np.ndarray, errors: Sequence[float | None]) -> float:
    """Half the interval of a difference of means over trainings, whose variances are taken as equal."""
    free = len(one) + len(other) - 2
    known = [error for error in errors if error is not None]
    if not free and len(known) < len(errors):
        return math.inf
    varies = 0.0
    if free:
        squares = sum(float(((each - each.mean()) ** 2).sum()) for each in (one, other))
        varies = squares / free * (1 / len(one) + 1 / len(other))
        varies *= (T[free - 1] if free <= len(T) else NORMAL + 2.5 / free) ** 2
    return math.sqrt(varies + NORMAL**2 * sum(error**2 for error in known))


def _interval(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    draw = np.random.Generator(np.random.PCG64(0))
    items = one.shape[1]
    means = np.empty(RESAMPLES)
    for at in range(RESAMPLES):
        chosen = draw.integers(0, items, items)
        rows = [part[draw.integers(0, len(part), len(part))].mean(axis=0) for part in (one, other)]
        means[at] = (rows[0] - rows[1])[chosen].mean()
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
