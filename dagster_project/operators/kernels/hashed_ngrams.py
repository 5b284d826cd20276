"""Words and pairs of words as the buckets of data selection by importance resampling (DSIR; Xie et al.
2023, arXiv 2302.03169), in compiled code.

As in the authors' package `data-selection`: a text in lower case is cut into runs of letters, digits and
underscores, and runs of what is neither these nor white space (the `wordpunct` tokenizer of NLTK); each
token, and each two neighbours with a space between them, is hashed with SHA-256, and the remainder by the
number of buckets is its bucket. The hash of an n-gram is computed where it was not seen lately, by which
n-grams are told apart by 64-bit hashes.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.list_series import list_series
from dagster_project.operators.kernels.shingles import compiled, mix, text_buffers

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_BUCKETS = 65_536

_SPACE, _WORD, _MARK = 0, 1, 2
_LATELY = 2**17
"""N-grams whose buckets are at hand."""


def ngram_buckets(texts: pl.Series, buckets: int) -> pl.Series:
    """The buckets of each text's tokens and pairs of neighbours, in order (List(UInt16)): of `n` tokens
    there are `2n − 1`. None for a null.

    Args:
        texts: in lower case.
        buckets: how many there are, at most `MOST_BUCKETS`.
    """
    data, offsets = text_buffers(texts)
    found = np.empty(2 * int(offsets[-1] - offsets[0]) + 1, np.uint16)
    ends = np.zeros(len(texts) + 1, np.int64)
    _read(data, offsets, character_kinds(), np.uint64(buckets), found, ends)
    return list_series(texts.name, ends, found[: ends[-1]].copy())


def bucket_counts(listed: pl.Series, buckets: int) -> NDArray[np.int64]:
    """How often each bucket occurs in lists of them."""
    return np.bincount(_values(listed), minlength=buckets).astype(np.int64)


def summed_weights(listed: pl.Series, weights: NDArray[np.float64]) -> pl.Series:
    """The sum of the weights of each list's buckets; 0 for an empty one."""
    found = np.empty(len(listed), np.float64)
    _sum(_values(listed), listed.list.len().fill_null(0).to_numpy(), weights, found)
    return pl.Series(listed.name, found)


def _values(listed: pl.Series) -> NDArray[np.uint16]:
    return listed.explode(empty_as_null=False, keep_nulls=False).to_numpy()


@cache
def character_kinds() -> NDArray[np.uint8]:
    """What each code point is to the tokenizer: as `\\w` and `\\s` of Python's regular expressions."""
    kinds = np.full(sys.maxunicode + 1, _MARK, np.uint8)
    for point in range(sys.maxunicode + 1):
        character = chr(point)
        if character.isalnum():
            kinds[point] = _WORD
        elif character.isspace():
            kinds[point] = _SPACE
    kinds[ord("_")] = _WORD
    return kinds


def _round_constants() -> NDArray[np.uint32]:
    """The constants of SHA-256: 32 bits of the fractions of the cube roots of the first 64 primes."""
    primes = [n for n in range(2, 312) if all(n % k for k in range(2, n))]
    roots = []
    for prime in primes:
        root, cube = 0, prime << 96
        for bit in reversed(range(36)):
            if (root | 1 << bit) ** 3 <= cube:
                root |= 1 << bit
        roots.append(root & 0xFFFFFFFF)
    return np.array(roots, np.uint32)


_CONSTANTS = _round_constants()


@compiled
def _rotated(value, by):
    return (value >> np.uint32(by)) | (value << np.uint32(32 - by))


@compiled
def _compress(state, block, schedule):
    """One step of SHA-256 (FIPS 180-4, section 6.2.2), over 64 bytes."""
    for at in range(16):
        word = np.uint32(0)
        for byte in range(4):
            word = (word << np.uint32(8)) | np.uint32(block[4 * at + byte])
        schedule[at] = word
    for at in range(16, 64):
        early, late = schedule[at - 15], schedule[at - 2]
        first = _rotated(early, 7) ^ _rotated(early, 18) ^ (early >> np.uint32(3))
        second = _rotated(late, 17) ^ _rotated(late, 19) ^ (late >> np.uint32(10))
        schedule[at] = np.uint32(schedule[at - 16] + first + schedule[at - 7] + second)
    a, b, c, d = state[0], state[1], state[2], state[3]
    e, f, g, h = state[4], state[5], state[6], state[7]
    for at in range(64):
        turned = _rotated(e, 6) ^ _rotated(e, 11) ^ _rotated(e, 25)
        choice = (e & f) ^ (~e & g)
        one = np.uint32(h + turned + choice + _CONSTANTS[at] + schedule[at])
        turned = _rotated(a, 2) ^ _rotated(a, 13) ^ _rotated(a, 22)
        two = np.uint32(turned + ((a & b) ^ (a & c) ^ (b & c)))
        h, g, f, e = g, f, e, np.uint32(d + one)
        d, c, b, a = c, b, a, np.uint32(one + two)
    state[0] += a
    state[1] += b
    state[2] += c
    state[3] += d
    state[4] += e
    state[5] += f
    state[6] += g
    state[7] += h


@compiled
def _remainder(data, first, first_end, second, second_end, divisor, block, state, schedule):
    """The remainder of the SHA-256 of a token, or of two with a space between them if the second is not
    empty; `block`, `state` and `schedule` are room for 64 bytes, 8 and 64 words."""
    state[0], state[1], state[2], state[3] = 0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A
    state[4], state[5], state[6], state[7] = 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19
    space = first_end - first
    length = space + (1 + second_end - second if second_end > second else 0)
    filled = 0
    for at in range(length):
        if at < space:
            block[filled] = data[first + at]
        else:
            block[filled] = 32 if at == space else data[second + at - space - 1]
        filled += 1
        if filled == 64:
            _compress(state, block, schedule)
            filled = 0
    block[filled] = 0x80
    block[filled + 1 :] = 0
    if filled >= 56:
        _compress(state, block, schedule)
        block[:] = 0
    for byte in range(8):
        block[63 - byte] = (np.uint64(8 * length) >> np.uint64(8 * byte)) & np.uint64(0xFF)
    _compress(state, block, schedule)
    remainder = np.uint64(0)
    for at in range(8):
        remainder = ((remainder << np.uint64(32)) | np.uint64(state[at])) % divisor
    return remainder


@compiled
def _next_token(data, at, end, kinds):
    """The next token: its hash, and where it starts and ends, which is the same if there is none."""
    start, kind = at, _SPACE
    token = np.uint64(0xCBF29CE484222325)
    while at < end:
        byte = data[at]
        size = 1
        point = np.int64(byte)
        if byte >= 0x80:
            size = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            point &= 0xFF >> (size + 1)
            for more in range(1, size):
                point = (point << 6) | np.int64(data[at + more] & 0x3F)
        found = kinds[point]
        if kind == _SPACE:
            start, kind = at, found
        elif found != kind:
            return token, start, at
        if found != _SPACE:
            token = (token ^ np.uint64(point)) * np.uint64(0x9E3779B97F4A7C15)
            token ^= token >> np.uint64(29)
        at += size
    return token, start, at if kind != _SPACE else start


@compiled
def _read(data, offsets, kinds, buckets, found, ends):
    keys = np.zeros(_LATELY, np.uint64)
    values = np.zeros(_LATELY, np.uint16)
    block, state = np.empty(64, np.uint8), np.empty(8, np.uint32)
    schedule = np.empty(64, np.uint32)
    used = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        before, before_start, before_end = np.uint64(0), at, at
        while True:
            token, start, at = _next_token(data, at, end, kinds)
            if at == start:
                break
            key = mix(token)
            slot = np.int64(key & np.uint64(_LATELY - 1))
            if keys[slot] != key:
                keys[slot] = key
                values[slot] = _remainder(data, start, at, at, at, buckets, block, state, schedule)
            found[used] = values[slot]
            used += 1
            if before_end > before_start:
                key = mix(before * np.uint64(0xD6E8FEB86659FD93) + token)
                slot = np.int64(key & np.uint64(_LATELY - 1))
                if keys[slot] != key:
                    keys[slot] = key
                    values[slot] = _remainder(
                        data, before_start, before_end, start, at, buckets, block, state, schedule
                    )
                found[used] = values[slot]
                used += 1
            before, before_start, before_end = token, start, at
        ends[text + 1] = used


@compiled
def _sum(values, lengths, weights, found):
    at = 0
    for text in range(len(lengths)):
        total = 0.0
        for _ in range(lengths[text]):
            total += weights[values[at]]
            at += 1
        found[text] = total
