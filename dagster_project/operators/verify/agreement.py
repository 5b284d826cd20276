"""How far raters agree beyond chance, whether they are people or models.

All take *ratings*: one row for each unit that was rated, one column for each rater, NaN where a rater
gave none. Labels that are no numbers become such by `coded`. A coefficient is None where it is not
defined: with nothing rated twice, with one and the same value everywhere, where there is no chance to
be better than, or with values whose squares are beyond what a float holds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dagster_project.errors import SeedbedError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]
Coefficient = Callable[[Any], float | None]

MOST_VALUES = 2_000
"""Different values that are compared with each other; more would fill memory."""


class RatingsRefused(SeedbedError):
    """Ratings of which a coefficient cannot be computed, with what to do about it."""


class Interval(NamedTuple):
    """Bounds of what a coefficient may be."""

    low: float
    high: float


def coded(labels: Sequence[Sequence[Any]]) -> NDArray[np.float64]:
    """Labels as ratings: each label becomes a number, in sorted order; None becomes NaN.

    Args:
        labels: rows of labels of one type, as many in each.
    """
    known = sorted({label for row in labels for label in row if label is not None})
    number = {label: float(code) for code, label in enumerate(known)}
    return np.array(
        [[np.nan if label is None else number[label] for label in row] for row in labels]
    )


def cohen_kappa(ratings: NDArray[np.float64]) -> float | None:
    """Cohen's kappa of two raters, for labels without order (Cohen 1960).

    Units that only one of them rated do not count.

    Raises:
        RatingsRefused: when there are not two raters.
    """
    ratings = _table(ratings)
    if ratings.shape[1] != 2:
        raise RatingsRefused(
            f"Cohen's kappa compares two raters, but there are {ratings.shape[1]}; use Fleiss' "
            "kappa or Krippendorff's alpha"
        )
    both = ratings[~np.isnan(ratings).any(axis=1)]
    if not len(both):
        return None
    values, codes = np.unique(both, return_inverse=True)
    codes = codes.reshape(both.shape)
    shares = [np.bincount(codes[:, rater], minlength=len(values)) / len(both) for rater in (0, 1)]
    return _beyond_chance(float((both[:, 0] == both[:, 1]).mean()), float(shares[0] @ shares[1]))


def fleiss_kappa(ratings: NDArray[np.float64]) -> float | None:
    """Fleiss' kappa, for labels without order and any raters, as many for each unit (Fleiss 1971).

    Raises:
        RatingsRefused: when one unit has more ratings than another.
    """
    counts = _counts(_table(ratings))[1]
    if not counts.size:
        return None
    each = counts.sum(axis=1)
    if (each != each[0]).any():
        raise RatingsRefused(
            f"Fleiss' kappa needs as many ratings of each unit, but some have {int(each.min())} and "
            f"others {int(each.max())}; use Krippendorff's alpha"
        )
    if each[0] < 2:
        return None
    pairs = each[0] * (each[0] - 1)
    share = counts.sum(axis=0) / counts.sum()
    return _beyond_chance(
        float((((counts**2).sum(axis=1) - each) / pairs).mean()), float(share @ share)
    )


def masi_distances(sets: Sequence[Collection[Any]]) -> NDArray[np.float64]:
    """How far each two sets are apart, from 0 to 1: one less their Jaccard similarity times 1 where they
    are equal, 2/3 where one holds the other, 1/3 where they overlap, and 0 where they do not (MASI,
    Passonneau 2006, "Measuring Agreement on Set-valued Items"). Two empty sets are equal; an empty one
    and another share nothing.

    Args:
        sets: of labels.

    Returns:
        a square table, to compare ratings that are places among `sets`.
    """
    count = len(sets)
    distances = np.zeros((count, count))
    each = [frozenset(one) for one in sets]
    for one, other in combinations(range(count), 2):
        common, either = len(each[one] & each[other]), len(each[one] | each[other])
        smaller = min(len(each[one]), len(each[other]))
        weight = 1.0 if common == either else 2 / 3 if common == smaller else 1 / 3
        distances[one, other] = distances[other, one] = 1 - weight * common / either
    return distances


def krippendorff_alpha(
    ratings: NDArray[np.float64],
    level: Level = "nominal",
    distances: NDArray[np.float64] | None = None,
) -> float | None:
    """Krippendorff's alpha, for any raters, any level of measurement and missing ratings.

    One less the disagreement that is observed by that which chance would bring, from the coincidences
    of values within units (Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability"). Units that
    were rated once do not count. He asks for 0.8, and for 0.667 where conclusions are tentative.

    Args:
        ratings: units by raters.
        level: `nominal`, `ordinal` (by rank among all ratings), `interval`, or `ratio` (for values
            from 0).
        distances: in place of a level: how far apart values are that are places in this table, such as
            `masi_distances`.

    Raises:
        RatingsRefused: when there are more than 2,000 different values, or negative ones at the level
            `ratio`.
    """
    values, counts = _counts(_table(ratings))
    if len(values) > MOST_VALUES:
        raise RatingsRefused(
            f"there are {len(values):,} different ratings, and at most {MOST_VALUES:,} are compared; "
            "round them"
        )
    if level == "ratio" and len(values) and values[0] < 0:
        raise RatingsRefused(f"ratings of the level ratio are not negative, as {values[0]:g} is")
    counts = counts[counts.sum(axis=1) > 1]
    each, margins = counts.sum(axis=1), counts.sum(axis=0)
    if not len(each):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        if distances is None:
            distance = _distance(values, margins, level)
        else:
            places = values.astype(np.int64)
            distance = distances[np.ix_(places, places)]
        expected = float(margins @ distance @ margins)
        observed = float((((counts @ distance) * counts).sum(axis=1) / (each - 1)).sum())
        alpha = 1 - (float(margins.sum()) - 1) * observed / expected if expected else np.nan
    return alpha if np.isfinite(alpha) else None


def bootstrap(
    coefficient: Coefficient,
    ratings: NDArray[np.float64],
    *,
    draws: int = 1_000,
    share: float = 0.95,
    seed: int = 0,
) -> Interval | None:
    """A percentile interval of a coefficient, from units drawn again with replacement.

    Args:
        coefficient: of ratings, such as `cohen_kappa`.
        ratings: units by raters.
        draws: how often units are drawn.
        share: of the draws that lies in the interval.
        seed: of chance.

    Returns:
        None where the coefficient is not defined in any draw.
    """
    ratings = _table(ratings)
    chance = np.random.Generator(np.random.PCG64(seed))
    drawn = (
        coefficient(ratings[chance.integers(len(ratings), size=len(ratings))])
        for _ in range(draws if len(ratings) else 0)
    )
    found = [value for value in drawn if value is not None]
    if not found:
        return None
    low, high = np.quantile(found, [(1 - share) / 2, (1 + share) / 2])
    return Interval(float(low), float(high))


def _table(ratings: NDArray[np.float64]) -> NDArray[np.float64]:
    table = np.asarray(ratings, dtype=np.float64)
    if table.ndim != 2:
        raise RatingsRefused("ratings are a table of units by raters")
    return np.where(np.isinf(table), np.nan, table)


def _counts(ratings: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The different values, sorted, and how often each unit has each; units without any are left out."""
    units, _ = rated = np.nonzero(~np.isnan(ratings))
    values, codes = np.unique(ratings[rated], return_inverse=True)
    if len(values) > MOST_VALUES:
        return values, np.zeros((0, len(values)))
    counts = np.zeros((len(ratings), len(values)))
    np.add.at(counts, (units, codes), 1)
    return values, counts[counts.sum(axis=1) > 0]


def _distance(
    values: NDArray[np.float64], margins: NDArray[np.float64], level: Level
) -> NDArray[np.float64]:
    """How far apart each two values are, squared."""
    if level == "nominal":
        return 1.0 - np.eye(len(values))
    if level == "ordinal":
        values = np.cumsum(margins) - margins / 2
    difference = values[:, None] - values[None, :]
    if level == "ratio":
        total = values[:, None] + values[None, :]
        difference = np.divide(difference, total, out=np.zeros_like(total), where=total != 0)
    return difference**2


def _beyond_chance(observed: float, expected: float) -> float | None:
    return None if expected >= 1 else (observed - expected) / (1 - expected)
