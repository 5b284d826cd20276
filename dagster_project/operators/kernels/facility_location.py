"""Rows that stand for all: greedy facility location over cosine similarities of vectors.

Vectors are those of `vector_leaders`. Similarities are whole parts of `STEPS`, and negative ones 0, so
that sums of them are exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.operators.kernels.diverse_vectors import scales_of, similarity_to_mean
from dagster_project.operators.kernels.shingles import compiled
from dagster_project.operators.kernels.vector_leaders import STEPS

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TOGETHER = 8192
"""Rows that are compared with one another; more are split into groups."""
_ROWS = 1024


def by_representation(
    vectors: NDArray[np.int16], weights: NDArray[np.float64], together: int = MOST_TOGETHER
) -> tuple[NDArray[np.int64], NDArray[np.float64], int]:
    """All rows, in the order of greedy facility location: next comes the row with the highest

        weight × Σ over all rows of max(0, similarity to it − similarity to the nearest before it)

    Greedy selections are within 1 − 1/e of the best sum for equal weights (Nemhauser, Wolsey and Fisher
    1978). What a row adds only ever falls, so only rows are computed anew that may be the next (Minoux
    1978); this changes no result.

    Above `together` rows, they are split into groups of alike rows, equally large, again and again by
    which of two rows far apart they are nearer to; and rows of different groups are taken for not similar
    at all. Of that sum, the result is the greedy one.

    Args:
        vectors: whole numbers.
        weights: not negative; NaN for rows that are not to be taken, which others still stand for.
        together: how many rows are compared with one another.

    Returns:
        The rows that may be taken, in order; what each adds; and the number of groups.
    """
    groups = _groups(vectors, np.arange(len(vectors)), together)
    rows, gains = [np.zeros(0, np.int64)], [np.zeros(0)]
    for group in groups:
        places, added = _greedy(_similarities(vectors[group]), weights[group])
        rows.append(group[places])
        gains.append(added / STEPS)
    order = np.argsort(-np.concatenate(gains), kind="stable")
    return np.concatenate(rows)[order], np.concatenate(gains)[order], len(groups)


def _groups(
    vectors: NDArray[np.int16], rows: NDArray[np.int64], together: int
) -> list[NDArray[np.int64]]:
    """Rows, halved until there are few enough in each part; in order within it."""
    if len(rows) <= together:
        return [rows]
    own = vectors[rows]
    one = int(similarity_to_mean(own).argmin())
    to_one = _cosines(own, one)
    order = np.argsort(to_one - _cosines(own, int(to_one.argmin())), kind="stable")
    halves = order[: len(order) // 2], order[len(order) // 2 :]
    return [group for half in halves for group in _groups(vectors, rows[np.sort(half)], together)]


def _cosines(vectors: NDArray[np.int16], row: int) -> NDArray[np.float64]:
    to = vectors[row].astype(np.float32)
    parts = [
        vectors[at : at + _ROWS].astype(np.float32) @ to for at in range(0, len(vectors), _ROWS)
    ]
    scales = scales_of(vectors)
    return np.concatenate(parts).astype(np.float64) * scales[row] * scales


def _similarities(vectors: NDArray[np.int16]) -> NDArray[np.int16]:
    """Of each row to each."""
    similarities = np.empty((len(vectors), len(vectors)), np.int16)
    scales, columns = scales_of(vectors), vectors.astype(np.float32).T
    for start in range(0, len(vectors), _ROWS):
        here = slice(start, start + _ROWS)
        products = vectors[here].astype(np.float32) @ columns
        _to_steps(products, scales[here], scales, similarities[here])
    return similarities


@compiled
def _to_steps(products, row_scales, scales, similarities):
    for i in range(len(products)):
        for j in range(len(scales)):
            value = products[i, j] * (row_scales[i] * scales[j]) * STEPS
            similarities[i, j] = np.int16(np.rint(max(value, 0.0)))


@compiled
def _greedy(similarities, weights):
    """The rows that may be taken, as they are taken, and what each adds."""
    size = len(weights)
    covered = np.zeros(size, np.int16)
    worth, computed = np.full(size, -1.0), np.zeros(size, np.int64)
    allowed = 0
    for row in range(size):
        if weights[row] >= 0:
            allowed += 1
            worth[row] = weights[row] * _adds(similarities[row], covered)
    places, gains = np.empty(allowed, np.int64), np.empty(allowed)
    taken = 0
    while taken < allowed:
        best = np.argmax(worth)
        if computed[best] != taken:
            worth[best] = weights[best] * _adds(similarities[best], covered)
            computed[best] = taken
            continue
        places[taken], gains[taken] = best, worth[best]
        worth[best] = -1.0
        own = similarities[best]
        for row in range(size):
            covered[row] = max(covered[row], own[row])
        taken += 1
    return places, gains


@compiled
def _adds(similarities, covered):
    """How much more similar rows get to what stands for them."""
    total = np.int64(0)
    for row in range(len(covered)):
        total += max(np.int32(similarities[row]) - np.int32(covered[row]), 0)
    return total
