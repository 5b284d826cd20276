"""Where units of texts, such as lines or tokens, are, and what is cut when some of them go.

A unit is visible text; between units there is nothing but white space. Of the white spaces around and
between units that go, one stays: the one with most line feeds, of which two are as good as more; the
last of equals.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from dagster_project.operators.kernels.english_words import decode_text
from dagster_project.operators.kernels.list_series import arrow_array, list_series
from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNITS = pl.List(pl.Struct({"start": pl.UInt32, "end": pl.UInt32, "gap": pl.UInt8}))
"""Units of a text: their bytes, and how strong the white space before them is: 0 there is none, 1 it
is within a line, 2 it has a line feed, 3 it has several."""

_TEXT_EDGE = 4
NEWLINE = 10


def cut_spans(
    units: pl.Series,
    texts: NDArray[np.int64],
    firsts: NDArray[np.int64],
    lasts: NDArray[np.int64],
    others: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.uint32], NDArray[np.uint32]]:
    """The bytes to cut so that pieces of texts go.

    Args:
        units: of `UNITS`.
        texts, firsts, lasts: of each piece its text, its first unit and the one after its last; in
            order, not overlapping, and not all of a text.
        others: pieces of a text that touch become one span if these are equal.

    Returns:
        Of each span a piece that it belongs to, its start and its length; in order, not overlapping.
    """
    flat = units.explode(empty_as_null=False).struct
    starts, ends, gaps = (flat.field(name).to_numpy() for name in ("start", "end", "gap"))
    lengths = units.list.len().to_numpy()
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    piece = np.empty(2 * len(texts), np.int64)
    span = np.empty((2, 2 * len(texts)), np.uint32)
    count = _spans(offsets, starts, ends, gaps, texts, firsts, lasts, others, piece, span)
    return piece[:count], span[0, :count], span[1, :count] - span[0, :count]


def unit_lists(
    name: str,
    lengths: NDArray[np.int64],
    starts: NDArray[np.uint32],
    ends: NDArray[np.uint32],
    gaps: NDArray[np.uint8],
) -> pl.Series:
    """A series of `UNITS`, of which the first arrays' `sum(lengths)` items are used."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    used = [array[: offsets[-1]].copy() for array in (starts, ends, gaps)]
    return nested(name, offsets, dict(zip(("start", "end", "gap"), used, strict=True)), UNITS)


def nested(
    name: str, offsets: NDArray[np.int64], fields: dict[str, NDArray], dtype: pl.DataType
) -> pl.Series:
    """A series of lists of objects."""
    items = pa.StructArray.from_arrays(list(map(arrow_array, fields.values())), list(fields))
    return list_series(name, offsets, items).cast(dtype)


@compiled
def is_space(point):
    """Whether a code point has the Unicode property White_Space."""
    if point < 0x80:
        return point == 32 or 9 <= point <= 13
    if point < 0x2000:
        return point in (0x85, 0xA0, 0x1680)
    return point <= 0x200A or point in (0x2028, 0x2029, 0x202F, 0x205F, 0x3000)


@compiled
def decode_places(data, start, end, points, places):
    """The code points of a text, into `points`, and where each of them and the text's end is in bytes
    from its start, into `places`; returns how many."""
    count = decode_text(data, start, end, points)
    place = 0
    for at in range(count):
        places[at] = place
        point = points[at]
        place += 1 + (point >= 0x80) + (point >= 0x800) + (point >= 0x10000)
    places[count] = place
    return count


@compiled
def gap_strength(data, start, end):
    """How strong a white space is, as in `UNITS`."""
    feeds = 0
    for at in range(start, end):
        feeds += data[at] == NEWLINE
    return min(feeds + 1, 3) if end > start else 0


@compiled
def longest_text(offsets):
    """Bytes of the longest text, at least 1."""
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    return longest


@compiled
def _spans(offsets, starts, ends, gaps, texts, firsts, lasts, others, piece, span):
    count = 0
    run = 0
    while run < len(texts):
        text = texts[run]
        base = offsets[text]
        units = offsets[text + 1] - base
        after = run + 1
        while after < len(texts) and texts[after] == text and firsts[after] == lasts[after - 1]:
            after += 1
        stays = firsts[run]  # the unit before which the white space stays
        strength = gaps[base + stays] if stays else np.uint8(_TEXT_EDGE)
        for unit in range(stays + 1, lasts[after - 1] + 1):
            other = gaps[base + unit] if unit < units else np.uint8(_TEXT_EDGE)
            if other >= strength:
                stays, strength = unit, other
        for index in range(run, after):
            for half in range(2):
                if half == 0:
                    first, last = firsts[index], min(lasts[index], stays)
                else:
                    first, last = max(firsts[index], stays), lasts[index]
                if first >= last:
                    continue
                start = ends[base + first - 1] if half == 0 else starts[base + first]
                end = ends[base + last - 1] if half == 0 else starts[base + last]
                before = count - 1
                if (
                    count
                    and span[1, before] == start
                    and texts[piece[before]] == text
                    and others[piece[before]] == others[index]
                ):
                    span[1, before] = end
                    continue
                piece[count], span[0, count], span[1, count] = index, start, end
                count += 1
        run = after
    return count
