"""A linear classifier of texts by their words and pairs of neighbouring words, in compiled code.

Words are told as in `ngram_model`. Each distinct word and pair of a text is hashed into one of 2^20
buckets; a text is the vector of its buckets, of length one, so that neither repetition nor length
counts, and a constant. The weights are those of logistic regression with an L2 penalty, found by dual
coordinate ascent (Shalev-Shwartz and Zhang 2013, section 6.2), in a fixed order and number of passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.ngram_model import word_tables
from dagster_project.operators.kernels.shingles import compiled, mix, next_word, text_buffers

if TYPE_CHECKING:
    from numpy.typing import NDArray

BITS = 20
FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class WordFeatures:
    """What texts that have words are made of.

    Attributes:
        buckets: of each text, one text after the other.
        ends: where each text begins in `buckets`, and the last one ends.
    """

    buckets: NDArray[np.int32]
    ends: NDArray[np.int64]

    @property
    def texts(self) -> int:
        """How many texts there are."""
        return len(self.ends) - 1


def word_features(texts: pl.Series) -> WordFeatures:
    """The buckets of the texts that have words: 4 bytes for each distinct word and pair of a text."""
    data, offsets = text_buffers(texts)
    found = np.empty(int(offsets[-1] - offsets[0]) + len(texts) + 1, np.int32)
    counts = np.empty(len(texts), np.int64)
    used = _read(data, offsets, *word_tables(), found, counts)
    ends = np.concatenate([[0], np.cumsum(counts[counts > 0])])
    return WordFeatures(found[:used].copy(), ends)


def fitted(
    like: WordFeatures, unlike: WordFeatures, strength: float, passes: int
) -> NDArray[np.float32]:
    """Weights by which texts of the first kind are told from those of the second. Both kinds weigh the
    same, however many texts they have.

    Args:
        like, unlike: at least one text of each.
        strength: how closely the weights follow the texts: the inverse of the penalty (C).
        passes: over all texts.
    """
    sizes = np.array([like.texts, unlike.texts])
    kinds = np.repeat([1.0, -1.0], sizes)
    costs = strength * np.repeat(sizes.sum() / (2 * sizes), sizes)
    buckets = np.concatenate([like.buckets, unlike.buckets])
    ends = np.concatenate([like.ends, like.ends[-1] + unlike.ends[1:]])
    order = np.argsort(_mixed(len(kinds)), kind="stable")
    weights = np.zeros(2**BITS + 1, np.float64)
    _ascend(buckets, ends, kinds, costs, order, passes, weights)
    return weights.astype(np.float32)


def probabilities(texts: pl.Series, weights: NDArray[np.float32]) -> pl.Series:
    """How probably each text is of the first kind, if both were equally common, 0 to 1; null for a text
    without words. Each is the same number whatever the other texts are."""
    data, offsets = text_buffers(texts)
    found = np.empty(len(texts), np.float64)
    _apply(data, offsets, *word_tables(), weights, found)
    return pl.Series(texts.name, found).fill_nan(None)


@compiled
def _mixed(count):
    """Numbers that put as many things in an order without rhyme, always the same."""
    found = np.empty(count, np.uint64)
    for at in range(count):
        found[at] = mix(at + 1)
    return found


@compiled
def _mark(key, seen, turn, found, end):
    """Write the bucket of a key to `found[end]`, unless it was seen this turn; returns the new end."""
    bucket = np.int64(key >> np.uint64(64 - BITS))
    if seen[bucket] == turn:
        return end
    seen[bucket] = turn
    found[end] = bucket
    return end + 1


@compiled
def _buckets_of(data, at, end, folded, kinds, seen, turn, found, used):
    """Write the distinct buckets of a text from `found[used]` on; returns where they end."""
    before = np.uint64(0)
    while True:
        word, _, _, at = next_word(data, at, end, folded, kinds)
        if word == 0:
            return used
        used = _mark(mix(word), seen, turn, found, used)
        if before != 0:
            used = _mark(mix(before * FACTOR + word), seen, turn, found, used)
        before = word


@compiled
def _read(data, offsets, folded, kinds, found, counts):
    seen = np.full(2**BITS, -1, np.int64)
    used = 0
    for text in range(len(counts)):
        before = used
        used = _buckets_of(
            data, offsets[text], offsets[text + 1], folded, kinds, seen, text, found, used
        )
        counts[text] = used - before
    return used


@compiled
def _ascend(buckets, ends, kinds, costs, order, passes, weights):
    constant = len(weights) - 1
    duals = np.zeros(len(kinds))
    for _ in range(passes):
        for text in order:
            start, end = ends[text], ends[text + 1]
            value = 1 / np.sqrt(np.float64(end - start))
            score = 0.0
            for at in range(start, end):
                score += weights[buckets[at]]
            margin = kinds[text] * (score * value + weights[constant])
            slope = 1 / (1 + np.exp(margin)) - duals[text]
            step = slope / max(1.0, 0.25 + 2 * costs[text])
            duals[text] += step
            change = step * costs[text] * kinds[text]
            weights[constant] += change
            for at in range(start, end):
                weights[buckets[at]] += change * value


@compiled
def _apply(data, offsets, folded, kinds, weights, results):
    seen = np.full(2**BITS, -1, np.int64)
    longest = 1
    for text in range(len(results)):
        longest = max(longest, offsets[text + 1] - offsets[text])
    found = np.empty(longest + 1, np.int32)
    for text in range(len(results)):
        count = _buckets_of(
            data, offsets[text], offsets[text + 1], folded, kinds, seen, text, found, 0
        )
        results[text] = np.nan
        if count:
            score = 0.0
            for at in range(count):
                score += weights[found[at]]
            score = score / np.sqrt(np.float64(count)) + weights[len(weights) - 1]
            results[text] = 1 / (1 + np.exp(-score))
