"""Which of many 64-bit keys are equal, in bounded memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_KEYS = 2**26
"""So many keys are put in order at once; more of them are taken in parts."""


def equal_keys(keys: NDArray[np.uint64]) -> NDArray[np.int32]:
    """For each key, a number that equal keys share; -1 where a key is alone.

    Numbers go from 0 without gaps. Takes 4 bytes a key for the answer, and 16 bytes for each of at most
    `MOST_KEYS` or so while it works.
    """
    numbers = np.full(len(keys), -1, np.int32)
    parts = np.uint64(len(keys) // MOST_KEYS + 1)
    used = 0
    for part in range(int(parts)):
        if parts == 1:
            used = _number(keys, np.argsort(keys), numbers, used)
            continue
        here = np.flatnonzero(keys % parts == part)
        some = np.full(len(here), -1, np.int32)
        used = _number(keys[here], np.argsort(keys[here]), some, used)
        numbers[here] = some
    return numbers


def holding(lengths: NDArray[np.integer], numbers: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of some lists, whose items stand one after the other, hold an item that is not alone."""
    before = np.concatenate([[0], np.cumsum(numbers >= 0)])
    ends = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    return before[ends[1:]] > before[ends[:-1]]


@compiled
def _number(keys, order, numbers, used):
    start = 0
    for at in range(1, len(order) + 1):
        if at < len(order) and keys[order[at]] == keys[order[start]]:
            continue
        if at - start > 1:
            for index in range(start, at):
                numbers[order[index]] = used
            used += 1
        start = at
    return used
