"""Windows of tokens: hashes by which long runs of equal tokens find each other, in compiled code.

A token is a run of letters, marks and digits, or one other visible character; an ideograph, a kana or
a letter of a script that is written without spaces is a token of its own.

Winnowing (Schleimer, Wilkerson and Aiken 2003) takes of each window the smallest hash of its shorter
runs, the last of equals, as its fingerprint: equal windows have equal fingerprints, and windows that
overlap share most of them, so that there are about 4 of them for as many tokens as a window has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.english_word_tables import hash_points
from dagster_project.operators.kernels.list_series import list_series
from dagster_project.operators.kernels.shingles import (
    INSIDE,
    code_points,
    compiled,
    mix,
    text_buffers,
)
from dagster_project.operators.kernels.text_cuts import (
    decode_places,
    gap_strength,
    is_space,
    longest_text,
    nested,
    unit_lists,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WINDOWS = pl.List(pl.Struct({"at": pl.UInt32, "hash": pl.UInt64}))
WINDOWS = pl.Struct({"tokens": pl.UInt32, "windows": _WINDOWS})
"""How many tokens a text has; the first token of some of its windows, ascending, and their hashes."""


def run_size(size: int) -> int:
    """Tokens of the runs out of which a window of `size` tokens has its fingerprint: two of them
    cover it."""
    return (size + 1) // 2


def fingerprints(texts: pl.Series, size: int, *, fold: bool) -> pl.Series:
    """The fingerprints of each text, in order, those of neighbouring windows once.

    Args:
        texts: of String.
        size: tokens of a window, at least 2. A shorter text has none.
        fold: whether case makes no difference.

    Returns:
        `List(UInt64)`.
    """
    data, offsets = text_buffers(texts)
    lengths = np.empty(len(texts), np.int64)
    found = np.empty(max(1, int(offsets[-1] - offsets[0])), np.uint64)
    _fingerprints(data, offsets, size, run_size(size), fold, *code_points(), found, lengths)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return list_series(texts.name, ends, found[: ends[-1]].copy())


def windows_with(
    texts: pl.Series,
    size: int,
    wanted: NDArray[np.uint64],
    *,
    fold: bool,
    part: int = 0,
    parts: int = 1,
) -> pl.Series:
    """The windows whose fingerprint is one of some.

    Args:
        texts: of String.
        size: tokens of a window, at least 2.
        wanted: fingerprints, ascending.
        fold: whether case makes no difference.
        part, parts: only windows whose hash is of this part, 0 to `parts` - 1, are given.

    Returns:
        `WINDOWS`.
    """
    data, offsets = text_buffers(texts)
    room = max(1, int(offsets[-1] - offsets[0]))
    tokens, lengths = np.empty(len(texts), np.uint32), np.empty(len(texts), np.int64)
    at, hashes = np.empty(room, np.uint32), np.empty(room, np.uint64)
    shape = size, run_size(size)
    share = np.uint64(part), np.uint64(parts)
    _windows(
        data, offsets, *shape, fold, *code_points(), wanted, *share, at, hashes, tokens, lengths
    )
    ends = np.concatenate([[0], np.cumsum(lengths)])
    used = {"at": at[: ends[-1]].copy(), "hash": hashes[: ends[-1]].copy()}
    windows = nested("windows", ends, used, _WINDOWS)
    return pl.DataFrame([pl.Series("tokens", tokens), windows]).to_struct(texts.name)


def token_bounds(texts: pl.Series) -> pl.Series:
    """Where the tokens of the texts are: `UNITS`."""
    data, offsets = text_buffers(texts)
    room = max(1, int(offsets[-1] - offsets[0]))
    lengths = np.empty(len(texts), np.int64)
    starts, ends = np.empty(room, np.uint32), np.empty(room, np.uint32)
    gaps = np.empty(room, np.uint8)
    _bound(data, offsets, code_points()[1], starts, ends, gaps, lengths)
    return unit_lists(texts.name, lengths, starts, ends, gaps)


@compiled
def _cut_tokens(points, count, kinds, starts, ends):
    """Where the tokens of a text start and end, in code points; returns how many."""
    tokens = 0
    at = 0
    while at < count:
        start = at
        at += 1
        if points[start] < len(kinds):
            if is_space(points[start]):
                continue
            if kinds[points[start]] == INSIDE:
                while at < count and points[at] < len(kinds) and kinds[points[at]] == INSIDE:
                    at += 1
        starts[tokens], ends[tokens] = start, at
        tokens += 1
    return tokens


@compiled
def _joined(one, other):
    """A hash of two hashes, in this order."""
    return mix(one * np.uint64(0x9E3779B97F4A7C15) + other)


@compiled
def _hash_runs(data, start, end, run, fold, folded, kinds, points, places, starts, ends, hashes):
    """Hashes of a text's runs of tokens, into `hashes`; returns how many tokens it has."""
    count = decode_places(data, start, end, points, places)
    tokens = _cut_tokens(points, count, kinds, starts, ends)
    if fold:
        for at in range(count):
            if points[at] < len(folded):
                points[at] = folded[points[at]]
    for token in range(tokens):
        hashes[token] = hash_points(points, starts[token], ends[token])
    width = 1
    while width < run:
        step = min(width, run - width)
        for token in range(tokens - width - step + 1):
            hashes[token] = _joined(hashes[token], hashes[token + step])
        width += step
    return tokens


@compiled
def _pick(hashes, window, runs, before):
    """Which run is the fingerprint of a window of `runs` runs, if `before` is that of the window one
    token before it."""
    if before >= window:
        last = window + runs - 1
        return last if hashes[last] <= hashes[before] else before
    best = window
    for at in range(window + 1, window + runs):
        if hashes[at] <= hashes[best]:
            best = at
    return best


@compiled
def _fingerprints(data, offsets, size, run, fold, folded, kinds, found, lengths):
    room = longest_text(offsets) + 1
    points, places = np.empty(room, np.int32), np.empty(room, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    hashes = np.empty(room, np.uint64)
    filled = 0
    for text in range(len(lengths)):
        tokens = _hash_runs(
            data,
            offsets[text],
            offsets[text + 1],
            run,
            fold,
            folded,
            kinds,
            points,
            places,
            starts,
            ends,
            hashes,
        )
        first = filled
        picked = -1
        for window in range(tokens - size + 1):
            best = _pick(hashes, window, size - run + 1, picked)
            if best != picked:
                found[filled] = hashes[best]
                filled += 1
            picked = best
        lengths[text] = filled - first


@compiled
def _windows(
    data,
    offsets,
    size,
    run,
    fold,
    folded,
    kinds,
    wanted,
    part,
    parts,
    found_at,
    found,
    tokens_of,
    lengths,
):
    room = longest_text(offsets) + 1
    points, places = np.empty(room, np.int32), np.empty(room, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    hashes = np.empty(room, np.uint64)
    filled = 0
    for text in range(len(lengths)):
        tokens = _hash_runs(
            data,
            offsets[text],
            offsets[text + 1],
            run,
            fold,
            folded,
            kinds,
            points,
            places,
            starts,
            ends,
            hashes,
        )
        first = filled
        picked = -1
        here = False
        for window in range(tokens - size + 1):
            best = _pick(hashes, window, size - run + 1, picked)
            if best != picked:
                at = np.searchsorted(wanted, hashes[best])
                here = at < len(wanted) and wanted[at] == hashes[best]
            picked = best
            if here:
                value = _joined(hashes[window], hashes[window + size - run])
                if value % parts == part:
                    found_at[filled], found[filled] = window, value
                    filled += 1
        tokens_of[text] = tokens
        lengths[text] = filled - first


@compiled
def _bound(data, offsets, kinds, first, last, gaps, lengths):
    room = longest_text(offsets) + 1
    points, places = np.empty(room, np.int32), np.empty(room, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    filled = 0
    for text in range(len(lengths)):
        base = offsets[text]
        count = decode_places(data, base, offsets[text + 1], points, places)
        tokens = _cut_tokens(points, count, kinds, starts, ends)
        before = 0
        for token in range(tokens):
            start, end = places[starts[token]], places[ends[token]]
            first[filled], last[filled] = start, end
            gaps[filled] = gap_strength(data, base + before, base + start)
            before = end
            filled += 1
        lengths[text] = tokens
