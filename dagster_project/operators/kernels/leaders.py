"""Leader clustering of candidates: every row that goes is itself alike to the row that stays for it.

Nothing is merged by way of a third row, so that a chain of small differences cannot join rows that have
nothing in common.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

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


class Buckets(NamedTuple):
    """Rows that agree in a band.

    Attributes:
        numbers: shape (bands, rows): which bucket of the band a row is in; -1 where it is alone.
        starts: shape (bands + 1): how many buckets the bands before have.
        sizes: of all buckets, band after band.
    """

    numbers: NDArray[np.int32]
    starts: NDArray[np.int64]
    sizes: NDArray[np.uint32]

    def shared(self) -> NDArray[np.bool_]:
        """Which rows agree with another in any band."""
        found = np.zeros(self.numbers.shape[1], np.bool_)
        for band in self.numbers:
            found |= band >= 0
        return found


def buckets_of(keys: NDArray[np.uint32]) -> Buckets:
    """Number the rows that have an equal key in a band. The keys are overwritten with the numbers.

    Args:
        keys: shape (bands, rows); 0 agrees with nothing.
    """
    numbers = keys.view(np.int32)
    starts, sizes = [0], [np.empty(0, np.uint32)]
    rows = np.arange(keys.shape[1], dtype=np.uint64)
    for band, own in enumerate(keys):
        ordered = np.sort(own.astype(np.uint64) << np.uint64(32) | rows)
        found = np.empty(len(rows) // 2, np.uint32)
        used = _number(ordered, numbers[band], found)
        sizes.append(found[:used].copy())
        starts.append(starts[-1] + used)
    return Buckets(numbers, np.array(starts), np.concatenate(sizes))


@compiled
def _number(ordered, numbers, sizes):
    used = 0
    at = 0
    while at < len(ordered):
        key = ordered[at] >> np.uint64(32)
        after = at + 1
        while after < len(ordered) and ordered[after] >> np.uint64(32) == key:
            after += 1
        number = -1
        if after - at > 1 and key != 0:
            number = used
            sizes[used] = after - at
            used += 1
        for place in range(at, after):
            numbers[ordered[place] & np.uint64(0xFFFFFFFF)] = number
        at = after
    return used


def find_leaders(
    order: NDArray[np.int64],
    numbers: NDArray[np.int32],
    buckets: Buckets,
    values: NDArray[np.uint32],
    ends: NDArray[np.int64],
    threshold: float,
    recorded: float,
    fixed: int = 0,
    empty: Callable[[tuple[int, ...], DTypeLike], NDArray[Any]] | None = None,
) -> Leaders:
    """Which row stays for each row, by the Jaccard similarity of their sets.

    Args:
        order: all rows, those that should rather stay first.
        numbers: shape (rows, bands): which bucket of each band a row is in; -1 for none.
        buckets: from `buckets_of`; of more rows, maybe.
        values: the sorted sets of all rows, one after the other.
        ends: where each set starts, and the last one ends.
        threshold: least similarity of a row to the one that stays for it.
        recorded: least similarity of pairs that are told.
        fixed: how many rows, the first in `order`, stay whatever they are like.
        empty: makes a large array; None for one in memory.
    """
    room = np.minimum(buckets.sizes, MOST_LEADERS)
    rooms = np.concatenate([[0], np.cumsum(room, dtype=np.int64)])
    leaders = (empty or np.empty)((int(rooms[-1]),), np.uint32)
    leader = np.full(len(order), -1, np.int64)
    similarity = np.zeros(len(order))
    skipped = np.zeros(1, np.int64)
    told = max(16, len(order))
    while True:
        pairs, similarities = np.empty((told, 2), np.int64), np.empty(told)
        count = _find(
            order, numbers, buckets.starts, rooms, leaders, values, ends, threshold, recorded, fixed,
            leader, similarity, pairs, similarities, skipped,
        )  # fmt: skip
        if count <= told:
            found = pairs[:count], similarities[:count]
            return Leaders(leader, similarity, *found, int(skipped[0]))
        told = count


@compiled
def _find(
    order, numbers, starts, rooms, leaders, values, ends, threshold, recorded, fixed, leader,
    similarity, pairs, similarities, skipped,
):  # fmt: skip
    rows, bands = numbers.shape
    counts = np.zeros(len(rooms) - 1, np.uint32)
    seen = np.full(rows, -1, np.int64)
    count = 0
    skipped[0] = 0
    for place, row in enumerate(order):
        best, most = -1, 0.0
        left = False
        for band in range(bands if place >= fixed else 0):
            if numbers[row, band] < 0:
                continue
            bucket = starts[band] + numbers[row, band]
            first = rooms[bucket]
            for entry in range(first, min(first + counts[bucket], rooms[bucket + 1])):
                other = leaders[entry]
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
            left |= counts[bucket] > MOST_LEADERS
        skipped[0] += left
        leader[row] = best
        similarity[row] = most
        if best >= 0:
            continue
        for band in range(bands):
            if numbers[row, band] < 0:
                continue
            bucket = starts[band] + numbers[row, band]
            entry = rooms[bucket] + counts[bucket]
            if entry < rooms[bucket + 1]:
                leaders[entry] = row
            counts[bucket] += 1
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
