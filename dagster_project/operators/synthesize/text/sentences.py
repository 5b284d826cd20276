"""Sentences of a text, as they stand."""

from __future__ import annotations

import re

_FENCE = re.compile(r"(?ms)^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[`~]*[ \t]*$\n?|\Z)")
_END = re.compile(
    r"(?:(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+(?=\s|\Z)|[。！？]+[”’」』）]*|(?=\n))(?:[ \t]*\n\s*|[ \t]+|)"
)
_NO_END = re.compile(
    r"(?:(?<!\w)(?:Mr|Mrs|Ms|Dr|Prof|St|Jr|vs|e\.g|i\.e|cf|Fig|approx|[A-Z])"
    r"|(?:^|\n)[ \t]*(?:\d+|[ivxlcIVXLC]+|[a-z]))\.\Z"
)


def sentences(text: str) -> list[str]:
    """A text's sentences with the white space after them; together they are the text.

    Lines end sentences, and a fenced block of code is one. Common abbreviations, initials and the
    numbers of lists end none.
    """
    fences = [found.span() for found in _FENCE.finditer(text)]
    found: list[str] = []
    start = 0
    for end in _ends(text, fences):
        if end > start:
            found.append(text[start:end])
            start = end
    return [*found, text[start:]] if start < len(text) else found


def _ends(text: str, fences: list[tuple[int, int]]) -> list[int]:
    """Where sentences and fenced blocks end, in order."""
    ends = {edge for fence in fences for edge in fence}
    for found in _END.finditer(text):
        mark = found.group().rstrip()
        before = text[max(0, found.start() - 24) : found.start() + 1]
        if mark == "." and _NO_END.search(before):
            continue
        if not any(start < found.end() < end for start, end in fences):
            ends.add(found.end())
    return sorted(ends)
