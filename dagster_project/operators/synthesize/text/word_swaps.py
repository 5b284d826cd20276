"""Words put in the place of others: synonyms, and entities such as names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random

from dagster_project.operators.synthesize.text.protected_spans import Edit

_WORD = re.compile(r"\w+(?:['’-]\w+)*")


def any_of(phrases: Iterable[str], flags: int = 0) -> re.Pattern[str]:
    """Matches any of these as whole words, the longest first."""
    return _any_of(tuple(phrases), flags)


@lru_cache(maxsize=64)
def _any_of(phrases: tuple[str, ...], flags: int) -> re.Pattern[str]:
    longest = sorted({*phrases} - {""}, key=lambda phrase: (-len(phrase), phrase))
    if not longest:
        return re.compile(r"(?!)")
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", flags)


def synonyms(
    text: str, free: Sequence[int], known: Mapping[str, Sequence[str]], share: float, draw: Random
) -> list[Edit]:
    """Words for others of the same meaning: a share of the text's words, at least one.

    Args:
        text: what to edit.
        free: which of its characters may be edited.
        known: other words by word or phrase, without case.
        share: of the text's words, 0 to 1.
        draw: chance.
    """
    by_word = {word.lower(): others for word, others in known.items()}
    places = [
        found
        for found in any_of(by_word, re.IGNORECASE).finditer(text)
        if all(free[found.start() : found.end()]) and found.group().lower() in by_word
    ]
    count = max(1, round(share * len(_WORD.findall(text))))
    edits: list[Edit] = []
    for found in draw.sample(places, min(count, len(places))):
        said = found.group()
        others = [other for other in by_word[said.lower()] if other.lower() != said.lower()]
        if others:
            edits.append(Edit(*found.span(), _cased_as(said, draw.choice(others))))
    return edits


def other_entities(
    texts: Sequence[str], kinds: Mapping[str, Sequence[str]], draw: Random
) -> dict[str, str]:
    """Another entity of its kind for each that the texts name: one that they do not name, and a
    different one for each.

    Args:
        texts: that belong together.
        kinds: entities by kind.
        draw: chance.
    """
    pattern = any_of(name for names in kinds.values() for name in names)
    named = dict.fromkeys(found for text in texts for found in pattern.findall(text))
    taken, swaps = set(named), {}
    for name in named:
        kind = next((names for names in kinds.values() if name in names), ())
        left = [other for other in dict.fromkeys(kind) if other not in taken]
        if left:
            swaps[name] = draw.choice(left)
            taken.add(swaps[name])
    return swaps


def swapped(text: str, swaps: Mapping[str, str]) -> list[Edit]:
    """Entities for others."""
    if not swaps:
        return []
    found = any_of(swaps).finditer(text)
    return [Edit(*each.span(), swaps[each.group()]) for each in found]


def _cased_as(said: str, other: str) -> str:
    if said.isupper() and len(said) > 1:
        return other.upper()
    return other[:1].upper() + other[1:] if said[:1].isupper() else other
