"""The highest ROUGE-L of texts with others, exactly, in compiled code.

ROUGE-L of two texts is `2·L / (m + n)`, where L is the length of the longest sequence of words that both
have in this order, and m and n are how many words they have (Lin 2004). L is at most the number of words
that both have at all, however ordered. So two texts with more than a threshold share one of the rarest
words of each, as many as the threshold leaves room for (prefix filtering: Bayardo et al. 2007; Xiao et
al. 2008); only such pairs are looked at, and only those that have enough words in common are compared in
order, 64 words at a time (Hyyrö 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray

NONE = -1


@dataclass(frozen=True)
class Novelty:
    """What is found of each text.

    Attributes:
        nearest: the text that it is most like, of those above the floor; -1 for none.
        similarity: to that; 0 for none.
    """

    nearest: NDArray[np.int64]
    similarity: NDArray[np.float64]


def words(text: pl.Expr) -> pl.Expr:
    """A text's words: letters and digits of any script, in lower case. For ASCII, as `rouge_score`
    tells them without a stemmer."""
    return text.str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")


def nearest_before(
    texts: pl.Series, known: int, most: float, floor: float, *, within: bool
) -> Novelty:
    """For each text, the one before it that it is most like: the first `known` texts, and, with
    `within`, later ones that are themselves not more than `most` like an earlier one.

    Args:
        texts: lists of words.
        known: how many texts are there to compare with only.
        most: the similarity above which a text is left out.
        floor: the similarity above which the nearest is told, not above `most`.
        within: whether texts are compared with each other.
    """
    frame = pl.DataFrame({"row": pl.int_range(len(texts), eager=True), "word": texts})
    spread = frame.explode("word", empty_as_null=False, keep_nulls=False)
    lengths = texts.list.len().fill_null(0).to_numpy().astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ids = spread["word"].rank("dense").to_numpy().astype(np.int64) - 1
    rows = spread["row"].to_numpy()
    rarity, order = _by_rarity(rows, ids)
    nearest = np.full(len(texts), NONE, np.int64)
    similarity = np.zeros(len(texts), np.float64)
    _compare(ids, rarity[order], offsets, known, most, floor, within, nearest, similarity)
    return Novelty(nearest, similarity)


def _by_rarity(
    rows: NDArray[np.int64], ids: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each word, its place among all words by rarity, where a word's second time in a text is
    another word; and the order of words by row and that place."""
    frame = pl.DataFrame({"row": rows, "id": ids}).with_columns(
        pl.int_range(pl.len()).over("row", "id").alias("time")
    )
    ranks = (
        frame.group_by("id", "time")
        .len()
        .sort("len", "id", "time")
        .with_row_index("rank")
        .select("id", "time", pl.col("rank").cast(pl.Int64))
    )
    placed = frame.join(ranks, on=["id", "time"], how="left", maintain_order="left")["rank"]
    rarity = placed.to_numpy()
    return rarity, np.lexsort((rarity, rows))


@compiled
def _least_overlap(one, other, floor):
    """The fewest words that two texts of these lengths must share to be above the floor."""
    return np.int64(np.floor(floor * (one + other) / 2 + 1e-9)) + 1


@compiled
def _prefix(length, floor):
    """How many of its rarest words a text must be looked up by."""
    shortest = np.int64(np.ceil(length * floor / (2 - floor) - 1e-9))
    return length - _least_overlap(length, max(shortest, 1), floor) + 1


@compiled
def _shared(ranks, at, end, other, other_end, wanted):
    """How many words two texts share; less than `wanted` as soon as it cannot be reached."""
    count = 0
    while at < end and other < other_end:
        if count + min(end - at, other_end - other) < wanted:
            return count
        if ranks[at] == ranks[other]:
            count += 1
            at += 1
            other += 1
        elif ranks[at] < ranks[other]:
            at += 1
        else:
            other += 1
    return count


@compiled
def _in_order(ids, start, end, places, masks, blocks, length, state):
    """The longest common subsequence of a text, whose words' places are in `masks`, and another."""
    for block in range(blocks):
        state[block] = ~np.uint64(0)
    for at in range(start, end):
        place = places[ids[at]]
        if place == 0:
            continue
        carry = np.uint64(0)
        for block in range(blocks):
            value = state[block]
            both = value & masks[place, block]
            total = value + both
            over = np.uint64(1) if total < value else np.uint64(0)
            summed = total + carry
            if summed < total:
                over = np.uint64(1)
            carry = over
            state[block] = summed | (value & ~masks[place, block])
    count = 0
    for word in range(length):
        bit = (state[word >> 6] >> np.uint64(word & 63)) & np.uint64(1)
        if bit == np.uint64(0):
            count += 1
    return count


@compiled
def _compare(  # noqa: PLR0915
    ids, ranks, offsets, known, most, floor, within, nearest, similarity
):
    texts = len(offsets) - 1
    vocabulary = 1
    for word in ids:
        vocabulary = max(vocabulary, word + 1)
    distinct = 1
    for rank in ranks:
        distinct = max(distinct, rank + 1)
    longest = 1
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    head = np.full(distinct, -1, np.int32)
    entries = np.int64(0)
    for text in range(texts):
        length = offsets[text + 1] - offsets[text]
        if length:
            entries += max(_prefix(length, floor), 0)
    listed = np.empty((entries, 4), np.int32)  # the next entry, the text's length, place, text
    least = np.empty(longest + 1, np.int64)
    count = 0
    seen = np.full(texts, -1, np.int64)
    places = np.zeros(vocabulary, np.int64)
    most_blocks = (longest + 63) >> 6
    masks = np.zeros((longest + 1, most_blocks), np.uint64)
    state = np.empty(most_blocks, np.uint64)
    for text in range(texts):
        start, end = offsets[text], offsets[text + 1]
        length = end - start
        if length == 0:
            continue
        prefix = max(_prefix(length, floor), 0)
        if text >= known:
            blocks = (length + 63) >> 6
            used = 0
            for at in range(start, end):
                word = ids[at]
                if places[word] == 0:
                    used += 1
                    places[word] = used
                    for block in range(blocks):
                        masks[used, block] = 0
                spot = at - start
                masks[places[word], spot >> 6] |= np.uint64(1) << np.uint64(spot & 63)
            best, found = floor, -1
            shortest = max(np.int64(np.ceil(length * floor / (2 - floor) - 1e-9)), 1)
            longest_other = np.int64(np.floor(length * (2 - floor) / floor + 1e-9))
            for size in range(shortest, min(longest_other, longest) + 1):
                least[size] = _least_overlap(length, size, floor)
            for step in range(prefix):
                entry = head[ranks[start + step]]
                while entry >= 0:
                    size = np.int64(listed[entry, 1])
                    if shortest <= size <= longest_other:
                        other = np.int64(listed[entry, 3])
                        wanted = least[size]
                        room = 1 + min(length - step - 1, size - listed[entry, 2] - 1)
                        if room >= wanted and seen[other] != text:
                            seen[other] = text
                            other_start = offsets[other]
                            other_end = other_start + size
                            if _shared(ranks, start + step, end, other_start + listed[entry, 2],
                                       other_end, wanted) >= wanted:  # fmt: skip
                                common = _in_order(
                                    ids, other_start, other_end, places, masks, blocks, length,
                                    state,
                                )  # fmt: skip
                                value = 2.0 * common / (length + size)
                                if value > best or (value == best and 0 <= other < found):
                                    best, found = value, other
                    entry = listed[entry, 0]
            for at in range(start, end):
                places[ids[at]] = 0
            if found >= 0:
                nearest[text], similarity[text] = found, best
        if text < known or (within and not (nearest[text] >= 0 and similarity[text] > most)):
            for step in range(prefix):
                rank = ranks[start + step]
                listed[count, 0], listed[count, 1] = head[rank], length
                listed[count, 2], listed[count, 3] = step, text
                head[rank] = count
                count += 1
