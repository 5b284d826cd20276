"""Lines, sentences, paragraphs and long passages that stand in several texts."""

from __future__ import annotations

import random
import re
from pathlib import Path

import polars as pl

from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import documents, made_up
from benchmarks.truth.tables import rate, table

Span = tuple[int, int, int]
"""A text, and where in it something begins and ends, in bytes."""

TOKENS = 50
"""Fewest tokens of a passage that is cut."""

BETWEEN = {"line": "\n", "sentence": " ", "paragraph": "\n\n"}


def passages(data: Path | None) -> None:
    """Print how much of what was planted is cut, and what else is."""
    lines = []
    for unit, between in BETWEEN.items():
        for normalize in ("none", "ccnet"):
            for kind in ("as it was", "other case and digits"):
                rows, spans = _planted_units(data, unit, between, kind)
                given = {"column": "text", "unit": unit, "normalize": normalize}
                cuts = apply("deduplicate_lines", given, pl.DataFrame({"text": rows})).cuts
                must = "all" if kind == "as it was" or normalize == "ccnet" else "none"
                measured = _measured(rows, spans, cuts, folded=normalize == "ccnet")
                lines.append((unit, normalize, kind, must, len(spans), *measured))
    headings = ["unit", "`normalize`", "repeats", "to cut", "repeats planted"]
    table("deduplicate_lines", [*headings, *MEASURED], lines)
    lines = []
    for tokens, changed, must in (
        (120, False, "all"),
        (60, False, "all"),
        (TOKENS, False, "all"),
        (TOKENS - 1, False, "none"),
        (30, False, "none"),
        (90, True, "none"),
    ):
        rows, spans = _planted_passages(data, tokens, changed)
        given = {"column": "text", "min_tokens": TOKENS}
        cuts = apply("deduplicate_substrings", given, pl.DataFrame({"text": rows})).cuts
        kind = f"{tokens} tokens" + (", the middle one another each time" if changed else "")
        lines.append((kind, must, len(spans), *_measured(rows, spans, cuts, folded=False)))
    headings = ["passage", "to cut", "repeats planted"]
    table("deduplicate_substrings", [*headings, *MEASURED], lines)


MEASURED = (
    "characters planted",
    "of these cut",
    "recall",
    "cut elsewhere, stood before",
    "cut elsewhere, did not",
)


def _measured(
    rows: list[str], spans: list[Span], cuts: pl.DataFrame, *, folded: bool
) -> tuple[int, int, str, int, int]:
    """`MEASURED`, in visible characters. What is cut elsewhere must have stood in an earlier text or
    earlier in its own; `folded` tells that case, digits and punctuation make no difference."""
    planted = {(row, at) for row, start, end in spans for at in range(start, end)}
    bodies = [row.encode() for row in rows]
    inside = repeated = wrong = 0
    for row, start, length in cuts.iter_rows():
        body = bodies[row]
        visible = [at for at in range(start, start + length) if not body[at : at + 1].isspace()]
        own = sum((row, at) in planted for at in visible)
        inside += own
        if own < len(visible):
            cut = body[start : start + length].decode()
            said = [_plain(part, folded) for part in re.split(r"\n|(?<=[.?!])\s", cut)]
            before = [_plain(text, folded) for text in rows[:row]]
            before.append(_plain(body[:start].decode(), folded))
            if all(any(part in text for text in before) for part in said):
                repeated += len(visible) - own
            else:
                wrong += len(visible) - own
    every = sum(not bodies[row][at : at + 1].isspace() for row, at in planted)
    return every, inside, rate(inside, every), repeated, wrong


def _plain(text: str, folded: bool) -> str:
    if folded:
        text = re.sub(r"[^\w\s]|_", "", re.sub(r"\d", "0", text.lower()))
    return "".join(text.split())


def _planted_units(
    data: Path | None, unit: str, between: str, kind: str
) -> tuple[list[str], list[Span]]:
    """Texts into half of which one of 20 units is put at a boundary, and where it is, but for its first
    time."""
    draw = random.Random(21)
    pool = [made_up(draw, 14).replace(".", "").capitalize() + " 7 times." for _ in range(20)]
    texts = documents(data, 300)
    rows, spans, seen = [], [], set()
    for at, text in enumerate(texts):
        if at % 2:
            rows.append(text)
            continue
        which = draw.randrange(len(pool))
        said = pool[which]
        if kind != "as it was" and which in seen:
            said = "".join(draw.choice((letter.lower(), letter.upper())) for letter in said)
            said = said.replace("7", str(draw.randint(1, 9)))
        head, stop, tail = _halves(text, r"\.\s" if unit == "sentence" else r"\n")
        head += stop[:-1] + between
        rows.append(f"{head}{said}{between}{tail}")
        if which in seen:
            start = len(head.encode())
            spans.append((at, start, start + len(said.encode())))
        seen.add(which)
    return rows, spans


def _halves(text: str, boundary: str) -> tuple[str, str, str]:
    """A text before, at and after the boundary that is nearest to its middle."""
    middle = len(text) / 2
    found = min(re.finditer(boundary, text), key=lambda stop: abs(stop.start() - middle))
    return text[: found.start()], found.group(), text[found.end() :]


def _planted_passages(
    data: Path | None, tokens: int, changed: bool
) -> tuple[list[str], list[Span]]:
    """Texts into half of which one of 20 passages is put between two words."""
    draw = random.Random(22)
    pool = [made_up(draw, tokens).replace(".", "").split() for _ in range(20)]
    rows, spans, seen = [], [], set()
    for at, text in enumerate(documents(data, 300)):
        if at % 2:
            rows.append(text)
            continue
        which = draw.randrange(len(pool))
        passage = list(pool[which])
        if changed:
            passage[tokens // 2] = f"other{at}"
        said = " ".join(passage)
        words = re.split(r"(?<= )", text)
        place = draw.randrange(1, len(words))
        head, tail = f"{''.join(words[:place])}a{at}a ", f" b{at}b {''.join(words[place:])}"
        rows.append(head + said + tail)
        if which in seen:
            start = len(head.encode())
            spans.append((at, start, start + len(said.encode())))
        seen.add(which)
    return rows, spans
