"""Spans of a text that an alteration must leave alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Protected = Literal["code", "math", "urls", "placeholders", "numbers"]

PATTERNS: dict[Protected, re.Pattern[str]] = {
    "code": re.compile(
        r"(?ms)^[ \t]*(`{3,}|~{3,}).*?(?:^[ \t]*\1[`~]*[ \t]*$|\Z)|``[^\n]+?``|`[^`\n]+`"
    ),
    "math": re.compile(
        r"(?s)\$\$[^$]{1,2000}\$\$|(?<![\w$])\$[^$\n]{1,500}\$(?![\w$])"
        r"|\\\(.{1,500}?\\\)|\\\[.{1,2000}?\\\]"
    ),
    "urls": re.compile(
        r"(?i)(?:\b(?:https?|ftps?)://|\bwww\.)[^\s<>\"')\]]+|\b[\w.+-]{1,64}@[\w-]+\.[\w.-]*\w"
    ),
    "placeholders": re.compile(r"\{[^{}\s]{1,40}\}|</?[A-Za-z][\w-]{0,40}[^<>\n]{0,200}>"),
    "numbers": re.compile(r"[\d٠-٩۰-۹०-९]+(?:[.,:/][\d٠-٩۰-۹०-९]+)*"),
}
"""What can be protected, by name: fenced and inline code, formulas, links and e-mail addresses,
placeholders such as `{name}` and tags, and numbers in digits."""

Span = tuple[int, int]


@dataclass(frozen=True)
class Edit:
    """Other text in place of a span; an insertion where the span is empty."""

    start: int
    end: int
    text: str


def protected_spans(text: str, patterns: Iterable[re.Pattern[str]]) -> list[Span]:
    """The spans that any of the patterns matches, in order; those that overlap are one."""
    found = sorted(
        match.span() for pattern in patterns for match in pattern.finditer(text) if match.group()
    )
    merged: list[Span] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((start, end))
    return merged


def free_characters(text: str, spans: Iterable[Span]) -> bytearray:
    """A 1 for each character that may be edited: it is in no span, and next to none, so that nothing
    can grow onto a span."""
    free = bytearray(b"\x01") * len(text)
    for start, end in spans:
        for at in range(max(0, start - 1), min(len(text), end + 1)):
            free[at] = 0
    return free


def edited(text: str, edits: Sequence[Edit], free: Sequence[int]) -> str:
    """A text with those edits made that touch only free characters and none that was edited before."""
    pieces: list[str] = []
    last = 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        around = range(edit.start, edit.end) or range(max(0, edit.start - 1), edit.start + 1)
        if edit.start < last or not all(free[at] for at in around if at < len(free)):
            continue
        pieces += (text[last : edit.start], edit.text)
        last = edit.end
    return "".join([*pieces, text[last:]])
