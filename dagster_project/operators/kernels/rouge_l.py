"""The highest ROUGE-L of texts with others, exactly, in compiled code.

ROUGE-L of two texts is `2·L / (m + n)`, where L is the length of the longest sequence of words that both
have in this order, and m and n are how many words they have (Lin 2004). L is at most the number of words
that both have at all, however ordered. So two texts with more than a threshold share one of the rarest
words of each, as many as the threshold leaves room for (prefix filtering: Bayardo et al. 2007; Xiao et
al. 2008). Only such pairs are looked at: first at how many words they can share by signatures of 256
bits (Sandes et al. 2020), then at how many they do share, and only then at those in order, 64 words at a
time (Hyyrö 2004). What a bound leaves out cannot be above the threshold.
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

NONE = -1


@dataclass(frozen=True)
class Novelty:
    """What is found of each text.

    Attributes:
        nearest: the text that it is most like, of those above the floor; the first of equals; -1 for
            none.
        similarity: to that; 0 for none.
    """

    nearest: NDArray[np.int64]
    similarity: NDArray[np.float64]


def words(texts: pl.Series) -> pl.Series:
    """The words of each text, in order, as hashes of 64 bits: `List(UInt64)`. A null has none.

    Words are told as in `shingles`. In texts of ASCII they are those of the package `rouge_score`
    without its stemmer, which takes all other letters for space.
    """
    data, offsets = text_buffers(texts)
    ends = np.zeros(len(texts) + 1, np.int64)
    _count_words(data, offsets, *code_points(), ends)
    found = np.empty(int(ends[-1]), np.uint64)
    _read_words(data, offsets, *code_points(), ends, found)
    return list_series(texts.name, ends, found)


def nearest_before(
    texts: pl.Series, known: int, most: float, floor: float, *, within: bool
) -> Novelty:
    """For each text after the first `known`, the one before it that it is most like: one of those,
    and, with `within`, of later ones that are themselves not more than `most` like an earlier one.

    Memory grows with the words of all texts; time with the pairs that share rare words.

    Args:
        texts: lists of words, from `words`.
        known: how many texts are there to compare with only.
        most: the similarity above which a text is left out.
        floor: the similarity above which the nearest is told; above 0, and not above `most`.
        within: whether texts are compared with each other.
    """
    lengths = texts.list.len().fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    spread = texts.explode(empty_as_null=False, keep_nulls=False)
    distinct = spread.unique().sort().to_numpy()
    ids = np.searchsorted(distinct, spread.to_numpy()).astype(np.int32)
    ranks, kinds = _by_rarity(ids, offsets, len(distinct))
    nearest = np.full(len(texts), NONE, np.int64)
    similarity = np.zeros(len(texts), np.float64)
    _compare(
        ids,
        ranks,
        offsets,
        lengths.max(initial=0),
        len(distinct),
        kinds,
        known,
        most,
        floor,
        within,
        nearest,
        similarity,
    )
    return Novelty(nearest, similarity)


def _by_rarity(
    ids: NDArray[np.int32], offsets: NDArray[np.int64], vocabulary: int
) -> tuple[NDArray[np.int32], int]:
    """The words of each text as places among all by rarity, rarest first, sorted; a word's second time in
    a text is another word. And how many such words there are."""
    times = np.empty(len(ids), np.int32)
    most_times = np.zeros(vocabulary, np.int64)
    _tell_times(ids, offsets, times, most_times)
    ends = np.cumsum(most_times)
    times += (ends - most_times).astype(np.int32)[ids]
    counts = np.bincount(times)
    places = np.empty(len(counts), np.int32)
    places[np.argsort(counts, kind="stable")] = np.arange(len(counts), dtype=np.int32)
    ranks = places[times]
    _sort_each(ranks, offsets)
    return ranks, len(counts)


@compiled
def _count_words(data, offsets, folded, kinds, ends):
    for text in range(len(offsets) - 1):
        at, end, count = offsets[text], offsets[text + 1], 0
        while True:
            word, _, _, at = next_word(data, at, end, folded, kinds)
            if word == 0:
                break
            count += 1
        ends[text + 1] = ends[text] + count


@compiled
def _read_words(data, offsets, folded, kinds, ends, found):
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        for place in range(ends[text], ends[text + 1]):
            found[place], _, _, at = next_word(data, at, end, folded, kinds)


@compiled
def _tell_times(ids, offsets, times, most_times):
    """How many times its text had each word before, and how many times a text has it at most."""
    last = np.full(len(most_times), -1, np.int64)
    had = np.zeros(len(most_times), np.int64)
    for text in range(len(offsets) - 1):
        for at in range(offsets[text], offsets[text + 1]):
            word = ids[at]
            if last[word] != text:
                last[word], had[word] = text, 0
            times[at] = had[word]
            had[word] += 1
            most_times[word] = max(most_times[word], had[word])


@compiled
def _sort_each(ranks, offsets):
    for text in range(len(offsets) - 1):
        ranks[offsets[text] : offsets[text + 1]].sort()


@compiled
def _least_shared(one, other, bound, above):
    """The fewest words that two texts of these lengths must share to be above a bound; or, unless
    `above`, to be at it."""
    half = bound * (one + other) / 2
    return np.int64(np.floor(half + 1e-9)) + 1 if above else np.int64(np.ceil(half - 1e-9))


@compiled
def _shortest(length, bound):
    """The fewest words of a text that one of this length can be so much like."""
    return max(np.int64(np.ceil(length * bound / (2 - bound) - 1e-9)), 1)


@compiled
def _longest(length, bound):
    """The most words of such a text."""
    return np.int64(np.floor(length * (2 - bound) / bound + 1e-9))


@compiled
def _prefix(length, bound, above):
    """By how many of its rarest words a text must be looked up."""
    return max(length - _least_shared(length, _shortest(length, bound), bound, above) + 1, 0)


@compiled
def _bits(value):
    """How many bits are set."""
    value = value - ((value >> np.uint64(1)) & np.uint64(0x5555555555555555))
    value = (value & np.uint64(0x3333333333333333)) + (
        (value >> np.uint64(2)) & np.uint64(0x3333333333333333)
    )
    value = (value + (value >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((value * np.uint64(0x0101010101010101)) >> np.uint64(56))


@compiled
def _signatures(ranks, offsets):
    """256 bits of each text: for each, whether an odd number of its words fall on it."""
    found = np.zeros((len(offsets) - 1, 4), np.uint64)
    for text in range(len(offsets) - 1):
        for at in range(offsets[text], offsets[text + 1]):
            bit = mix(np.uint64(ranks[at] + 1))
            found[text, (bit >> np.uint64(6)) & np.uint64(3)] ^= np.uint64(1) << (
                bit & np.uint64(63)
            )
    return found


@compiled
def _apart(one, other):
    """How many words at least only one of two texts has, by their signatures."""
    return (
        _bits(one[0] ^ other[0])
        + _bits(one[1] ^ other[1])
        + _bits(one[2] ^ other[2])
        + _bits(one[3] ^ other[3])
    )


@compiled
def _share(ranks, at, end, other, other_end, wanted):
    """Whether two texts share as many words as wanted."""
    spare, its_spare = end - at - wanted, other_end - other - wanted
    while spare >= 0 and its_spare >= 0 and at < end and other < other_end:
        rank, its = ranks[at], ranks[other]
        if rank <= its:
            at += 1
            spare -= rank < its
        if its <= rank:
            other += 1
            its_spare -= its < rank
    return spare >= 0 and its_spare >= 0


@compiled
def _mark(ids, start, end, masks):
    """Note where each of at most 64 words is."""
    for at in range(start, end):
        masks[ids[at]] |= np.uint64(1) << np.uint64(at - start)


@compiled
def _clear(ids, start, end, masks):
    for at in range(start, end):
        masks[ids[at]] = 0


@compiled
def _zeros(state, length):
    """How many of the first bits are not set: so many words are in order."""
    if length < 64:
        state |= ~np.uint64(0) << np.uint64(length)
    return 64 - _bits(state)


@compiled
def _in_order_of_64(ids, length, start, end, masks):
    """The longest common subsequence of a text of at most 64 words, whose places are in `masks`, and
    another."""
    state = ~np.uint64(0)
    for at in range(start, end):
        both = state & masks[ids[at]]
        state = (state + both) | (state - both)
    return _zeros(state, length)


@compiled
def _in_order(ids, start, end, other, other_end, wanted, masks, carries):
    """The longest common subsequence of two texts; any less than `wanted` as soon as that is out of
    reach."""
    carries[: other_end - other] = 0
    count = 0
    for first in range(start, end, 64):
        last = min(first + 64, end)
        _mark(ids, first, last, masks)
        state = ~np.uint64(0)
        for at in range(other, other_end):
            both = state & masks[ids[at]]
            total = state + both
            summed = total + np.uint64(carries[at - other])
            carries[at - other] = (total < state) | (summed < total)
            state = summed | (state - both)
        _clear(ids, first, last, masks)
        count += _zeros(state, last - first)
        if count + end - last < wanted:
            break
    return count


@compiled
def _limits(length, bound, above, least):
    """How a text of this length is looked up: by how many words, and among texts of which lengths. Into
    `least`, how many words must be shared with a text of each of those."""
    shortest, longest = _shortest(length, bound), min(_longest(length, bound), len(least) - 1)
    for size in range(shortest, longest + 1):
        least[size] = _least_shared(length, size, bound, above)
    return _prefix(length, bound, above), shortest, longest


@compiled
def _room(ranks, offsets, kinds, texts, floor):
    """Where the entries of each word begin among those of all, and the last ones end."""
    starts = np.zeros(kinds + 1, np.int64)
    for text in range(texts):
        start = offsets[text]
        for at in range(start, start + _prefix(offsets[text + 1] - start, floor, True)):
            starts[ranks[at] + 1] += 1
    return np.cumsum(starts)


@compiled
def _common(ids, start, end, other, other_end, wanted, masks, carries):
    """The longest common subsequence of two texts; any less than `wanted` as soon as that is out of
    reach. Of a first text of at most 64 words, `masks` has the places."""
    if end - start <= 64:
        return _in_order_of_64(ids, end - start, other, other_end, masks)
    if other_end - other < end - start:
        return _in_order(ids, other, other_end, start, end, wanted, masks, carries)
    return _in_order(ids, start, end, other, other_end, wanted, masks, carries)


@compiled
def _enter(ranks, start, length, floor, text, entries, ends):
    """Let a text be found by its rarest words."""
    for step in range(_prefix(length, floor, True)):
        rank = ranks[start + step]
        entry = ends[rank]
        entries[entry, 0], entries[entry, 1], entries[entry, 2] = length, step, text
        ends[rank] += 1


@compiled
def _compare(
    ids, ranks, offsets, most_words, vocabulary, kinds, known, most, floor, within, nearest, similarity
):  # fmt: skip
    texts = len(offsets) - 1
    signatures = _signatures(ranks, offsets)
    starts = _room(ranks, offsets, kinds, texts if within else known, floor)
    ends = starts[:-1].copy()
    entries = np.empty((starts[-1], 3), np.int32)  # a text's length, a word's place in it, the text
    least = np.empty(most_words + 1, np.int64)
    seen = np.full(texts, NONE, np.int64)
    masks = np.zeros(vocabulary, np.uint64)
    carries = np.zeros(most_words, np.uint8)
    for text in range(texts):
        start, end = offsets[text], offsets[text + 1]
        length = end - start
        if length == 0:
            continue
        best, found = floor, NONE
        if text >= known:
            prefix, shortest, longest = _limits(length, floor, True, least)
            if length <= 64:
                _mark(ids, start, end, masks)
            step = 0
            while step < prefix:
                rank = ranks[start + step]
                for entry in range(starts[rank], ends[rank]):
                    size = np.int64(entries[entry, 0])
                    if size < shortest or size > longest:
                        continue
                    place, wanted = np.int64(entries[entry, 1]), least[size]
                    if min(length - step, size - place) < wanted:
                        continue
                    other = np.int64(entries[entry, 2])
                    if seen[other] == text:
                        continue
                    seen[other] = text
                    if length + size - _apart(signatures[text], signatures[other]) < 2 * wanted:
                        continue
                    there = offsets[other]
                    stop = there + size
                    if not _share(ranks, start + step, end, there + place, stop, wanted):
                        continue
                    common = _common(ids, start, end, there, stop, wanted, masks, carries)
                    value = 2.0 * common / (length + size)
                    if value > best:
                        best, found = value, other
                        prefix, shortest, longest = _limits(length, best, False, least)
                    elif value == best and other < found:
                        found = other
                step += 1
            if length <= 64:
                _clear(ids, start, end, masks)
            nearest[text], similarity[text] = found, best if found != NONE else 0.0
        if text < known or (within and not (found != NONE and best > most)):
            _enter(ranks, start, length, floor, text, entries, ends)
