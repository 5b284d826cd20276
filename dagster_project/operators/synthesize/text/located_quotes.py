"""Where a quotation stands in a document."""

from __future__ import annotations

import re
from typing import NamedTuple


class Span(NamedTuple):
    """Characters of a document, from `start` up to `end`."""

    start: int
    end: int


def located(quote: str, document: str, near: int = 0) -> Span | None:
    """Where a quotation stands: as it is, or else but for white space.

    Args:
        quote: what is looked for; white space around it does not count.
        document: where.
        near: the place from which on it is looked for first.

    Returns:
        The first place from `near` on, or the first of all; None where it is not there.
    """
    quote = quote.strip()
    if not quote:
        return None
    for start in (document.find(quote, near), document.find(quote)):
        if start >= 0:
            return Span(start, start + len(quote))
    loose = re.compile(r"\s+".join(map(re.escape, quote.split())))
    found = loose.search(document, near) or loose.search(document)
    return Span(*found.span()) if found else None


def excerpt(document: str, characters: int, share: float) -> Span:
    """A part of a document that begins and ends at a line's start, or else at a word's, if it can.

    Args:
        document: all of it.
        characters: the longest part.
        share: where it begins, from 0 (the document's start) to 1 (so that it ends with the document).
    """
    if len(document) <= characters:
        return Span(0, len(document))
    start = _boundary(document, round(share * (len(document) - characters)), characters // 4)
    end = start + characters
    if end >= len(document):
        return Span(start, len(document))
    cut = max(document.rfind("\n", start + characters // 2, end), -1)
    cut = cut if cut >= 0 else document.rfind(" ", start + characters // 2, end)
    return Span(start, cut + 1 if cut >= 0 else end)


def _boundary(document: str, place: int, within: int) -> int:
    """The next start of a line, or else of a word, from a place on."""
    if place == 0:
        return 0
    for mark in ("\n", " "):
        found = document.find(mark, place - 1, place + within)
        if found >= 0:
            return found + 1
    return place
