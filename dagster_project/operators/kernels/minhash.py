"""MinHash signatures of texts, cut into bands by which similar texts find each other (Broder 1997;
Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3)."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.list_series import list_series
from dagster_project.operators.kernels.shingles import (
    Unit,
    code_points,
    compiled,
    mix,
    shingle,
    text_buffers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

HASHES = 128
"""Hashes of a signature, at most."""

RECALL = 0.98
"""Share of pairs just at the threshold that must have a band in common."""


def bands_for(threshold: float) -> tuple[int, int]:
    """How many bands of how many hashes find pairs of a Jaccard similarity: the longest bands, and so
    the fewest candidates, with which `RECALL` of the pairs at the threshold meet in one of them."""
    for rows in range(HASHES, 1, -1):
        bands = HASHES // rows
        if 1 - (1 - threshold**rows) ** bands >= RECALL:
            return bands, rows
    return HASHES, 1


def band_keys(texts: pl.Series, unit: Unit, size: int, bands: int, rows: int) -> pl.Series:
    """One key a band for each text; texts with an equal key are candidates. All are 0 where a text has
    no shingle.

    Args:
        texts: of String.
        unit: what shingles are made of.
        size: units of a shingle.
        bands: how many.
        rows: hashes of a band.

    Returns:
        `Array(UInt32, bands)`.
    """
    data, offsets = text_buffers(texts)
    keys = np.zeros((len(texts), bands), np.uint32)
    _band_keys(data, offsets, size, unit == "words", *code_points(), _permutations(), rows, keys)
    return pl.Series(texts.name, keys, dtype=pl.Array(pl.UInt32, bands))


def shingle_sets(texts: pl.Series, unit: Unit, size: int) -> pl.Series:
    """The distinct shingles of each text, as sorted 32-bit hashes: `List(UInt32)`."""
    data, offsets = text_buffers(texts)
    lengths = np.empty(len(texts), np.int64)
    found = np.empty(max(1, int(offsets[-1] - offsets[0])), np.uint32)
    _sets(data, offsets, size, unit == "words", *code_points(), found, lengths)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return list_series(texts.name, ends, found[: ends[-1]].copy())


@cache
def _permutations() -> NDArray[np.uint32]:
    """Pairs of numbers, of which each makes another hash out of one; the same everywhere."""
    state, numbers = np.uint64(0x5EEDBED), []
    for _ in range(2 * HASHES):
        state = np.uint64((int(state) + 0x9E3779B97F4A7C15) % 2**64)
        numbers.append(int(mix(state)) >> 32)
    pairs = np.array(numbers, np.uint32).reshape(2, HASHES)
    pairs[0] |= 1
    return pairs


@compiled
def _band_keys(data, offsets, size, words, folded, kinds, permutations, rows, keys):
    texts, bands = keys.shape
    longest = 1
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    found = np.empty(longest, np.uint64)
    ring = np.empty(size, np.uint64)
    used = bands * rows
    factors, offs = permutations[0, :used].copy(), permutations[1, :used].copy()
    signature = np.empty(used, np.uint32)
    for text in range(texts):
        start, end = offsets[text], offsets[text + 1]
        count = shingle(data, start, end, size, words, folded, kinds, ring, found)
        if count == 0:
            continue
        signature[:] = np.uint32(0xFFFFFFFF)
        for index in range(count):
            low = np.uint32(found[index])
            high = np.uint32(found[index] >> np.uint64(32))
            for each in range(used):
                value = np.uint32((low ^ offs[each]) * factors[each]) + high
                signature[each] = min(signature[each], np.uint32(value))
        for band in range(bands):
            key = np.uint64(band)
            for row in range(band * rows, (band + 1) * rows):
                key = (key ^ np.uint64(signature[row])) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(32)
            keys[text, band] = max(np.uint32(1), np.uint32(mix(key)))


@compiled
def _sets(data, offsets, size, words, folded, kinds, found, lengths):
    longest = 1
    for text in range(len(lengths)):
        longest = max(longest, offsets[text + 1] - offsets[text])
    room = np.empty(longest, np.uint64)
    ring = np.empty(size, np.uint64)
    filled = 0
    for text in range(len(lengths)):
        start, end = offsets[text], offsets[text + 1]
        count = shingle(data, start, end, size, words, folded, kinds, ring, room)
        ordered = np.sort(room[:count].astype(np.uint32))
        before = filled
        for index in range(count):
            if index == 0 or ordered[index] != ordered[index - 1]:
                found[filled] = ordered[index]
                filled += 1
        lengths[text] = filled - before
