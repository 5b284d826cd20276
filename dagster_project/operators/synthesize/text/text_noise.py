"""Noise as people make it: slips of the finger, of case, of punctuation and of spaces."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

from dagster_project.operators.synthesize.text.protected_spans import Edit

Typo = Literal["neighbour", "swap", "drop", "double"]
Keyboard = Literal["qwerty", "qwertz", "azerty"]

_ROWS: Mapping[Keyboard, tuple[str, str, str]] = {
    "qwerty": ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
    "qwertz": ("qwertzuiop", "asdfghjkl", "yxcvbnm"),
    "azerty": ("azertyuiop", "qsdfghjklm", "wxcvbn"),
}
_WORD = re.compile(r"[^\W\d_]+")
_SPOKEN = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
"""A word with what is left out in it, such as "wouldn't"."""

_MARKS = re.compile(r"(?<=\w)[.,;:!?'\"](?![.,;:!?'\"])")
_SPACES = re.compile(r"(?<=\S) (?=\S)")
_OTHER_MARKS = {".": ",", ",": ".", ";": ",", ":": ";", "!": ".", "?": "."}


def _near(rows: Sequence[str]) -> dict[str, str]:
    near: dict[str, str] = {}
    for at, row in enumerate(rows):
        for place, letter in enumerate(row):
            beside = [row[p] for p in (place - 1, place + 1) if 0 <= p < len(row)]
            for other, places in ((at - 1, (place, place + 1)), (at + 1, (place - 1, place))):
                if 0 <= other < len(rows):
                    beside += [rows[other][p] for p in places if 0 <= p < len(rows[other])]
            near[letter] = "".join(beside)
    return near


NEAR: Mapping[Keyboard, Mapping[str, str]] = {name: _near(rows) for name, rows in _ROWS.items()}
"""The letters around each letter, by keyboard."""


def typos(
    text: str,
    free: Sequence[int],
    count: int,
    kinds: Sequence[Typo],
    shortest: int,
    keyboard: Keyboard,
    draw: Random,
) -> list[Edit]:
    """So many slips, one in a word at most, in words of so many letters at least."""
    places = [
        (at, word)
        for word in _WORD.finditer(text)
        if word.end() - word.start() >= shortest
        for at in range(word.start(), word.end())
        if free[at] and not _marked(text, at)
    ]
    edits: dict[int, Edit] = {}
    for at, word in draw.sample(places, len(places)):
        if len(edits) == count:
            break
        for kind in draw.sample(kinds, len(kinds)) if word.start() not in edits else ():
            if edit := _typo(text, at, word.end(), kind, NEAR[keyboard], draw):
                edits[word.start()] = edit
                break
    return list(edits.values())


def _typo(
    text: str, at: int, end: int, kind: Typo, near: Mapping[str, str], draw: Random
) -> Edit | None:
    letter = text[at]
    if kind == "drop":
        return Edit(at, at + 1, "")
    if kind == "double":
        return Edit(at, at + 1, letter * 2)
    if kind == "swap":
        if at + 1 >= end or text[at + 1] == letter or _marked(text, at + 1):
            return None
        return Edit(at, at + 2, text[at + 1] + letter)
    if letter.lower() not in near:
        return None
    other = draw.choice(near[letter.lower()])
    return Edit(at, at + 1, other.upper() if letter.isupper() else other)


def _marked(text: str, at: int) -> bool:
    """Whether a letter has marks of its own after it, which must not lose it."""
    return at + 1 < len(text) and unicodedata.category(text[at + 1]) in ("Mn", "Mc", "Me", "Cf")


def other_case(text: str, free: Sequence[int], draw: Random) -> list[Edit]:
    """All in lower case, all in capitals, words that start with capitals, or some words in capitals."""
    way = draw.choice(("lower", "upper", "title", "some"))
    edits: list[Edit] = []
    for word in _SPOKEN.finditer(text):
        said = word.group()
        if way == "some" and draw.random() >= 0.25:
            continue
        changed = said.lower() if way == "lower" else said.upper()
        if way == "title":
            changed = said[:1].upper() + said[1:]
        if changed != said and all(free[word.start() : word.end()]):
            edits.append(Edit(word.start(), word.end(), changed))
    return edits


def other_marks(
    text: str, free: Sequence[int], count: int | None, share: float, draw: Random
) -> list[Edit]:
    """So many punctuation marks, or a share of them, left out, doubled, taken for another, or with a
    space before them."""
    places = [found.start() for found in _MARKS.finditer(text) if free[found.start()]]
    edits: list[Edit] = []
    for at in _some(places, count, share, draw):
        mark = text[at]
        ways = ["", mark * 2, _OTHER_MARKS.get(mark, ""), f" {mark}" if mark not in "'\"" else ""]
        edits.append(Edit(at, at + 1, draw.choice(ways)))
    return edits


def other_spaces(
    text: str, free: Sequence[int], count: int | None, share: float, draw: Random
) -> list[Edit]:
    """So many spaces between words, or a share of them, doubled, or left out between letters."""
    places = [found.start() for found in _SPACES.finditer(text) if free[found.start()]]
    edits: list[Edit] = []
    for at in _some(places, count, share, draw):
        between = text[at - 1].isalpha() and text[at + 1].isalpha()
        edits.append(Edit(at, at + 1, draw.choice(("", "  ")) if between else "  "))
    return edits


def _some(places: Sequence[int], count: int | None, share: float, draw: Random) -> list[int]:
    """So many of the places, or a share of them, at least one if there is any."""
    wanted = count or max(1, round(share * len(places)))
    return draw.sample(places, min(wanted, len(places)))
