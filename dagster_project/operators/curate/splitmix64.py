"""Pseudo-random numbers by position: the same on every machine, and none depends on another.

SplitMix64 (Steele, Lea and Flood 2014) is a counter with a mixing function, so that the number at
any position is computed from the position alone.
"""

from __future__ import annotations

import numpy as np
import polars as pl

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def numbers(seed: int, positions: pl.Series) -> pl.Series:
    """For each position a number, uniform over 64 bits; no two positions have the same.

    Args:
        seed: below 2⁶⁴; another gives another sequence.
        positions: from 0.
    """
    start = _mixed(np.array([seed], dtype=np.uint64))
    return pl.Series(_mixed(start + positions.cast(pl.UInt64).to_numpy() * GOLDEN + GOLDEN))


def last_number(fraction: float) -> int:
    """The number up to which `fraction` of all numbers are."""
    return max(int(fraction * 2**64) - 1, 0)


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
