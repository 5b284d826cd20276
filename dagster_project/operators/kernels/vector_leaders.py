"""Leader clustering of vectors by cosine similarity: every row that goes is itself alike to the row
that stays for it (as in `leaders`). A row is compared with all of its group that stay before it.

Vectors are of whole numbers, short enough that every sum of products of two of them is a whole number
below 2^24, which float32 holds exactly: matrix products are the same in whatever order they are
added up, by however many threads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.operators.kernels.leaders import Leaders
from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

LENGTH = 4080
"""Of vectors of whole numbers. Rounding makes them longer by at most half the root of the number of
dimensions; so their length stays below 2^12, and its square below 2^24, up to 1,000 dimensions."""
STEPS = 10_000
"""Similarities are rounded to whole parts of this many."""
MOST_PAIRS = 32
"""Pairs that are told of a row, at most; the most similar."""

_ROWS, _OTHERS = 1024, 4096
"""Rows that are compared at once, and with how many."""


def whole_numbers(vectors: NDArray[np.floating]) -> NDArray[np.int16]:
    """Vectors of length 1, times `LENGTH`, as whole numbers."""
    return np.rint(vectors * np.float32(LENGTH)).astype(np.int16)


def find_vector_leaders(
    order: NDArray[np.int64],
    groups: NDArray[np.integer],
    vectors: NDArray[np.int16],
    threshold: float,
    recorded: float,
    fixed: int = 0,
) -> Leaders:
    """Which row stays for each row, by the cosine similarity of their vectors.

    Args:
        order: all rows, those that should rather stay first.
        groups: a number for each row; only rows of the same group are compared.
        vectors: from `whole_numbers`.
        threshold: least similarity of a row to the one that stays for it.
        recorded: least similarity of pairs that are told.
        fixed: how many rows, the first in `order`, stay whatever they are like.

    Returns:
        As `find_leaders` does; but `skipped` counts pairs that are not told, because there are more
        than `MOST_PAIRS` of a row.
    """
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.int64))
    compares = np.ones(len(order), np.bool_)
    compares[order[:fixed]] = False
    stays = np.ones(len(order), np.bool_)
    leader, similarity = np.full(len(order), -1, np.int64), np.zeros(len(order))
    told = [(order[:0], order[:0], similarity[:0])]
    skipped = 0
    grouped = order[np.argsort(groups[order], kind="stable")]
    starts = np.flatnonzero(np.diff(groups[grouped])) + 1
    for group in np.split(grouped, starts):
        before = group[:0]
        for start in range(0, len(group), _ROWS):
            rows = group[start : start + _ROWS]
            block = vectors[rows].astype(np.float32)
            nearest = np.full((len(rows), MOST_PAIRS), -1, np.int64)
            alike, counts = np.zeros(nearest.shape), np.zeros(len(rows), np.int64)
            about = (lengths, compares, stays, threshold, recorded, nearest, alike, counts)
            for first in range(0, len(before), _OTHERS):
                others = before[first : first + _OTHERS]
                products = block @ vectors[others].astype(np.float32).T
                _compare(rows, others, products, False, *about)
            _compare(rows, rows, block @ block.T, True, *about)
            before = np.concatenate([before, rows[stays[rows]]])
            gone = np.flatnonzero(~stays[rows])
            leader[rows[gone]], similarity[rows[gone]] = nearest[gone, 0], alike[gone, 0]
            at, place = np.nonzero(nearest >= 0)
            told.append((rows[at], nearest[at, place], alike[at, place]))
            skipped += int(np.maximum(counts - MOST_PAIRS, 0).sum())
    rows, others, similarities = (np.concatenate(parts) for parts in zip(*told, strict=True))
    return Leaders(leader, similarity, np.stack([rows, others], axis=1), similarities, skipped)


@compiled
def _compare(
    rows,
    others,
    products,
    own,
    lengths,
    compares,
    stays,
    threshold,
    recorded,
    nearest,
    alike,
    counts,
):
    """Note which of the others that stay are alike to each row: the most similar first, and of equals
    the first. Of `own`, the rows themselves, those before a row count; and now it is known whether
    it stays."""
    for i, row in enumerate(rows):
        if not compares[row]:
            continue
        least = (recorded - 1 / STEPS) * lengths[row]
        for j in range(i if own else len(others)):
            other = others[j]
            if products[i, j] < least * lengths[other] or not stays[other]:
                continue
            value = np.rint(products[i, j] / (lengths[row] * lengths[other]) * STEPS) / STEPS
            if value < recorded:
                continue
            place = min(counts[i], MOST_PAIRS)
            counts[i] += 1
            while place > 0 and alike[i, place - 1] < value:
                place -= 1
            if place < MOST_PAIRS:
                for later in range(min(counts[i], MOST_PAIRS) - 1, place, -1):
                    nearest[i, later], alike[i, later] = nearest[i, later - 1], alike[i, later - 1]
                nearest[i, place], alike[i, place] = other, value
        if own and counts[i] and alike[i, 0] >= threshold:
            stays[row] = False
