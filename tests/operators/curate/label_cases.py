"""Labels with mistakes, and probabilities, that are the same wherever they are made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CASES = range(12)


def uniform(seed: int, count: int) -> NDArray[np.float64]:
    """Numbers from 0 to 1 (SplitMix64)."""
    with np.errstate(over="ignore"):
        steps = np.arange(1, count + 1, dtype=np.uint64) + np.uint64(seed * 1_000_003)
        state = steps * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return (state ^ (state >> np.uint64(31))).astype(np.float64) / 2.0**64


def case(seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """True labels, given labels and probabilities."""
    classes, rows = 2 + seed % 4, 60 + 31 * seed
    drawn = uniform(seed, 3 * rows + 4 * rows * classes)
    truth = (drawn[:rows] * classes).astype(np.int64)
    other = (truth + 1 + (drawn[rows : 2 * rows] * (classes - 1)).astype(np.int64)) % classes
    given = np.where(drawn[2 * rows : 3 * rows] < 0.05 + 0.02 * seed, other, truth)
    scores = (drawn[3 * rows :].reshape(rows, classes, 4).sum(axis=2) - 2) * 2
    scores[np.arange(rows), truth] += 0.8 + seed % 3
    powers = np.exp(scores)
    return truth, given, powers / powers.sum(axis=1, keepdims=True)
