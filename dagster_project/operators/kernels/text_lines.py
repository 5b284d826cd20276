"""Lines, sentences and paragraphs of texts, and hashes of what they say, in compiled code."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from dagster_project.operators.kernels.list_series import list_series
from dagster_project.operators.kernels.shingles import code_points, compiled, mix, text_buffers
from dagster_project.operators.kernels.text_cuts import (
    NEWLINE,
    decode_places,
    gap_strength,
    is_space,
    longest_text,
    unit_lists,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

LineUnit = Literal["line", "sentence", "paragraph"]
Compared = Literal["none", "whitespace_case", "ccnet"]

UNIT_NUMBERS = {"line": 0, "sentence": 1, "paragraph": 2}
_SENTENCE, _PARAGRAPH = 1, 2

_DROPPED = -1
_STOPS, _WIDE_STOPS, _CLOSERS = ".!?…", "。！？｡", "\"'”’»)]」』）】"
_STOP, _WIDE_STOP, _CLOSER = 1, 2, 4


def unit_hashes(
    texts: pl.Series, unit: LineUnit, compared: Compared, min_characters: int
) -> pl.Series:
    """A hash of each unit of the texts; 0 for a unit that is too short.

    Args:
        texts: of String.
        unit: what texts are cut into. Only what has visible characters is a unit.
        compared: what of a unit counts; see `_seen_as`. White space around it never does.
        min_characters: fewest visible characters that count.

    Returns:
        `List(UInt64)`.
    """
    data, offsets = text_buffers(texts)
    lengths = np.empty(len(texts), np.int64)
    hashes = np.empty(max(1, int(offsets[-1] - offsets[0])), np.uint64)
    number, seen_as = UNIT_NUMBERS[unit], _seen_as(compared)
    squeezed = compared != "none"
    _hash(data, offsets, number, _marks(), seen_as, squeezed, min_characters, hashes, lengths)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    return list_series(texts.name, ends, hashes[: ends[-1]].copy())


def unit_bounds(texts: pl.Series, unit: LineUnit) -> pl.Series:
    """Where the units of `unit_hashes` are: `UNITS`."""
    data, offsets = text_buffers(texts)
    room = max(1, int(offsets[-1] - offsets[0]))
    lengths = np.empty(len(texts), np.int64)
    starts, ends = np.empty(room, np.uint32), np.empty(room, np.uint32)
    gaps = np.empty(room, np.uint8)
    _bound(data, offsets, UNIT_NUMBERS[unit], _marks(), starts, ends, gaps, lengths)
    return unit_lists(texts.name, lengths, starts, ends, gaps)


@cache
def _seen_as(compared: Compared) -> NDArray[np.int32]:
    """What code points are compared as: `none` as they are; `whitespace_case` without case; `ccnet`
    without case, with digits as 0, and without punctuation and control characters."""
    folded, _ = code_points()
    if compared == "none":
        return np.arange(len(folded), dtype=np.int32)
    seen = folded.copy()
    if compared == "ccnet":
        for point in range(len(seen)):
            category = unicodedata.category(chr(point))
            if category == "Nd":
                seen[point] = ord("0")
            elif category[0] in "PC" and not chr(point).isspace():
                seen[point] = _DROPPED
    return seen


@cache
def _marks() -> NDArray[np.uint8]:
    """What code points are to the end of a sentence."""
    marks = np.zeros(0x10000, np.uint8)
    for characters, mark in ((_STOPS, _STOP), (_WIDE_STOPS, _WIDE_STOP), (_CLOSERS, _CLOSER)):
        marks[[ord(character) for character in characters]] = mark
    return marks


@compiled
def _cut_units(points, count, unit, marks, starts, ends):
    """Where the units of a text start and end, in code points; returns how many."""
    units = 0
    line, blank = 0, True
    first, last = -1, 0
    at = 0
    while at <= count:
        if at == count or points[at] == NEWLINE:
            if first >= 0 and (unit != _PARAGRAPH or blank or at == count):
                starts[units], ends[units] = first, last
                units += 1
                first = -1
            line, blank = at + 1, True
            at += 1
            continue
        if is_space(points[at]):
            at += 1
            continue
        if first < 0:
            first = at if unit == _SENTENCE else line
        blank = False
        found = 0
        if unit == _SENTENCE:
            while at < count and points[at] < len(marks):
                mark = marks[points[at]]
                if mark == 0 or (mark == _CLOSER and not found):
                    break
                found |= mark
                at += 1
        if not found:
            at += 1
            last = at
            continue
        last = at
        if found & _WIDE_STOP or at == count or is_space(points[at]):
            starts[units], ends[units] = first, last
            units += 1
            first = -1
    return units


@compiled
def _unit_hash(points, start, end, seen_as, squeezed, min_characters):
    """A hash of what a unit says; 0 if it is too short."""
    value = np.uint64(0x5EEDBED)
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    characters = 0
    spaced = False
    while start < end and is_space(points[start]):
        start += 1
    for at in range(start, end):
        point = points[at]
        if point < len(seen_as):
            point = seen_as[point]
        if point == _DROPPED:
            continue
        space = is_space(point)
        if squeezed and space:
            spaced = characters > 0
            continue
        if spaced:
            value = (value ^ np.uint64(32)) * multiplier
            value ^= value >> np.uint64(29)
            spaced = False
        value = (value ^ np.uint64(point)) * multiplier
        value ^= value >> np.uint64(29)
        characters += not space
    if characters < min_characters:
        return np.uint64(0)
    return max(mix(value), np.uint64(1))


@compiled
def _hash(data, offsets, unit, marks, seen_as, squeezed, min_characters, hashes, lengths):
    room = longest_text(offsets) + 1
    points, places = np.empty(room, np.int32), np.empty(room, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    filled = 0
    for text in range(len(lengths)):
        count = decode_places(data, offsets[text], offsets[text + 1], points, places)
        units = _cut_units(points, count, unit, marks, starts, ends)
        for index in range(units):
            hashes[filled + index] = _unit_hash(
                points, starts[index], ends[index], seen_as, squeezed, min_characters
            )
        lengths[text] = units
        filled += units


@compiled
def _bound(data, offsets, unit, marks, first, last, gaps, lengths):
    room = longest_text(offsets) + 1
    points, places = np.empty(room, np.int32), np.empty(room, np.int64)
    starts, ends = np.empty(room, np.int64), np.empty(room, np.int64)
    filled = 0
    for text in range(len(lengths)):
        base = offsets[text]
        count = decode_places(data, base, offsets[text + 1], points, places)
        units = _cut_units(points, count, unit, marks, starts, ends)
        before = 0
        for index in range(units):
            start, end = places[starts[index]], places[ends[index]]
            first[filled], last[filled] = start, end
            gaps[filled] = gap_strength(data, base + before, base + start)
            before = end
            filled += 1
        lengths[text] = units
