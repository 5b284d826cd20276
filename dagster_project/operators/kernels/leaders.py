"""Leader clustering of candidates: every row that goes is itself alike to the row that stays for it.

Nothing is merged by way of a third row, so that a chain of small differences cannot join rows that have
nothing in common.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_LEADERS = 256
"""Rows that stay with which a row is compared for each band, at most; those that come first. More of
them agree in a band only in sets of texts that are made from one template."""


class Leaders(NamedTuple):
    """Which row stays for each row.

    Attributes:
        leader: for each row, the one that stays for it (the most similar, then the first in order), or
            -1 if it stays itself.
        similarity: how similar they are.
        pairs: a row and one that stays, shape (pairs, 2).
        similarities: of these pairs.
        skipped: rows that were not compared with all that stay and agree with them in a band, because
            these are more than `MOST_LEADERS`.
    """

    leader: NDArray[np.int64]
    similarity: NDArray[np.float64]
    pairs: NDArray[np.int64]
    similarities: NDArray[np.float64]
    skipped: int


def buckets_of(keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    """For each row and band, a number that rows with an equal key share; -1 where a row is alone.

    Args:
        keys: one row a text, one column a band.
    """
    buckets = np.full(keys.shape, -1, np.int32)
    used = 0
    for band in range(keys.shape[1]):
        order = np.argsort(keys[:, band], kind="stable")
        ordered = keys[order, band]
        new = np.concatenate([[True], ordered[1:] != ordered[:-1]])
        group = np.cumsum(new) - 1
        sizes = np.bincount(group)
        shared = sizes > 1
        numbers = np.where(shared, used + np.cumsum(shared) - 1, -1)
        buckets[order, band] = numbers[group]
        used += int(shared.sum())
    return buckets


def find_leaders(
    order: NDArray[np.int64],
    buckets: NDArray[np.int32],
    values: NDArray[np.uint32],
    ends: NDArray[np.int64],
    threshold: float,
    recorded: float,
    fixed: int = 0,
) -> Leaders:
    """Which row stays for each row, by the Jaccard similarity of their sets.

    Args:
        order: all rows, those that should rather stay first.
        buckets: from `buckets_of`.
        values: the sorted sets of all rows, one after the other.
        ends: where each set starts, and the last one ends.
        threshold: least similarity of a row to the one that stays for it.
        recorded: least similarity of pairs that are told.
        fixed: how many rows, the first in `order`, stay whatever they are like.

    """
    leader = np.full(len(order), -1, np.int64)
    similarity = np.zeros(len(order))
    skipped = np.zeros(1, np.int64)
    room = max(16, len(order))
    while True:
        pairs, similarities = np.empty((room, 2), np.int64), np.empty(room)
        count = _find(
            order, buckets, values, ends, threshold, recorded, fixed, leader, similarity, pairs,
            similarities, skipped,
        )  # fmt: skip
        if count <= room:
            found = pairs[:count], similarities[:count]
            return Leaders(leader, similarity, *found, int(skipped[0]))
        room = count


@compiled
def _find(
    order, buckets, values, ends, threshold, recorded, fixed, leader, similarity, pairs,
    similarities, skipped,
):  # fmt: skip
    rows, bands = buckets.shape
    heads = np.full(buckets.max() + 1, -1, np.int64)
    tails = np.full(buckets.max() + 1, -1, np.int64)
    entries = np.empty(rows * bands, np.int64)
    following = np.full(rows * bands, -1, np.int64)
    seen = np.full(rows, -1, np.int64)
    filled = 0
    count = 0
    skipped[0] = 0
    for place, row in enumerate(order):
        best, most = -1, 0.0
        left = False
        for band in range(bands if place >= fixed else 0):
            bucket = buckets[row, band]
            if bucket < 0:
                continue
            entry = heads[bucket]
            for _ in range(MOST_LEADERS):
                if entry < 0:
                    break
                other = entries[entry]
                entry = following[entry]
                if seen[other] == row:
                    continue
                seen[other] = row
                alike = _jaccard(values, ends, row, other, recorded)
                if alike < recorded:
                    continue
                if count < len(pairs):
                    pairs[count, 0], pairs[count, 1] = row, other
                    similarities[count] = alike
                count += 1
                if alike >= threshold and alike > most:
                    best, most = other, alike
            left |= entry >= 0
        skipped[0] += left
        leader[row] = best
        similarity[row] = most
        if best >= 0:
            continue
        for band in range(bands):
            bucket = buckets[row, band]
            if bucket < 0:
                continue
            entries[filled] = row
            if heads[bucket] < 0:
                heads[bucket] = filled
            else:
                following[tails[bucket]] = filled
            tails[bucket] = filled
            filled += 1
    return count


@compiled
def _jaccard(values, ends, one, other, least):
    """Similarity of two sorted sets; 0 if it cannot reach `least`."""
    at, stop = ends[one], ends[one + 1]
    there, end = ends[other], ends[other + 1]
    size, other_size = stop - at, end - there
    if min(size, other_size) < least * max(size, other_size):
        return 0.0
    spare = (size + other_size) - np.int64(
        np.ceil(least * (size + other_size) / (1 + least) - 1e-9)
    ) * 2
    common = 0
    while at < stop and there < end:
        if values[at] == values[there]:
            common += 1
            at += 1
            there += 1
        else:
            if values[at] < values[there]:
                at += 1
            else:
                there += 1
            spare -= 1
            if spare < 0:
                return 0.0
    return common / (size + other_size - common)
