"""What rules of quality and repetition measure, in one compiled pass over each text."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from dagster_project.operators.kernels.english_word_tables import (
    LETTER,
    PUNCT,
    SPACE,
    SYMBOL,
    TERMINAL,
    hash_of,
    hash_points,
    word_tables,
)
from dagster_project.operators.kernels.english_words import cut_words, decode_text
from dagster_project.operators.kernels.shingles import compiled, mix, text_buffers

WORD_COUNTS = ("words", "spoken", "spoken_characters", "alphabetic", "stop_words", "sentences")
SECTION_COUNTS = ("sections", "copies", "copied_characters")
LINE_COUNTS = ("lines", "punctuated", "short", "copied_characters")
NEWLINE = 10


def word_counts(texts: pl.Series, stop_words: Sequence[str] = ()) -> pl.DataFrame:
    """Counts of English words, an Int64 column for each of `WORD_COUNTS`.

    `spoken` words have something that is not punctuation, and `spoken_characters` in all;
    `alphabetic` ones have a letter; `stop_words` is how many of the (at most 64) stop words occur;
    `sentences` are cut at `.`, `!`, `?` and the like, and at line ends.
    """
    data, offsets = text_buffers(texts)
    stops = np.array([hash_of(word) for word in stop_words], np.uint64)
    counts = np.zeros((len(texts), len(WORD_COUNTS)), np.int64)
    _count(data, offsets, word_tables(), stops, counts)
    return pl.DataFrame(counts, schema=list(WORD_COUNTS))


def line_counts(texts: pl.Series, short: int) -> pl.DataFrame:
    """Counts of lines that have more than white space in them, an Int64 column for each of
    `LINE_COUNTS`.

    `punctuated` lines end with terminal punctuation, `short` ones have at most `short` code points,
    `copied_characters` are those of lines that occurred before.
    """
    data, offsets = text_buffers(texts)
    counts = np.zeros((len(texts), len(LINE_COUNTS)), np.int64)
    _lines(data, offsets, short, word_tables()[0], counts)
    return pl.DataFrame(counts, schema=list(LINE_COUNTS))


def repeated_sections(texts: pl.Series, newlines: int, *, trim: bool) -> pl.DataFrame:
    """How much of a text is copies of its own earlier sections.

    Args:
        texts: of String.
        newlines: this many line feeds, or more, stand between sections.
        trim: whether white space around the text does not count.

    Returns:
        An Int64 column for each of `SECTION_COUNTS`. An empty text has no section.
    """
    data, offsets = text_buffers(texts)
    counts = np.zeros((len(texts), 3), np.int64)
    _sections(data, offsets, newlines, trim, word_tables()[0], counts)
    return pl.DataFrame(counts, schema=list(SECTION_COUNTS))


def repeated_ngrams(texts: pl.Series, top: Sequence[int], copied: Sequence[int]) -> pl.DataFrame:
    """Characters in repeated runs of English words.

    Args:
        texts: of String.
        top: words of an n-gram; `top_<n>gram` is how many characters, spaces between words included,
            are in occurrences of the commonest one, the first of them if there are several.
        copied: words of an n-gram; `copied_<n>gram` is how many characters of words are in n-grams that
            occurred before, none counted twice.

    Returns:
        Int64 columns.
    """
    data, offsets = text_buffers(texts)
    sizes = np.array([*top, *copied], np.int64)
    counts = np.zeros((len(texts), len(sizes)), np.int64)
    _ngrams(data, offsets, word_tables(), sizes, len(top), counts)
    return pl.DataFrame(
        counts,
        schema=[*(f"top_{size}gram" for size in top), *(f"copied_{size}gram" for size in copied)],
    )


@compiled
def _longest(offsets):
    longest = 1
    for text in range(len(offsets) - 1):
        longest = max(longest, offsets[text + 1] - offsets[text])
    return longest


@compiled
def _count(data, offsets, tables, stops, counts):
    kinds = tables[0]
    longest = _longest(offsets)
    points = np.empty(longest, np.int32)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    later = np.empty(longest, np.int64)
    for text in range(len(counts)):
        count = decode_text(data, offsets[text], offsets[text + 1], points)
        words = cut_words(points, count, tables, starts, ends, later)
        seen = np.uint64(0)
        for word in range(words):
            symbols, letters = True, False
            for at in range(starts[word], ends[word]):
                kind = kinds[points[at]]
                symbols &= kind & SYMBOL != 0
                letters |= kind & LETTER != 0
            if not symbols:
                counts[text, 1] += 1
                counts[text, 2] += ends[word] - starts[word]
            counts[text, 3] += letters
            if len(stops):
                value = hash_points(points, starts[word], ends[word])
                for index in range(len(stops)):
                    if stops[index] == value:
                        seen |= np.uint64(1) << np.uint64(index)
        counts[text, 0] = words
        while seen:
            seen &= seen - np.uint64(1)
            counts[text, 4] += 1
        counts[text, 5] = _sentences(points, starts, ends, words, kinds)


@compiled
def _sentences(points, starts, ends, words, kinds):
    """Sentences as spaCy's sentencizer tells them, line by line."""
    sentences = 0
    stopped = False
    for word in range(words):
        new_line = word == 0
        if word:
            for at in range(ends[word - 1], starts[word]):
                new_line |= points[at] == NEWLINE
        punctuation = True
        for at in range(starts[word], ends[word]):
            punctuation &= kinds[points[at]] & PUNCT != 0
        stop = ends[word] - starts[word] == 1 and kinds[points[starts[word]]] & TERMINAL != 0
        if new_line or (stopped and not punctuation and not stop):
            sentences += 1
            stopped = stop
        else:
            stopped |= stop
    return sentences


@compiled
def _room(count):
    """The size of a hash table for some keys."""
    size = 16
    while size < 2 * count:
        size *= 2
    return size


@compiled
def _place(keys, rounds, size, key, turn):
    """Where a key is in a hash table, or may be put. Places of an earlier round are free."""
    place = np.int64(key & np.uint64(size - 1))
    while rounds[place] == turn and keys[place] != key:
        place = (place + 1) & (size - 1)
    return place


@compiled
def _sections(data, offsets, newlines, trim, kinds, counts):
    longest = _longest(offsets)
    points = np.empty(longest, np.int32)
    keys, rounds = np.empty(_room(longest + 1), np.uint64), np.zeros(_room(longest + 1), np.int64)
    for text in range(len(counts)):
        if offsets[text] == offsets[text + 1]:
            continue
        end = decode_text(data, offsets[text], offsets[text + 1], points)
        start = 0
        if trim:
            while start < end and kinds[points[start]] & SPACE:
                start += 1
            while end > start and kinds[points[end - 1]] & SPACE:
                end -= 1
        size = _room(end - start + 1)
        at = start
        while at <= end:
            after = at
            while after < end and points[after] == NEWLINE:
                after += 1
            if at < end and after - at < newlines:
                at = max(after, at + 1)
                continue
            key = hash_points(points, start, at)
            place = _place(keys, rounds, size, key, text + 1)
            counts[text, 0] += 1
            if rounds[place] == text + 1:
                counts[text, 1] += 1
                counts[text, 2] += at - start
            keys[place], rounds[place] = key, text + 1
            if at == end:
                break
            at = start = after


@compiled
def _lines(data, offsets, short, kinds, counts):
    longest = _longest(offsets)
    points = np.empty(longest, np.int32)
    keys, rounds = np.empty(_room(longest + 1), np.uint64), np.zeros(_room(longest + 1), np.int64)
    for text in range(len(counts)):
        end = decode_text(data, offsets[text], offsets[text + 1], points)
        size = _room(end + 1)
        start = 0
        blank = True
        for at in range(end + 1):
            if at < end and points[at] != NEWLINE:
                blank &= kinds[points[at]] & SPACE != 0
                continue
            if not blank:
                key = hash_points(points, start, at)
                place = _place(keys, rounds, size, key, text + 1)
                counts[text, 0] += 1
                counts[text, 1] += kinds[points[at - 1]] & TERMINAL != 0
                counts[text, 2] += at - start <= short
                if rounds[place] == text + 1:
                    counts[text, 3] += at - start
                keys[place], rounds[place] = key, text + 1
            start = at + 1
            blank = True


@compiled
def _ngrams(data, offsets, tables, sizes, tops, counts):
    longest = _longest(offsets)
    points = np.empty(longest, np.int32)
    starts, ends = np.empty(longest, np.int64), np.empty(longest, np.int64)
    later = np.empty(longest, np.int64)
    hashes = np.empty(longest, np.uint64)
    room = _room(longest)
    keys, rounds = np.empty(room, np.uint64), np.zeros(room, np.int64)
    times, first = np.empty(room, np.int64), np.empty(room, np.int64)
    turn = 0
    for text in range(len(counts)):
        count = decode_text(data, offsets[text], offsets[text + 1], points)
        words = cut_words(points, count, tables, starts, ends, later)
        size = _room(words)
        for word in range(words):
            hashes[word] = hash_points(points, starts[word], ends[word])
        for column in range(len(sizes)):
            turn += 1
            run = sizes[column]
            at = most = 0
            best = -1
            while at + run <= words:
                key = np.uint64(run)
                for word in range(at, at + run):
                    key = mix(key ^ hashes[word]) + hashes[word]
                place = _place(keys, rounds, size, key, turn)
                if rounds[place] != turn:
                    keys[place], rounds[place] = key, turn
                    times[place], first[place] = 0, at
                elif column >= tops:
                    counts[text, column] += _characters(starts, ends, at, run)
                    at += run
                    continue
                times[place] += 1
                if times[place] > most or (times[place] == most and first[place] < first[best]):
                    most, best = times[place], place
                at += 1
            if column < tops and best >= 0:
                spaces = run - 1
                counts[text, column] = most * (_characters(starts, ends, first[best], run) + spaces)


@compiled
def _characters(starts, ends, at, run):
    """Code points of some words in a row."""
    total = 0
    for word in range(at, at + run):
        total += ends[word] - starts[word]
    return total
