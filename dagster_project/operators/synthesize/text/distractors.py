"""Sentences beside the point, and where they can be put into a text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from random import Random

from dagster_project.operators.synthesize.text.protected_spans import Edit
from dagster_project.operators.synthesize.text.sentences import sentences
from dagster_project.operators.synthesize.text.text_overlap import held, words

STATEMENT = re.compile(r"\D*[^\W\d][.!…。！][\"'”’)\s]*")
"""A sentence that asks nothing, and has no number that could be counted in."""

PRONOUNS = frozenset(("he", "him", "she", "they", "them", "it", "this", "these", "those"))
POSSESSIVES = frozenset(("his", "her", "hers", "its", "their", "theirs"))
CONNECTIVES = frozenset(
    ("then", "next", "also", "so", "however", "after", "finally", "but", "and", "that")
)
"""English words by which sentences go on from another one; the last, at their start."""


def stands_alone(sentence: str, texts: Iterable[str]) -> bool:
    """Whether a sentence is a statement that cannot be taken for a part of the texts: it goes on from
    nothing, has no number, and no word with them but those that say nothing."""
    said = words(sentence)
    if not STATEMENT.fullmatch(sentence) or not PRONOUNS.isdisjoint(said):
        return False
    if not said or said[0] in POSSESSIVES | CONNECTIVES:
        return False
    return all(held(sentence, text) == 0 for text in texts)


def inserted(text: str, free: Sequence[int], sentence: str, draw: Random) -> list[Edit]:
    """A sentence in front of a text or between two of its sentences: never at its end, which may be a
    question, nor before a sentence that goes on from the one before."""
    said = sentences(text)
    starts = itertools.accumulate(map(len, said[:-1]), initial=0)
    places = [
        at
        for at, after in zip(starts, said, strict=False)
        if all(free[max(0, at - 1) : at + 1]) and (at == 0 or not _goes_on(after))
    ]
    if not sentence or not places:
        return []
    at = draw.choice(places)
    glued = at > 0 and not text[at - 1].isspace()
    return [Edit(at, at, f"{' ' if glued else ''}{sentence} ")]


def _goes_on(sentence: str) -> bool:
    said = words(sentence)
    return not (PRONOUNS | POSSESSIVES).isdisjoint(said) or not CONNECTIVES.isdisjoint(said[:1])
