"""A trigram language model over words, with modified Kneser-Ney smoothing, in compiled code.

Words are told as in `shingles`: in any script, without case and punctuation; every digit is a zero, as
in CCNet (Wenzek et al. 2020), so that numbers of one length are one word. Smoothing is that of Chen and
Goodman 1998, interpolated, as Heafield et al. 2013 estimate it: a text is `<s> w1 … wn </s>`, and lower
orders count in how many contexts an n-gram stands, but what follows `<s>` is counted as it is. The
vocabulary is open: a word that the texts do not have is `<unk>`, whose probability is the share of
unseen events in the unigrams, spread evenly over the vocabulary.

Words and n-grams are known by 64-bit hashes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.operators.kernels.shingles import (
    code_points,
    compiled,
    mix,
    next_word,
    text_buffers,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

START, END = np.uint64(1), np.uint64(2)
"""What stands for the beginning and the end of a text among the hashes of words."""
UNIGRAM, BIGRAM, TRIGRAM = np.uint64(0x9E37), np.uint64(0x79B9), np.uint64(0x7F4A)
FACTOR = np.uint64(0xD6E8FEB86659FD93)
FALLBACK = (0.5, 1.0, 1.5)
"""Discounts where there are too few n-grams to tell them, as in KenLM's `--discount_fallback`."""


@dataclass(frozen=True)
class NgramModel:
    """A fitted model.

    Attributes:
        slots: a hash table with open addressing of the n-grams of all orders; 0 is a free place.
        probabilities: of an n-gram's last word after the others, at its place.
        backoffs: what the shorter context's probability counts after these words, at their place.
        unknown: the probability of a word that no text has.
    """

    slots: NDArray[np.uint64]
    probabilities: NDArray[np.float32]
    backoffs: NDArray[np.float32]
    unknown: float


def fitted(texts: pl.Series) -> NgramModel | None:
    """The model of some texts; None if there is no word in them.

    Takes up to 72 bytes for each word of the texts, and about 320 while it works; less the more they
    repeat themselves.
    """
    data, offsets = text_buffers(texts)
    room = int(offsets[-1] - offsets[0]) // 2 + 2 * len(texts) + 1
    words, first = np.empty(room, np.uint64), np.empty(room, np.bool_)
    count = _read(data, offsets, *word_tables(), words, first)
    words, first = words[:count].copy(), first[:count].copy()
    return _fitted(words, first, None) if count else None


def fitted_on_tokens(
    tokens: NDArray[np.integer], offsets: NDArray[np.integer], vocabulary: int
) -> NgramModel:
    """The model of some sequences of tokens of a fixed vocabulary, over all of which the share of unseen
    events is spread: models of different sequences can be compared.

    Args:
        tokens: below `vocabulary`, of all sequences, one after the other.
        offsets: where each sequence starts, and where the last ends; none is empty.
        vocabulary: how many tokens there are.
    """
    ends = np.asarray(offsets[1:], np.int64)
    words = np.insert(_as_words(tokens), ends, END)
    first = np.zeros(len(words), np.bool_)
    first[np.asarray(offsets[:-1], np.int64) + np.arange(len(ends))] = True
    return _fitted(words, first, vocabulary)


def token_losses(
    tokens: NDArray[np.integer],
    offsets: NDArray[np.integer],
    scored_from: NDArray[np.integer],
    model: NgramModel,
) -> NDArray[np.float64]:
    """What the model would have needed to know, in nats for each token, of the end of each sequence;
    its very end is counted as a token.

    Args:
        tokens: of all sequences, one after the other.
        offsets: where each sequence starts, and where the last ends.
        scored_from: how many tokens of each sequence are only read.
        model: of `fitted_on_tokens`.
    """
    found = np.empty(len(offsets) - 1, np.float64)
    _token_losses(
        _as_words(tokens), np.asarray(offsets, np.int64), np.asarray(scored_from, np.int64),
        model.slots, model.probabilities, model.backoffs, model.unknown, found,
    )  # fmt: skip
    return found


def _as_words(tokens: NDArray[np.integer]) -> NDArray[np.uint64]:
    return tokens.astype(np.uint64) + END + np.uint64(1)


def _fitted(
    words: NDArray[np.uint64], first: NDArray[np.bool_], vocabulary: int | None
) -> NgramModel:
    """The model of sequences that each end with `END`. `first`: where they begin."""
    # The n-grams that end at each word; a text's first word has no trigram.
    before = np.where(first, START, np.roll(words, 1))
    unigrams, bigrams = _keys(UNIGRAM, words), _keys(BIGRAM, before, words)
    inner = np.flatnonzero(~first)
    trigrams = _keys(TRIGRAM, np.where(first, START, np.roll(before, 1))[inner], before[inner],
                     words[inner])  # fmt: skip

    tri, tri_at, tri_counts = _distinct(trigrams)
    tri_at = inner[tri_at]
    # How many words stand before each bigram; how often each begins a text.
    bi, bi_at, bi_counts = _distinct(np.concatenate([bigrams[tri_at], bigrams[first]]))
    bi_at = np.concatenate([tri_at, np.flatnonzero(first)])[bi_at]
    uni, uni_at, uni_counts = _distinct(unigrams[bi_at])
    uni_at = bi_at[uni_at]

    shares, unseen = _discounted(uni_counts, np.zeros(len(uni), np.int64), 1)
    unknown = unseen[0] / ((vocabulary or len(uni)) + 1)
    unigram = shares + unknown
    context, contexts = _numbered(_keys(UNIGRAM, before[bi_at]))
    shares, unigram_backoffs = _discounted(bi_counts, context, len(contexts))
    lower = unigram[np.searchsorted(uni, unigrams[bi_at])]
    bigram = shares + unigram_backoffs[context] * lower
    unigram_contexts = contexts
    context, contexts = _numbered(bigrams[tri_at - 1])
    shares, bigram_backoffs = _discounted(tri_counts, context, len(contexts))
    lower = bigram[np.searchsorted(bi, bigrams[tri_at])]
    trigram = shares + bigram_backoffs[context] * lower

    # `<s>` is a context but no word; `</s>` and what ends a text is a word but no context.
    uni, unigram = np.append(uni, _keys(UNIGRAM, np.array([START]))), np.append(unigram, 0.0)
    keys = np.concatenate([uni, bi, tri])
    backoffs = np.ones(len(keys))
    backoffs[_places(uni, unigram_contexts)] = unigram_backoffs
    backoffs[len(uni) + np.searchsorted(bi, contexts)] = bigram_backoffs
    probabilities = np.concatenate([unigram, bigram, trigram])
    size = len(keys) + len(keys) // 2 + 8
    slots, at = np.zeros(size, np.uint64), np.empty(len(keys), np.int64)
    _insert(keys, slots, at)
    tables = np.zeros((2, size), np.float32)
    tables[0, at], tables[1, at] = probabilities, backoffs
    return NgramModel(slots, tables[0], tables[1], float(unknown))


def perplexities(texts: pl.Series, model: NgramModel) -> pl.Series:
    """The perplexity of each text, by word, its end included; null for a text without words. Each is
    the same number whatever the other texts are."""
    data, offsets = text_buffers(texts)
    found = np.empty(len(texts), np.float64)
    _perplexities(
        data, offsets, *word_tables(), model.slots, model.probabilities, model.backoffs,
        model.unknown, found,
    )  # fmt: skip
    return pl.Series(texts.name, found).fill_nan(None)


@cache
def word_tables() -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """`code_points`, with a zero for every digit."""
    folded, kinds = code_points()
    folded = folded.copy()
    for point in range(len(folded)):
        if chr(point).isdecimal():
            folded[point] = ord("0")
    return folded, kinds


def _keys(order: np.uint64, *words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Hashes of n-grams, given their first, second and third words."""
    keys = np.empty(len(words[0]), np.uint64)
    _hash(order, np.stack(words), keys)
    return keys


def _distinct(keys: NDArray[np.uint64]) -> tuple[NDArray, NDArray[np.int64], NDArray[np.int64]]:
    """The distinct keys, ascending, where each first is, and how often it is there."""
    return np.unique(keys, return_index=True, return_counts=True)


def _numbered(keys: NDArray[np.uint64]) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """The number of each key among the distinct ones, and those, ascending."""
    distinct, numbers = np.unique(keys, return_inverse=True)
    return numbers, distinct


def _places(keys: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Where keys that are there are."""
    order = np.argsort(keys)
    return order[np.searchsorted(keys, wanted, sorter=order)]


def _discounted(
    counts: NDArray[np.int64], context: NDArray[np.int64], contexts: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The share of each n-gram in its context, less a discount, and for each context what that
    leaves."""
    discount = np.array([0.0, *_discounts(counts)])[np.minimum(counts, 3)]
    totals = np.bincount(context, counts, contexts)
    return (counts - discount) / totals[context], np.bincount(context, discount, contexts) / totals


def _discounts(counts: NDArray[np.int64]) -> tuple[float, ...]:
    """What is taken off counts of one, of two, and of three or more (Chen and Goodman 1998, eq. 26)."""
    number = np.bincount(np.minimum(counts, 5), minlength=6).astype(float)
    if not number[1:5].all():
        return FALLBACK
    share = number[1] / (number[1] + 2 * number[2])
    found = tuple(k - (k + 1) * share * number[k + 1] / number[k] for k in (1, 2, 3))
    in_range = all(0 < value <= k for k, value in enumerate(found, 1))
    return found if in_range else FALLBACK


@compiled
def _key(order, first, second, third):
    value = (order + first) * FACTOR
    value = (mix(value) + second) * FACTOR
    value = mix(mix(value) + third)
    return value if value != 0 else np.uint64(1)


@compiled
def _hash(order, words, keys):
    none = np.uint64(0)
    for at in range(len(keys)):
        second = words[1, at] if len(words) > 1 else none
        keys[at] = _key(order, words[0, at], second, words[2, at] if len(words) > 2 else none)


@compiled
def _read(data, offsets, folded, kinds, words, first):
    """The words of all texts that have some, each followed by `END`; returns how many."""
    count = 0
    for text in range(len(offsets) - 1):
        at, end = offsets[text], offsets[text + 1]
        beginning = count
        while True:
            word, _, _, at = next_word(data, at, end, folded, kinds)
            if word == 0:
                break
            words[count], first[count] = word, count == beginning
            count += 1
        if count > beginning:
            words[count], first[count] = END, False
            count += 1
    return count


@compiled
def _place(slots, key):
    """Where a key is, or may be put."""
    size = np.uint64(len(slots))
    at = np.int64(((key >> np.uint64(32)) * size) >> np.uint64(32))
    while slots[at] != 0 and slots[at] != key:
        at += 1
        if at == len(slots):
            at = 0
    return at


@compiled
def _insert(keys, slots, places):
    for index in range(len(keys)):
        at = _place(slots, keys[index])
        slots[at] = keys[index]
        places[index] = at


@compiled
def _probability(slots, probabilities, backoffs, unknown, first, second, word):
    """Of a word after two others; `first` is 0 where there is but one."""
    none = np.uint64(0)
    backoff = 1.0
    if first != 0:
        at = _place(slots, _key(TRIGRAM, first, second, word))
        if slots[at] != 0:
            return np.float64(probabilities[at])
        at = _place(slots, _key(BIGRAM, first, second, none))
        if slots[at] != 0:
            backoff *= backoffs[at]
    at = _place(slots, _key(BIGRAM, second, word, none))
    if slots[at] != 0:
        return backoff * probabilities[at]
    at = _place(slots, _key(UNIGRAM, second, none, none))
    if slots[at] != 0:
        backoff *= backoffs[at]
    at = _place(slots, _key(UNIGRAM, word, none, none))
    return backoff * (probabilities[at] if slots[at] != 0 else unknown)


@compiled
def _perplexities(data, offsets, folded, kinds, slots, probabilities, backoffs, unknown, found):
    for text in range(len(found)):
        at, end = offsets[text], offsets[text + 1]
        first, second = np.uint64(0), START
        total = 0.0
        count = 0
        while True:
            word, _, _, at = next_word(data, at, end, folded, kinds)
            if word == 0:
                if count == 0:
                    break
                word = END
            total -= np.log(
                _probability(slots, probabilities, backoffs, unknown, first, second, word)
            )
            count += 1
            if word == END:
                break
            first, second = second, word
        found[text] = np.exp(total / count) if count else np.nan


@compiled
def _token_losses(words, offsets, scored_from, slots, probabilities, backoffs, unknown, found):
    for text in range(len(found)):
        first, second = np.uint64(0), START
        total = 0.0
        count = 0
        for at in range(offsets[text], offsets[text + 1] + 1):
            word = words[at] if at < offsets[text + 1] else END
            if at - offsets[text] >= scored_from[text]:
                total -= np.log(
                    _probability(slots, probabilities, backoffs, unknown, first, second, word)
                )
                count += 1
            first, second = second, word
        found[text] = total / count
