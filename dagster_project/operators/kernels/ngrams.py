"""Runs of words that texts share with the items of a set: found by their hashes, in compiled code.

Words are told as in `shingles`: in any script, without case and punctuation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.list_series import list_series
from dagster_project.operators.kernels.shingles import (
    code_points,
    compiled,
    mix,
    next_word,
    text_buffers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Odd; a run of words w is the sum of w[i] · FACTOR^(size - 1 - i), mixed."""


@dataclass(frozen=True)
class ItemNgrams:
    """The n-grams of a set of items.

    Attributes:
        size: words of an n-gram.
        grams: the number of the n-gram that begins at each word of each item, one item after the
            other; -1 for those that are common to many items.
        ends: where each item begins in `grams`, and the last one ends. An item of fewer than `size`
            words has none.
        count: of distinct n-grams that have a number.
        slots, numbers: a hash table with open addressing, from an n-gram's hash to its number.
    """

    size: int
    grams: NDArray[np.int32]
    ends: NDArray[np.int64]
    count: int
    slots: NDArray[np.uint64]
    numbers: NDArray[np.int32]


def item_ngrams(items: pl.Series, size: int, common: int) -> ItemNgrams:
    """Number the n-grams of items.

    Args:
        items: of String.
        size: words of an n-gram.
        common: n-grams of more different items than this are left out.
    """
    hashes, ends = _grams_of(items, size)
    distinct, numbers = np.unique(hashes, return_inverse=True)
    texts = items.hash().to_numpy()
    of = np.repeat(texts, np.diff(ends))
    pairs = np.unique(np.stack([numbers.astype(np.uint64), of], axis=1), axis=0)
    rare = np.bincount(pairs[:, 0].astype(np.int64), minlength=len(distinct)) <= common
    renumbered = np.where(rare, np.cumsum(rare) - 1, -1).astype(np.int32)
    kept = distinct[rare]
    slots, table = _table(kept)
    grams = renumbered[numbers] if len(numbers) else np.empty(0, np.int32)
    return ItemNgrams(size, grams, ends, len(kept), slots, table)


def shared_ngrams(texts: pl.Series, known: ItemNgrams) -> pl.Series:
    """The numbers of the items' n-grams that each text has: `List(UInt32)`, sorted, each once."""
    data, offsets = text_buffers(texts)
    counts = np.empty(len(texts), np.int64)
    found = np.empty(max(1, int(offsets[-1] - offsets[0]) // 2 + len(texts)), np.uint32)
    _shared(data, offsets, known.size, *code_points(), known.slots, known.numbers, found, counts)
    ends = np.concatenate([[0], np.cumsum(counts)])
    return list_series(texts.name, ends, found[: ends[-1]].copy())


def matched_spans(
    texts: pl.Series, items: NDArray[np.int64], known: ItemNgrams
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each text, where its longest run of n-grams that are the item's begins and how long it is, in
    bytes of its UTF-8.

    Args:
        texts: of String.
        items: the number of an item for each text.
        known: from `item_ngrams`.
    """
    data, offsets = text_buffers(texts)
    starts = np.zeros(len(texts), np.int64)
    lengths = np.zeros(len(texts), np.int64)
    _spans(
        data, offsets, known.size, *code_points(), known.slots, known.numbers, known.grams,
        known.ends, known.count, items, starts, lengths,
    )  # fmt: skip
    return starts, lengths


def overlaps(
    matches: NDArray[np.uint32],
    ends: NDArray[np.int64],
    known: ItemNgrams,
    own: NDArray[np.bool_],
    by_tokens: bool,
    least: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """How much of each item is in each text.

    Args:
        matches: numbers of the n-grams that texts share with items, one text after the other.
        ends: where each text begins in `matches`, and the last one ends.
        known: from `item_ngrams`.
        own: for each of `known.grams`, whether it counts.
        by_tokens: whether the share is of an item's words that lie in n-grams that count; else of
            those n-grams.
        least: smallest share that is told.

    Returns:
        Text and item of each pair, shape (pairs, 2), by text and item; and the shares.
    """
    postings, places = _postings(known)
    room = max(16, len(ends))
    while True:
        pairs, shares = np.empty((room, 2), np.int64), np.empty(room)
        count = _overlaps(
            matches, ends, known.grams, known.ends, own, known.size, known.count, postings, places,
            by_tokens, least, pairs, shares,
        )  # fmt: skip
        if count <= room:
            order = np.lexsort((pairs[:count, 1], pairs[:count, 0]))
            return pairs[order], shares[order]
        room = count


def _postings(known: ItemNgrams) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The items of each n-gram, one n-gram after the other, and where each begins."""
    items = np.repeat(np.arange(len(known.ends) - 1), np.diff(known.ends))
    there = known.grams >= 0
    pairs = np.unique(np.stack([known.grams[there].astype(np.int64), items[there]], 1), axis=0)
    counts = np.bincount(pairs[:, 0], minlength=known.count)
    return pairs[:, 1].copy(), np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _grams_of(texts: pl.Series, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    data, offsets = text_buffers(texts)
    counts = np.empty(len(texts), np.int64)
    found = np.empty(max(1, int(offsets[-1] - offsets[0])), np.uint64)
    _all_grams(data, offsets, size, *code_points(), found, counts)
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return found[: ends[-1]].copy(), ends


def _table(hashes: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    size = 16
    while size < 3 * len(hashes):
        size *= 2
    slots, numbers = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    _fill(hashes, slots, numbers)
    return slots, numbers


@compiled
def _fill(hashes, slots, numbers):
    last = len(slots) - 1
    for number in range(len(hashes)):
        at = np.int64(hashes[number] & np.uint64(last))
        while numbers[at] >= 0:
            at = (at + 1) & last
        slots[at] = hashes[number]
        numbers[at] = number


@compiled
def _number(gram, slots, numbers):
    last = len(slots) - 1
    at = np.int64(gram & np.uint64(last))
    while numbers[at] >= 0:
        if slots[at] == gram:
            return numbers[at]
        at = (at + 1) & last
    return np.int32(-1)


@compiled
def _grams(data, start, end, size, folded, kinds, ring, grams, starts, ends):
    """The n-grams of one text into `grams`, where its words start and end into `starts` and `ends`;
    returns how many words."""
    out = np.uint64(1)
    for _ in range(size):
        out *= FACTOR
    words = 0
    value = np.uint64(0)
    at = start
    while True:
        word, first, after, at = next_word(data, at, end, folded, kinds)
        if word == 0:
            return words
        value = value * FACTOR + word
        if words >= size:
            value -= ring[words % size] * out
        ring[words % size] = word
        starts[words] = first
        ends[words] = after
        words += 1
        if words >= size:
            grams[words - size] = mix(value)


@compiled
def _longest(offsets):
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    return longest


@compiled
def _all_grams(data, offsets, size, folded, kinds, found, counts):
    longest = _longest(offsets)
    ring = np.empty(size, np.uint64)
    grams = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    filled = 0
    for text in range(len(counts)):
        words = _grams(
            data, offsets[text], offsets[text + 1], size, folded, kinds, ring, grams, starts, ends
        )
        counts[text] = max(0, words - size + 1)
        found[filled : filled + counts[text]] = grams[: counts[text]]
        filled += counts[text]


@compiled
def _shared(data, offsets, size, folded, kinds, slots, numbers, found, counts):
    longest = _longest(offsets)
    ring = np.empty(size, np.uint64)
    grams = np.empty(longest, np.uint64)
    own = np.empty(longest, np.uint32)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    filled = 0
    for text in range(len(counts)):
        words = _grams(
            data, offsets[text], offsets[text + 1], size, folded, kinds, ring, grams, starts, ends
        )
        hits = 0
        for index in range(words - size + 1):
            number = _number(grams[index], slots, numbers)
            if number >= 0:
                own[hits] = number
                hits += 1
        before = filled
        if hits:
            ordered = np.sort(own[:hits])
            for index in range(hits):
                if index == 0 or ordered[index] != ordered[index - 1]:
                    found[filled] = ordered[index]
                    filled += 1
        counts[text] = filled - before


@compiled
def _spans(
    data, offsets, size, folded, kinds, slots, numbers, item_grams, item_ends, count, items, begin,
    length,
):  # fmt: skip
    longest = _longest(offsets)
    ring = np.empty(size, np.uint64)
    grams = np.empty(longest, np.uint64)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    owner = np.full(count, -1, np.int64)
    for text in range(len(items)):
        for at in range(item_ends[items[text]], item_ends[items[text] + 1]):
            if item_grams[at] >= 0:
                owner[item_grams[at]] = text
        words = _grams(
            data, offsets[text], offsets[text + 1], size, folded, kinds, ring, grams, starts, ends
        )
        run, most, last = 0, 0, -1
        for index in range(words - size + 1):
            number = _number(grams[index], slots, numbers)
            run = run + 1 if number >= 0 and owner[number] == text else 0
            if run > most:
                most, last = run, index
        if most:
            first = starts[last - most + 1]
            begin[text] = first - offsets[text]
            length[text] = ends[last + size - 1] - first


@compiled
def _overlaps(
    matches, ends, grams, item_ends, own, size, count, postings, places, by_tokens, least, pairs,
    shares,
):  # fmt: skip
    has = np.full(count, -1, np.int64)
    seen = np.full(len(item_ends) - 1, -1, np.int64)
    filled = 0
    for text in range(len(ends) - 1):
        for index in range(ends[text], ends[text + 1]):
            has[matches[index]] = text
        for index in range(ends[text], ends[text + 1]):
            gram = matches[index]
            for place in range(places[gram], places[gram + 1]):
                item = postings[place]
                if seen[item] == text:
                    continue
                seen[item] = text
                share = _share(grams, item_ends[item], item_ends[item + 1], own, size, has, text,
                               by_tokens)  # fmt: skip
                if share < least or share == 0:
                    continue
                if filled < len(shares):
                    pairs[filled, 0], pairs[filled, 1] = text, item
                    shares[filled] = share
                filled += 1
    return filled


@compiled
def _share(grams, start, end, own, size, has, text, by_tokens):
    """Which share of an item's own words, or n-grams, is in the text."""
    part, whole = 0, 0
    covered, counted = start, start
    for at in range(start, end):
        if not own[at]:
            continue
        if by_tokens:
            whole += at + size - max(counted, at)
            counted = at + size
        else:
            whole += 1
        if has[grams[at]] == text:
            if by_tokens:
                part += at + size - max(covered, at)
                covered = at + size
            else:
                part += 1
    return part / whole if whole else 0.0
