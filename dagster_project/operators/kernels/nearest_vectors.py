"""The most similar of some items for each row, where a row has any number of vectors.

Vectors are those of `vector_leaders`: of whole numbers whose products are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dagster_project.operators.kernels.shingles import compiled
from dagster_project.operators.kernels.vector_leaders import MOST_PAIRS, STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_VECTORS = 1024
"""Vectors of rows that are compared at once, if a row has no more."""
_PRODUCTS = 2**22
"""Similarities that are in memory at a time."""


class Nearest(NamedTuple):
    """Items that are similar to rows.

    Attributes:
        items: shape (rows, `MOST_PAIRS`): the most similar first, and of equals the first; -1 where
            there are no more.
        similarities: of these, rounded to whole parts of `STEPS`.
        vectors: which vector of the row, counted from its first, each is most similar to.
        counts: how many items are similar to each row, told or not.
    """

    items: NDArray[np.int64]
    similarities: NDArray[np.float64]
    vectors: NDArray[np.int64]
    counts: NDArray[np.int64]


def nearest_items(
    vectors: NDArray[np.int16],
    ends: NDArray[np.int64],
    items: NDArray[np.int16],
    least: float,
) -> Nearest:
    """The items that are similar to each row: to any of its vectors.

    Args:
        vectors: of the rows, one after the other.
        ends: where those of each row end.
        items: their vectors.
        least: cosine similarity from which on an item is told.
    """
    shape = len(ends), MOST_PAIRS
    found = Nearest(
        np.full(shape, -1, np.int64),
        np.zeros(shape),
        np.full(shape, -1, np.int64),
        np.zeros(len(ends), np.int64),
    )
    own, theirs = _lengths(vectors), _lengths(items)
    first = start = 0
    while first < len(ends):
        last = max(first + 1, int(np.searchsorted(ends, start + _VECTORS, side="right")))
        block = vectors[start : ends[last - 1]].astype(np.float32)
        at_once = max(1, _PRODUCTS // max(1, len(block)))
        for place in range(0, len(items), at_once):
            products = block @ items[place : place + at_once].astype(np.float32).T
            _note(products, start, first, last, ends, place, own, theirs, least, *found)
        first, start = last, int(ends[last - 1])
    return found


def _lengths(vectors: NDArray[np.int16]) -> NDArray[np.float64]:
    return np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64))


@compiled
def _note(
    products,
    start,
    first,
    last,
    ends,
    place,
    own,
    theirs,
    least,
    nearest,
    similarities,
    nearest_vectors,
    counts,
):
    """Note the similar ones of some items for the rows `first` to `last`, whose vectors are those from
    `start` on."""
    begin = start
    for row in range(first, last):
        for item in range(products.shape[1]):
            best, which = -np.inf, -1
            for vector in range(begin, ends[row]):
                value = products[vector - start, item] / own[vector]
                if value > best:
                    best, which = value, vector - begin
            best = np.rint(best / theirs[place + item] * STEPS) / STEPS
            if which < 0 or best < least:
                continue
            at = min(counts[row], MOST_PAIRS)
            counts[row] += 1
            while at > 0 and similarities[row, at - 1] < best:
                at -= 1
            if at < MOST_PAIRS:
                for later in range(min(counts[row], MOST_PAIRS) - 1, at, -1):
                    nearest[row, later] = nearest[row, later - 1]
                    similarities[row, later] = similarities[row, later - 1]
                    nearest_vectors[row, later] = nearest_vectors[row, later - 1]
                nearest[row, at], similarities[row, at] = place + item, best
                nearest_vectors[row, at] = which
        begin = ends[row]
