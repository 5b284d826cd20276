"""Shingles of texts: overlapping runs of words or characters, as hashes, in compiled code.

Texts are read as UTF-8 from Arrow buffers, code point by code point. Case is folded and what is
neither letter, mark nor digit separates words, in any script; an ideograph, a kana or a letter of a
script that is written without spaces (Thai, Lao, Khmer, Burmese, Tibetan) is a word of its own.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numba
import numpy as np
import polars as pl

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["words", "characters"]

SEPARATOR, INSIDE, ALONE = 0, 1, 2

_WITHOUT_SPACES = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x0F00, 0x0FFF),  # Tibetan
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x30FF),  # ideographic marks, hiragana, katakana
    (0x31F0, 0x31FF),  # katakana extensions
    (0x3400, 0x4DBF),  # ideographs
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
)
_TABLE = 0x20000
"""Code points below are looked up; those above are ideographs, or separate."""
_IDEOGRAPHS_END = 0x323B0

compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")


def text_buffers(texts: pl.Series) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all texts one after the other, and where each starts and the last ends. A null
    is an empty text."""
    array: Any = texts.rechunk().to_arrow()
    _, offsets, data = array.buffers()
    ends = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
    if data is None or not data.size:
        return np.zeros(1, np.uint8), ends
    return np.frombuffer(data, np.uint8), ends


@cache
def code_points() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """For each code point below `_TABLE`: its case-folded self, and what it is to words."""
    characters = [*map(chr, range(_TABLE))]
    categories = np.array([*map(unicodedata.category, characters)], "U1")
    kinds = np.where(np.isin(categories, ["L", "M", "N"]), INSIDE, SEPARATOR).astype(np.uint8)
    folded = np.arange(_TABLE, dtype=np.int32)
    lower = zip(characters, map(str.casefold, characters), strict=True)
    changed = [point for point, (was, now) in enumerate(lower) if was != now and kinds[point]]
    for point in changed:
        now = characters[point].casefold()
        folded[point] = ord(now) if len(now) == 1 else ord(characters[point].lower()[0])
    for first, last in _WITHOUT_SPACES:
        section = kinds[first : last + 1]
        section[section == INSIDE] = ALONE
    return folded, kinds


@compiled
def mix(value):
    """A 64-bit hash of 64 bits (the finalizer of MurmurHash3)."""
    value = np.uint64(value)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    return value ^ (value >> np.uint64(33))


@compiled
def _decode(data, at):
    """The code point at a byte, and the byte after it."""
    byte = data[at]
    if byte < 0x80:
        return np.int32(byte), at + 1
    if byte < 0xE0:
        return np.int32(((byte & 0x1F) << 6) | (data[at + 1] & 0x3F)), at + 2
    if byte < 0xF0:
        high = (np.int32(byte & 0x0F) << 12) | (np.int32(data[at + 1] & 0x3F) << 6)
        return np.int32(high | (data[at + 2] & 0x3F)), at + 3
    high = (np.int32(byte & 0x07) << 18) | (np.int32(data[at + 1] & 0x3F) << 12)
    return np.int32(high | (np.int32(data[at + 2] & 0x3F) << 6) | (data[at + 3] & 0x3F)), at + 4


@compiled
def _read(data, at, end, folded, kinds):
    """The code point at a byte: what it is to words, its case-folded self, and the byte after it. At the
    end of a text there is a separator."""
    if at >= end:
        return np.uint8(SEPARATOR), np.int32(32), at + 1
    point, after = _decode(data, at)
    if point < _TABLE:
        return kinds[point], folded[point], after
    return np.uint8(ALONE if point < _IDEOGRAPHS_END else SEPARATOR), point, after


@compiled
def next_word(data, at, end, folded, kinds):
    """The next word of a text: its hash, which is 0 if there is none, the byte where it starts, the
    byte after it, and where to go on."""
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    word = np.uint64(0)
    start, after = at, at
    while at < end:
        kind, point, following = _read(data, at, end, folded, kinds)
        if kind == INSIDE:
            if word == 0:
                start = at
            word = (word ^ np.uint64(point)) * multiplier
            word ^= word >> np.uint64(29)
            after = following
        elif word != 0:
            return word, start, after, at
        elif kind == ALONE:
            return mix(np.uint64(point) + multiplier), at, following, following
        at = following
    return word, start, after, at


@compiled
def shingle(data, start, end, size, words, folded, kinds, ring, found):
    """The hashes of one text's shingles, in order, into `found`; returns how many.

    A hash is that of a polynomial whose coefficients are the hashes of the units, which is carried on
    from one shingle to the next.

    Args:
        data: UTF-8.
        start, end: of the text, in bytes.
        size: words or characters of a shingle.
        words: whether shingles are of words; else of characters, and each run of separators is one.
        folded, kinds: from `code_points`.
        ring: room for `size` hashes.
        found: room for as many hashes as the text has bytes.
    """
    base = np.uint64(0xD6E8FEB86659FD93)
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    space = np.uint64(32)
    leaving = _power(base, size)
    joined = np.uint64(0)
    count = 0
    filled = 0
    place = 0
    word = np.uint64(0)
    at = start
    spaced = True
    while at <= end:
        kind, point, at = _read(data, at, end, folded, kinds)
        first, second = np.uint64(0), np.uint64(0)
        if words:
            if kind == INSIDE:
                word = (word ^ np.uint64(point)) * multiplier
                word ^= word >> np.uint64(29)
                continue
            first, word = word, np.uint64(0)
            if kind == ALONE:
                second = mix(np.uint64(point) + multiplier)
        elif kind != SEPARATOR:
            second = np.uint64(point)
            spaced = False
        elif not spaced and at <= end:
            second = space
            spaced = True
        for unit in (first, second):
            if unit == 0:
                continue
            joined = joined * base + unit
            if filled < size:
                filled += 1
            else:
                joined -= ring[place] * leaving
            ring[place] = unit
            place += 1
            if place == size:
                place = 0
            if filled == size:
                found[count] = mix(joined)
                count += 1
    if count == 0 and filled > 0:
        found[0] = mix(joined)
        count = 1
    return count


@compiled
def _power(base, exponent):
    value = np.uint64(1)
    for _ in range(exponent):
        value *= base
    return value
