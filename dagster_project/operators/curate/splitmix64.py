"""Pseudo-random numbers by position: the same on every machine, and none depends on another.

SplitMix64 (Steele, Lea and Flood 2014) is a counter with a mixing function, so that the number at
any position is computed from the position alone.
"""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def start(purpose: str, seed: int) -> int:
    """Where a sequence starts, for `numbers`: sequences for different purposes have nothing to do
    with each other, even with the same seed."""
    return int.from_bytes(hashlib.sha256(f"{purpose} {seed}".encode()).digest()[:8])


def numbers(first_state: int, positions: pl.Series) -> pl.Series:
    """The numbers at some positions, uniform over 64 bits; no two positions have the same.

    Args:
        first_state: of the generator, below 2⁶⁴.
        positions: from 0.
    """
    steps = positions.cast(pl.UInt64).to_numpy() + np.uint64(1)
    return pl.Series(_mixed(np.uint64(first_state) + steps * GOLDEN))


def last_number(fraction: float) -> int:
    """The number up to which `fraction` of all numbers are."""
    return max(int(fraction * 2**64) - 1, 0)


def _mixed(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
