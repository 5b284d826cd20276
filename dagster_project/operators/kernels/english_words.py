"""English words as spaCy's rule-based tokenizer cuts them, in compiled code.

Follows spaCy 3.8 (spacy/tokenizer.pyx, spacy/lang/punctuation.py, spacy/lang/en): white space separates;
punctuation, symbols and currency at either end of what is left are words of their own; contractions
fall into their parts (`do`, `n't`); hyphens between letters, and a few signs, cut inside. Web
and mail addresses stay whole, where spaCy's pattern for them is followed in its main lines only.
"""

from __future__ import annotations

import numpy as np

from dagster_project.operators.kernels.english_word_tables import (
    CURRENCY,
    DIGIT,
    ICON,
    LETTER,
    LONGEST,
    LOWER,
    PREFIX,
    QUOTE,
    SPACE,
    SUFFIX,
    UPPER,
    hash_points,
)
from dagster_project.operators.kernels.shingles import compiled

_MOST_JOINED, _LONGEST_JOINED = 4, 5
"""Words, and code points, of the longest emoticon that is put together again."""


@compiled
def decode_text(data, start, end, points):
    """The code points of UTF-8 bytes, into `points`; returns how many."""
    count = 0
    at = start
    while at < end:
        byte = np.int32(data[at])
        more = 0
        if byte >= 0xF0:
            byte, more = byte & 0x07, 3
        elif byte >= 0xE0:
            byte, more = byte & 0x0F, 2
        elif byte >= 0xC0:
            byte, more = byte & 0x1F, 1
        for offset in range(1, more + 1):
            byte = (byte << 6) | np.int32(data[at + offset] & 0x3F)
        points[count] = byte
        count += 1
        at += more + 1
    return count


@compiled
def cut_words(points, count, tables, starts, ends, later):
    """Where the words of a text start and end, in code points; returns how many words.

    Args:
        points, count: the text.
        tables: from `word_tables`.
        starts, ends: room for as many words as the text has code points.
        later: scratch of the same size.
    """
    kinds = tables[0]
    words = 0
    at = 0
    while at < count:
        if kinds[points[at]] & SPACE:
            at += 1
            continue
        end = at + 1
        while end < count and not kinds[points[end]] & SPACE:
            end += 1
        first = words
        words = _cut_chunk(points, at, end, tables, starts, ends, words, later)
        words = _join_emoticons(points, tables, starts, ends, first, words)
        at = end
    return words


@compiled
def _cut_chunk(points, low, high, tables, starts, ends, words, later):
    """The words of what stands between white space."""
    kinds = tables[0]
    waiting = 0  # ends of words cut off at the end, last first
    special = np.int64(0)
    stop = high
    while low < high:
        special = _special(points, low, high, tables)
        if special:
            break
        prefix = _prefix(points, low, high, kinds)
        suffix = 0
        if low + prefix < high and not (prefix and _special(points, low + prefix, high, tables)):
            suffix = _suffix(points, low + prefix, high, tables)
            if suffix and _special(points, low, high - suffix, tables):
                prefix = 0
        if prefix:
            starts[words], ends[words] = low, low + prefix
            words += 1
            low += prefix
        if suffix:
            later[waiting] = high - suffix
            waiting += 1
            high -= suffix
        if not prefix and not suffix:
            break
    if low < high:
        if special:
            while special:
                length = special & 0xFF
                starts[words], ends[words] = low, low + length
                words += 1
                low += length
                special >>= 8
        elif _address(points, low, high, kinds):
            starts[words], ends[words] = low, high
            words += 1
        else:
            words = _cut_inside(points, low, high, kinds, starts, ends, words)
    for index in range(waiting - 1, -1, -1):
        starts[words] = later[index]
        ends[words] = later[index - 1] if index else stop
        words += 1
    return words


@compiled
def _join_emoticons(points, tables, starts, ends, first, words):
    """Make one of words side by side that are a special case together, such as `:` and `)`."""
    kinds = tables[0]
    word = filled = first
    while word < words:
        last = word
        for other in range(min(words - 1, word + _MOST_JOINED - 1), word, -1):
            if ends[other] - starts[word] > _LONGEST_JOINED:
                continue
            if not (kinds[points[starts[word]]] | kinds[points[starts[other]]]) & PREFIX:
                continue
            if _special(points, starts[word], ends[other], tables) == ends[other] - starts[word]:
                last = other
                break
        starts[filled], ends[filled] = starts[word], ends[last]
        filled += 1
        word = last + 1
    return filled


@compiled
def _special(points, low, high, tables):
    """How a special case is cut; 0 if it is none."""
    if high - low > LONGEST:
        return np.int64(0)
    value = hash_points(points, low, high)
    place = np.searchsorted(tables[1], value)
    if place < len(tables[1]) and tables[1][place] == value:
        return tables[2][place]
    return np.int64(0)


@compiled
def _prefix(points, low, high, kinds):
    first = points[low]
    if first == 46:  # two full stops or more
        end = low
        while end < high and points[end] == 46:
            end += 1
        return end - low if end - low > 1 else 0
    if first == 43 and low + 1 < high and kinds[points[low + 1]] & DIGIT:
        return 0
    return 1 if kinds[first] & PREFIX else 0


@compiled
def _suffix(points, low, high, tables):
    kinds = tables[0]
    last = points[high - 1]
    before = points[high - 2] if high - 2 >= low else 0
    kind = kinds[before] if high - 2 >= low else 0
    if last == 46:
        start = high
        while start > low and points[start - 1] == 46:
            start -= 1
        if high - start > 1:
            return high - start
        if kind & (DIGIT | LOWER | SUFFIX | QUOTE) or before in (37, 45, 43, 178):
            return 1
        if high - 3 < low:
            return 0
        degrees = points[high - 3] == 176 and before in (70, 102, 67, 99, 75, 107)  # °F, °C, °K
        return 1 if degrees or (kind & UPPER and kinds[points[high - 3]] & UPPER) else 0
    if last in (115, 83) and before in (39, 8217):
        return 2
    if kinds[last] & SUFFIX:
        return 1
    if kind & DIGIT and (last == 43 or kinds[last] & CURRENCY):
        return 1
    for length in (3, 2, 1):
        if high - length - 1 >= low and kinds[points[high - length - 1]] & DIGIT:
            value = hash_points(points, high - length, high)
            place = np.searchsorted(tables[3], value)
            if place < len(tables[3]) and tables[3][place] == value:
                return length
    return 0


@compiled
def _address(points, low, high, kinds):
    """Whether it is a web or mail address: a scheme or a user, perhaps; a host with a top-level domain
    in lower case; and perhaps a port or a path."""
    start = low
    named = True
    for at in range(low, high):
        point = points[at]
        if point == 64:  # @
            start = at + 1
        elif point == 58 and named and at + 2 < high and points[at + 1] == points[at + 2] == 47:
            start = at + 3  # ://
        named &= kinds[point] & (LETTER | DIGIT) != 0 or point in (43, 45, 46, 95)
    label, dots, lower = start, 0, True
    end = start
    while end < high:
        point, kind = points[end], kinds[points[end]]
        if point == 46:
            if end == label or points[end - 1] == 45:
                return False
            label, lower = end + 1, True
            dots += 1
        elif point >= 0xA1 or kind & (LETTER | DIGIT) or (point in (45, 95) and end > label):
            lower &= kind & LOWER != 0
        else:
            break
        end += 1
    if not dots or not lower or end - label < 2:
        return False
    return end == high or points[end] in (58, 47, 63, 35)


@compiled
def _cut_inside(points, low, high, kinds, starts, ends, words):
    """The words of what has nothing to cut at its ends."""
    start = low
    at = low
    while at < high:
        length = _infix(points, at, low, high, kinds)
        if length:
            if at > start:
                starts[words], ends[words] = start, at
                words += 1
            starts[words], ends[words] = at, at + length
            words += 1
            at += length
            start = at
        else:
            at += 1
    if start < high:
        starts[words], ends[words] = start, high
        words += 1
    return words


@compiled
def _infix(points, at, low, high, kinds):
    """How many code points are a word of their own here, inside a chunk."""
    point = points[at]
    if kinds[point] & ICON or point == 8230:
        return 1
    if point == 46:
        end = at
        while end < high and points[end] == 46:
            end += 1
        if end - at > 1:
            return end - at
    if at == low or at + 1 >= high:
        return 0
    before, after = kinds[points[at - 1]], kinds[points[at + 1]]
    if point == 46:
        return 1 if before & (LOWER | QUOTE) and after & (UPPER | QUOTE) else 0
    if point == 44:
        return 1 if before & LETTER and after & LETTER else 0
    if point in (43, 45, 42, 94) and before & DIGIT and (after & DIGIT or points[at + 1] == 45):
        return 1
    if not before & (LETTER | DIGIT):
        return 0
    if point in (58, 60, 62, 61, 47):
        return 1 if after & LETTER else 0
    if point in (45, 8211, 8212, 126):
        most = 3 if point == 45 else 2 if point == 8212 else 1
        end = at + 1
        while end < high and end - at < most and points[end] == point:
            end += 1
        return end - at if end < high and kinds[points[end]] & LETTER else 0
    return 0
