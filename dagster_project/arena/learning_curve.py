"""What more rows of the same kind would buy, told from scores at several sizes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dagster_project.errors import SeedbedError

FEWEST_SIZES = 4
FEWEST_SEEDS = 3
FARTHEST = 2.0
"""So many times the largest size is as far as a curve is drawn on: beyond, families that fit equally well
say different things."""
RESAMPLES = 500
EXPONENTS = np.linspace(0.05, 2.0, 40)


class NoCurve(SeedbedError):
    """Scores from which nothing can be told about more rows, and why."""


@dataclass(frozen=True)
class Fit:
    """A family of curves, fitted.

    Attributes:
        family: its name.
        error: root of the mean squared difference to the mean scores.
        at: its score at a number of rows.
    """

    family: str
    error: float
    at: Callable[[float], float]


@dataclass(frozen=True)
class Gain:
    """What more rows would buy.

    Attributes:
        model: whose score it is.
        contestant: whose rows.
        rows: the largest number that was tried.
        more: how many more.
        gain: in score, by the family that fits best.
        low, high: between which it lies (95 %): over families, held-out rows and draws.
        families: the gain and the error of each family, best first.
    """

    model: str
    contestant: str
    rows: int
    more: int
    gain: float
    low: float
    high: float
    families: tuple[tuple[str, float, float], ...]

    def __str__(self) -> str:
        half = (self.high - self.low) / 2
        worth = "; that is no more than chance" if self.low <= 0 <= self.high else ""
        return (
            f"{self.more:,} more rows like those of {self.contestant}, beyond {self.rows:,}, buy about "
            f"{self.gain:+.4f} ± {half:.4f} {UNITS.get(self.model, 'in score')}{worth}"
        )


UNITS = {
    "language_model": "nats for each token of an answer",
    "embedding_map": "in cosine to the answer",
    "lora": "nats for each token of an answer",
}


def gain(results: pl.DataFrame, model: str, contestant: str, more: int) -> Gain:
    """What so many more rows of a contestant would buy.

    Three families are fitted by least squares to the mean score at each size: a power law
    `a − b·n^−c` (Hestness et al. 2017; for finetuning Zhang et al. 2024, arXiv 2402.17193), a logarithm
    `a + b·ln n`, and `a − b/(n + c)`, an algebraic root (after Mahmood et al. 2022, arXiv 2207.01725, who
    find that such curves promise too much). The interval covers what each of them says of resampled
    held-out rows and draws.

    Args:
        results: `RESULTS` of a contest with several budgets of rows.
        model: whose scores.
        contestant: whose rows.
        more: how many more than the largest size.

    Raises:
        NoCurve: with fewer than 4 sizes or 3 draws, or farther than twice the largest size.
    """
    own = results.filter(
        (pl.col("model") == model)
        & (pl.col("contestant") == contestant)
        & (pl.col("budget") == "rows")
        & (pl.col("rows") == pl.col("amount"))
    )
    sizes = np.array(own["amount"].unique().sort().to_list(), np.float64)
    seeds = own["seed"].n_unique()
    if len(sizes) < FEWEST_SIZES or seeds < FEWEST_SEEDS:
        raise NoCurve(
            f"{contestant}: {len(sizes)} sizes with {seeds} draws each; {FEWEST_SIZES} sizes that it has "
            f"rows for, and {FEWEST_SEEDS} draws, are needed: give the contest more `budgets` and `seeds`"
        )
    largest = float(sizes[-1])
    if largest + more > FARTHEST * largest:
        raise NoCurve(
            f"{more:,} more than {largest:,.0f} rows is farther than can be told; at most "
            f"{(FARTHEST - 1) * largest:,.0f}"
        )
    scores = np.stack(
        [
            group.sort("seed", "item")["score"].to_numpy().reshape(seeds, -1)
            for _, group in own.sort("amount").group_by("amount", maintain_order=True)
        ]
    )
    fits = _fits(sizes, scores.mean(axis=(1, 2)))
    buys = [
        (fit.family, float(fit.at(largest + more) - fit.at(largest)), fit.error) for fit in fits
    ]
    draw = np.random.Generator(np.random.PCG64(0))
    drawn = []
    for _ in range(RESAMPLES):
        items = draw.integers(0, scores.shape[2], scores.shape[2])
        chosen = draw.integers(0, seeds, seeds)
        means = scores[:, chosen][:, :, items].mean(axis=(1, 2))
        again = _fits(sizes, means)
        drawn += [fit.at(largest + more) - fit.at(largest) for fit in again]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Gain(
        model, contestant, int(largest), more, buys[0][1], float(low), float(high), tuple(buys)
    )


def _fits(sizes: np.ndarray, means: np.ndarray) -> list[Fit]:
    """The families, best first."""
    power = [(_line(-(sizes**-c), means), c) for c in EXPONENTS]
    (a, b, error), c = min(power, key=lambda found: found[0][2])
    found = [Fit("power law", error, lambda n, a=a, b=b, c=c: a - b * n**-c)]
    a, b, error = _line(np.log(sizes), means)
    found.append(Fit("logarithm", error, lambda n, a=a, b=b: a + b * np.log(n)))
    roots = [(_line(-1 / (sizes + k), means), k) for k in np.geomspace(1, 10 * sizes[-1], 40)]
    (a, b, error), k = min(roots, key=lambda found: found[0][2])
    found.append(Fit("algebraic root", error, lambda n, a=a, b=b, k=k: a - b / (n + k)))
    return sorted(found, key=lambda fit: fit.error)


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float]:
    """Intercept and slope of the line of least squares, and its error."""
    slope = float(((x - x.mean()) * (y - y.mean())).sum() / ((x - x.mean()) ** 2).sum())
    start = float(y.mean() - slope * x.mean())
    return start, slope, float(np.sqrt(((start + slope * x - y) ** 2).mean()))
