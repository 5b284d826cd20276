"""Vectors of which few are alike: farthest first, and in an order without those like an earlier one.

Vectors are those of `vector_leaders`, of whole numbers whose products are exact in float32, so that what
is taken depends neither on threads nor on how rows are cut into blocks. Similarities are cosines, rounded
to whole parts of `PARTS`; equals are taken in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numba
import numpy as np

from dagster_project.operators.kernels.shingles import compiled
from dagster_project.operators.kernels.vector_leaders import LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = 1_000_000
_ROWS, _OTHERS = 2048, 2048
"""Rows that are compared at once, and with how many."""
_POOL = 2048
"""Rows among which the next are looked for."""


def quantised(vectors: NDArray[np.floating]) -> NDArray[np.int16]:
    """Vectors of any length as whole numbers, of nearly the same length each.

    It is `vector_leaders.LENGTH`, and less above 1,000 dimensions, so that products stay exact.

    Args:
        vectors: finite, and none of zeros only; shape (vectors, dimensions).
    """
    wide = vectors.astype(np.float64)
    wide /= np.abs(wide).max(axis=1, keepdims=True, initial=0)
    wide /= np.sqrt(np.square(wide).sum(axis=1, keepdims=True))
    length = min(LENGTH, 4095 - np.sqrt(vectors.shape[1]) / 2)
    return np.rint(wide * length).astype(np.int16)


def scales_of(vectors: NDArray[np.int16]) -> NDArray[np.float64]:
    """1 divided by the length of each."""
    return 1 / np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64))


def similarity_to_mean(vectors: NDArray[np.int16]) -> NDArray[np.float64]:
    """How alike each is to the mean of all, up to a factor."""
    mean = vectors.sum(axis=0, dtype=np.int64).astype(np.float64)
    parts = [vectors[at : at + _ROWS] @ mean for at in range(0, len(vectors), _ROWS)]
    return np.concatenate([*parts, mean[:0]]) * scales_of(vectors)


class Nearest:
    """How alike rows are to the nearest of those that were selected, as these are added.

    Args:
        vectors: of all rows, among them those selected.
        selected: the first of these.
    """

    def __init__(self, vectors: NDArray[np.int16], selected: NDArray[np.int64]) -> None:
        self._vectors = vectors
        self._scales = scales_of(vectors)
        self._best = np.full(len(vectors), -np.inf)
        self._which = np.full(len(vectors), -1, np.int64)
        self.add(selected)

    @property
    def similarity(self) -> NDArray[np.float64]:
        """Minus infinity where none was selected."""
        return _rounded(self._best * self._scales)

    def add(self, selected: NDArray[np.int64]) -> None:
        """Add rows to those selected."""
        for first in range(0, len(selected), _OTHERS):
            others = selected[first : first + _OTHERS]
            columns = self._vectors[others].astype(np.float32).T
            for start in range(0, len(self._vectors), _ROWS):
                products = self._vectors[start : start + _ROWS].astype(np.float32) @ columns
                here = slice(start, start + _ROWS)
                _raise(products, self._scales[others], others, self._best[here], self._which[here])


def similarity_before(
    vectors: NDArray[np.int16], selected: NDArray[np.int64]
) -> NDArray[np.float64]:
    """How alike each of the selected is to the nearest selected before it; nothing to the first."""
    scales = scales_of(vectors[selected])
    best, which = np.full(len(selected), -np.inf), np.full(len(selected), -1, np.int64)
    for start in range(0, len(selected), _ROWS):
        here = slice(start, start + _ROWS)
        block = vectors[selected[here]].astype(np.float32)
        for first in range(0, start + 1, _OTHERS):
            others = vectors[selected[first : first + _OTHERS]].astype(np.float32)
            products = block @ others.T
            if first == start:
                products[np.triu_indices_from(products)] = -np.inf
            numbers = np.arange(first, first + len(others))
            _raise(products, scales[numbers], numbers, best[here], which[here])
    similarity = _rounded(best * scales)
    return np.where(np.isfinite(similarity), similarity, np.nan)


class Taken(NamedTuple):
    """Rows in the order in which they were taken.

    Attributes:
        rows: their numbers.
        gains: what each was worth when it was taken; NaN for the first, if that was given.
        left: what every row would be worth as the next.
    """

    rows: NDArray[np.int64]
    gains: NDArray[np.float64]
    left: NDArray[np.float64]


def farthest_first(
    vectors: NDArray[np.int16],
    weights: NDArray[np.float64],
    first: int,
    costs: NDArray[np.int64],
    budget: int,
) -> tuple[Taken, Nearest]:
    """Take again and again the row with the highest weight × (1 − similarity to the nearest taken).

    What a row is worth only ever falls. So the next ones are looked for among the rows that were worth
    most when all were last compared with those taken, until one of these is worth less than the best of
    the others was: the result is that of comparing all rows after each.

    Args:
        vectors: whole numbers.
        weights: not negative; those of rows that are not to be taken are NaN.
        first: the row that is taken first.
        costs: what each takes of the budget, at most all of it.
        budget: the first row that does not fit ends it.

    Returns:
        What was taken, and how alike all rows are to it.
    """
    nearest = Nearest(vectors, np.array([first]))
    scales = scales_of(vectors)
    rows, gains = [np.array([first])], [np.array([np.nan])]
    is_open = ~np.isnan(weights)
    is_open[first] = False
    budget, full = budget - int(costs[first]), False
    while True:
        worth = np.where(is_open, weights * (1 - nearest.similarity), -1.0)
        if full or not is_open.any():
            break
        order = np.argsort(-worth, kind="stable")
        pool, beyond = order[:_POOL], order[_POOL : _POOL + 1]
        pool = pool[is_open[pool]]
        bound, bound_row = (worth[beyond[0]], beyond[0]) if len(beyond) else (-1.0, -1)
        block = vectors[pool].astype(np.float32)
        places, gained, budget, full = _take(
            block @ block.T,
            scales[pool],
            pool,
            nearest.similarity[pool],
            weights[pool],
            costs[pool],
            budget,
            bound,
            bound_row,
        )
        nearest.add(pool[places])
        is_open[pool[places]] = False
        rows.append(pool[places])
        gains.append(gained)
    return Taken(np.concatenate(rows), np.concatenate(gains), worth), nearest


class Unlike(NamedTuple):
    """Rows of an order that are not too similar to those taken before them.

    Attributes:
        rows: those taken.
        skipped: those that are too similar.
        nearest: the most similar to each of these that was taken before it; the first of equals.
        similarity: to that.
    """

    rows: NDArray[np.int64]
    skipped: NDArray[np.int64]
    nearest: NDArray[np.int64]
    similarity: NDArray[np.float64]


def unlike_in_order(
    vectors: NDArray[np.int16],
    order: NDArray[np.int64],
    highest: float,
    costs: NDArray[np.int64],
    budget: int,
) -> Unlike:
    """Go through rows, and take each whose similarity to all that were taken before is at most `highest`.

    Args:
        vectors: whole numbers.
        order: the rows, the best first.
        highest: cosine similarity.
        costs: what each takes of the budget, at most all of it.
        budget: the first row that would be taken and does not fit ends it.
    """
    scales = scales_of(vectors)
    taken, skipped = order[:0], [order[:0]]
    who, alike = [order[:0]], [np.zeros(0)]
    full = False
    for start in range(0, len(order), _ROWS):
        rows = order[start : start + _ROWS]
        block = vectors[rows].astype(np.float32)
        best, which = np.full(len(rows), -np.inf), np.full(len(rows), -1, np.int64)
        for first in range(0, len(taken), _OTHERS):
            others = taken[first : first + _OTHERS]
            products = block @ vectors[others].astype(np.float32).T
            _raise(products, scales[others], others, best, which)
        similarity, verdicts, budget, full = _pass(
            block @ block.T, scales[rows], rows, best, which, highest, costs[rows], budget
        )
        taken = np.concatenate([taken, rows[verdicts == _TAKEN]])
        gone = verdicts == _SKIPPED
        skipped.append(rows[gone])
        who.append(which[gone])
        alike.append(similarity[gone])
        if full:
            break
    return Unlike(taken, np.concatenate(skipped), np.concatenate(who), np.concatenate(alike))


_TAKEN, _SKIPPED = 1, 2


def _rounded(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.rint(similarity * PARTS) / PARTS


@numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"nnan", "nsz"})
def _raise(products, scales, others, best, which):
    """Raise each row's best product, divided by the other's length, to that with any of the others, and
    note with which: the first of equals. None is NaN, which lets it be computed side by side."""
    for i in range(len(products)):
        row = products[i]
        most = -np.inf
        for j in range(len(row)):
            value = row[j] * scales[j]
            most = max(most, value)
        if most > best[i]:
            best[i] = most
            for j in range(len(row)):
                if row[j] * scales[j] == most:
                    which[i] = others[j]
                    break


@compiled
def _take(products, scales, rows, similarity, weights, costs, budget, bound, bound_row):
    """Take rows of a pool, farthest first, until one beyond it may be worth more, or one does not fit."""
    worth = weights * (1 - similarity)
    places, gains = np.empty(len(rows), np.int64), np.empty(len(rows))
    count = 0
    while count < len(rows):
        best = -1
        for i in range(len(rows)):
            if worth[i] >= 0 and (
                best < 0
                or worth[i] > worth[best]
                or (worth[i] == worth[best] and rows[i] < rows[best])
            ):
                best = i
        if worth[best] < bound or (worth[best] == bound and rows[best] > bound_row):
            break
        if costs[best] > budget:
            return places[:count], gains[:count], budget, True
        budget -= costs[best]
        places[count], gains[count] = best, worth[best]
        count += 1
        worth[best] = -1
        for i in range(len(rows)):
            value = np.rint(products[i, best] * scales[best] * scales[i] * PARTS) / PARTS
            if worth[i] >= 0 and value > similarity[i]:
                similarity[i] = value
                worth[i] = weights[i] * (1 - value)
    return places[:count], gains[:count], budget, False


@compiled
def _pass(products, scales, rows, best, which, highest, costs, budget):
    """Which of some rows are taken, given what they are most similar to among those taken before."""
    similarity, verdicts = np.full(len(rows), -np.inf), np.zeros(len(rows), np.int8)
    for i in range(len(rows)):
        for j in range(i):
            if verdicts[j] == _TAKEN and products[i, j] * scales[j] > best[i]:
                best[i], which[i] = products[i, j] * scales[j], rows[j]
        similarity[i] = np.rint(best[i] * scales[i] * PARTS) / PARTS
        if similarity[i] > highest:
            verdicts[i] = _SKIPPED
        elif costs[i] > budget:
            return similarity, verdicts, budget, True
        else:
            verdicts[i] = _TAKEN
            budget -= costs[i]
    return similarity, verdicts, budget, False
