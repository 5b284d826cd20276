"""A corpus of made-up texts in which copies and edited copies are planted, with what is true of them.

Texts of 25 to 159 words, drawn by a Zipf distribution: no two are alike by chance. A twentieth of the
rows are copies of an earlier row, every other one in other case and space; as many are copies in which
some words were replaced, up to 4 % of them. Every original has one copy. Memory does not grow with rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

SHARE = 0.05
"""So many rows are exact copies; as many are edited ones."""

AT_ONCE = 10_000
"""Rows drawn at once."""

REMEMBERED = 20_000
"""Rows that may still become originals."""

Pair = tuple[int, int, float]
"""A copy, its original, and the Jaccard similarity of their sets of 5-word shingles."""


def planted(folder: Path, rows: int) -> Path:
    """The JSONL file of `id` and `text`; made if it is not in the folder. Seeded."""
    path, truth = folder / f"planted-{rows}.jsonl", folder / f"planted-{rows}.pairs"
    if path.exists() and truth.exists():
        return path
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("w") as texts, truth.open("w") as pairs:
        for number, text, pair in _drawn(rows):
            texts.write(json.dumps({"id": str(number), "text": text}) + "\n")
            if pair:
                pairs.write(json.dumps(pair) + "\n")
    unfinished.rename(path)
    return path


def pairs_of(path: Path) -> Iterator[Pair]:
    """What was planted in a corpus."""
    with path.with_suffix(".pairs").open() as stream:
        for line in stream:
            copy, original, alike = json.loads(line)
            yield copy, original, alike


def similarity(one: list[str], other: list[str]) -> float:
    """Jaccard similarity of the sets of 5-word shingles."""
    a, b = ({tuple(text[at : at + 5]) for at in range(len(text) - 4)} for text in (one, other))
    return len(a & b) / len(a | b)


def _drawn(rows: int) -> Iterator[tuple[int, str, Pair | None]]:
    """Number and text of each row, and the pair if it is a copy."""
    import numpy as np

    random = np.random.default_rng(11)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    weights = 1 / np.arange(1, 27) ** 0.7
    lengths = random.integers(2, 10, 40_000)
    drawn = random.choice(letters, lengths.sum(), p=weights / weights.sum())
    words = ["".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    originals: list[tuple[int, list[str]]] = []
    exact = 0
    for start in range(0, rows, AT_ONCE):
        count = min(AT_ONCE, rows - start)
        ends = np.cumsum(random.integers(25, 160, count))
        ranks = np.minimum(random.zipf(1.25, ends[-1]), 39_999).tolist()
        begins = [0, *ends[:-1].tolist()]
        # A row that may be an original enters a little more often than one is taken.
        kinds = random.choice(4, count, p=[SHARE, SHARE, 0.12, 0.88 - 2 * SHARE]).tolist()
        places = random.random(count).tolist()
        for index, (kind, place) in enumerate(zip(kinds, places, strict=True)):
            number = start + index
            if kind > 1 or not originals:
                text = [words[rank] for rank in ranks[begins[index] : ends[index]]]
                if kind == 2 and len(originals) < REMEMBERED:
                    originals.append((number, text))
                yield number, " ".join(text), None
                continue
            at = int(place * len(originals))
            originals[at], originals[-1] = originals[-1], originals[at]
            original, text = originals.pop()
            if kind == 0:
                exact += 1
                same = " ".join(text) if exact % 2 else "  ".join(text).upper() + " "
                yield number, same, (number, original, 1.0)
                continue
            edited = list(text)
            most = max(1, round(len(text) * 0.04))
            for spot in random.integers(0, len(text), random.integers(1, most + 1)).tolist():
                edited[spot] = "x" + words[random.integers(40_000)]
            yield number, " ".join(edited), (number, original, similarity(text, edited))
