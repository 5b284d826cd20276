"""Rows that are equal, nearly equal, or equal in what they ask."""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

import polars as pl

from benchmarks.truth.applying import Applied, apply
from benchmarks.truth.base_rows import (
    WITHOUT_SPACES,
    documents,
    function_calls,
    gsm8k,
    in_language,
    made_up,
)
from benchmarks.truth.tables import rate, table

THRESHOLD = 0.8
SIZE = 5
TOLD = (0.7, 0.8)
"""Pairs of this band are not merged, but stored in `pairs`."""

BANDS = ((0.95, 1.0), (0.9, 0.95), (0.8, 0.9), (0.7, 0.8), (0.5, 0.7))

SPOILED: dict[str, Callable[[str], str]] = {
    "byte-equal": lambda text: text,
    "case": str.upper,
    "doubled spaces, line feeds around": lambda text: "\n" + text.replace(" ", "  ") + " \n",
    "spaces become no-break spaces": lambda text: text.replace(" ", "\u00a0"),
    "Unicode form (NFD for NFC)": lambda text: unicodedata.normalize("NFD", text),
    "full-width letters": lambda text: "".join(
        chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter for letter in text
    ),
    "punctuation left out": lambda text: re.sub(r"[.,?!:;'’\"$-]", "", text),
    "zero-width space in a word": lambda text: text[:3] + "\u200b" + text[3:],
}
"""How a copy is changed."""

MERGING = {"none": 1, "whitespace_case": 4}
"""How many of `SPOILED`, from the first on, a level of `normalize` is to merge."""


ALONE = "\\u0e00-\\u0eff\\u3005-\\u30ff\\u3400-\\u9fff"
"""Thai letters, kana and ideographs."""


def exact(data: Path | None) -> None:
    """Print how many copies of each kind each level merges."""
    originals = [f"{question} — é" for question, _ in gsm8k(data, "train")[:800]]
    share = len(originals) // len(SPOILED)
    kinds = [*SPOILED, "not a copy"]
    cells: dict[str, list] = {kind: [kind, share] for kind in SPOILED}
    cells["not a copy"] = ["not a copy", len(originals)]
    for level, merging in MERGING.items():
        rows = list(originals)
        for number, change in enumerate(SPOILED.values()):
            rows += map(change, originals[number * share : (number + 1) * share])
        frame = pl.DataFrame({"text": rows})
        gone = apply("deduplicate_exact", {"columns": ["text"], "normalize": level}, frame).gone
        for number, kind in enumerate(kinds):
            start = len(originals) + number * share if kind in SPOILED else 0
            own = set(range(start, start + cells[kind][1]))
            cells[kind] += ["all" if number < merging else "none", len(gone & own)]
    headings = ["copy, differing in", "planted"]
    for level in MERGING:
        headings += [f"`{level}`: to merge", "merged"]
    table("deduplicate_exact", headings, cells.values())


def prompts(data: Path | None) -> None:
    """Print what becomes of prompts that are asked again."""
    kinds = ("same answer", "other answer", "same answer, other case and space", "asked once")
    asked, each = gsm8k(data, "train"), 100
    rows = [{"prompt": question, "answer": answer} for question, answer in asked[: 4 * each]]
    for at, row in enumerate(rows[: 3 * each]):
        prompt, answer = row["prompt"], row["answer"]
        again = (
            row,
            {"prompt": prompt, "answer": re.sub(r"\w+\W*$", "none of these", answer)},
            {"prompt": prompt.upper(), "answer": answer + " \n"},
        )
        rows.append(again[at // each])
    lines = []
    for conflicts in ("keep", "merge", "drop"):
        given = {"prompt": ["prompt"], "answer": ["answer"], "conflicts": conflicts}
        done = apply("deduplicate_prompts", given, pl.DataFrame(rows))
        told = set(done.kept.filter(pl.col("answers_to_prompt") > 1)["at"])
        for number, kind in enumerate(kinds):
            own = {at for at in range(len(rows)) if at % (4 * each) // each == number}
            lines.append((kind, conflicts, len(own), len(own & done.gone), len(own & told)))
    headings = ["prompt", "`conflicts`", "rows", "rows gone", "rows kept and told as in conflict"]
    table("deduplicate_prompts", headings, sorted(lines, key=lambda line: kinds.index(line[0])))


def near(data: Path | None, pairs: int = 40) -> None:
    """Print recall by band and precision of texts in some scripts, then templates and chains.

    Args:
        data: of public sets.
        pairs: planted in each band.
    """
    lines = []
    for name, shingles, texts in _texts(data):
        rows, planted = plant(texts, shingles, pairs)
        given = {"columns": ["text"], "threshold": THRESHOLD, "size": SIZE, "shingles": shingles}
        done = apply("deduplicate_near", given, pl.DataFrame({"text": rows}))
        pairs_told = set(done.pairs.select("row", "other").iter_rows())
        cells, told = [], ""
        for low, high in BANDS:
            band = [(copy, there) for copy, there, alike in planted if low <= alike < high]
            found = sum(copy in done.gone or there in done.gone for copy, there in band)
            cells.append(f"{found} / {len(band)}")
            if (low, high) == TOLD:
                told = f"{sum({pair, pair[::-1]} & pairs_told != set() for pair in band)} / {len(band)}"
        right, merged = verified(done, rows, shingles)
        lines.append((name, shingles, *cells, told, merged, rate(right, merged)))
    bands = [f"{low:g} – {high:g}" for low, high in BANDS]
    headings = ["texts", "shingles", *bands, "stored, 0.7 – 0.8", "rows merged", "precision"]
    table("deduplicate_near: pairs found, of those planted, by true similarity", headings, lines)
    _templates(data)
    _chains(data)


def plant(
    texts: list[list[str]], shingles: str, pairs: int
) -> tuple[list[str], list[tuple[int, int, float]]]:
    """Rows: texts, and edited copies of them; copy, original and true similarity of each pair.

    Args:
        texts: as units, `pairs` times `BANDS` of them or more; those beyond get no copy.
        shingles: `words` or `characters`.
        pairs: of each band.
    """
    draw = random.Random(5)
    rows, planted = ["".join(text) for text in texts], []
    for at in range(pairs * len(BANDS)):
        for _ in range(2_000):
            copy, alike = _edited(texts[at], BANDS[at % len(BANDS)], shingles, draw)
            if copy:
                planted.append((len(rows), at, alike))
                rows.append(copy)
                break
    return rows, planted


def _edited(
    text: list[str], band: tuple[float, float], shingles: str, draw: random.Random
) -> tuple[str, float]:
    """A copy as alike as some point of the band, by units replaced, left out and put in at random; empty
    if too much was changed at once."""
    units, original = list(text), "".join(text)
    enough = draw.uniform(*band)
    while True:
        at = draw.randrange(len(units))
        how = draw.choice(("replace", "leave out", "put in"))
        units[at : at + (how != "put in")] = [] if how == "leave out" else [draw.choice(text)]
        alike = similarity(original, "".join(units), shingles)
        if alike <= enough:
            return ("".join(units), alike) if alike >= band[0] else ("", alike)


def verified(done: Applied, rows: list[str], shingles: str) -> tuple[int, int]:
    """How many rows were merged into one that is alike enough indeed, and how many in all."""
    merges = list(done.removed.select("row", "survivor").iter_rows())
    right = sum(similarity(rows[a], rows[b], shingles) >= THRESHOLD for a, b in merges)
    return right, len(merges)


def similarity(one: str, other: str, shingles: str) -> float:
    """Jaccard similarity of sets of shingles, the plain way."""
    a, b = shingle_set(one, shingles), shingle_set(other, shingles)
    return len(a & b) / len(a | b)


@lru_cache(maxsize=2_000)
def shingle_set(text: str, shingles: str) -> frozenset[tuple[str, ...] | str]:
    """Runs of words, or of characters in which what stands between words is one space."""
    units: list[str] | str = list(_words(text))
    if shingles == "characters":
        units = re.sub(r"\s+", " ", "".join(map(_folded, text))).lstrip()
        return frozenset(units[at : at + SIZE] for at in range(len(units) - SIZE + 1))
    return frozenset(tuple(units[at : at + SIZE]) for at in range(len(units) - SIZE + 1))


def _folded(letter: str) -> str:
    return letter.casefold() if unicodedata.category(letter)[0] in "LMN" else " "


def _words(text: str) -> Iterator[str]:
    """Runs of letters, marks and digits; ideographs, kana and Thai letters each alone."""
    for run in "".join(map(_folded, text)).split():
        yield from re.findall(f"[{ALONE}]|[^{ALONE}]+", run)


def _texts(data: Path | None) -> Iterator[tuple[str, str, list[list[str]]]]:
    """Name, shingles, and texts as units that may be edited."""
    english = [_units(text) for text in documents(data, 300)]
    yield "English", "words", english
    yield "English", "characters", english[:260]
    for name, language in {
        "Chinese": "zh",
        "Japanese": "ja",
        "Korean": "ko",
        "Arabic": "ar",
        "Hindi": "hi",
        "Thai": "th",
    }.items():
        draw = random.Random(language)
        space = "" if language in WITHOUT_SPACES else " "
        texts = [
            [unit + space for unit in in_language(language, draw, draw.randint(120, 260))]
            for _ in range(240)
        ]
        yield name, "words", texts
        yield name, "characters", texts


def _templates(data: Path | None) -> None:
    """Rows that share a text and differ in the rest."""
    questions = [question for question, _ in gsm8k(data, "train")[:300]]
    draw = random.Random(7)
    header = made_up(draw, 200)
    lines = []
    corpora: dict[str, list] = {}
    for words in (30, 60, 120, 180):
        head = " ".join(header.split()[:words])
        corpora[f"the same {words} words before different problems"] = [
            f"{head}\n{question}" for question in questions
        ]
    if data:
        corpora["function calls, of few templates (GPTeacher)"] = function_calls(data)[:2_000]
    for name, rows in corpora.items():
        done = apply("deduplicate_near", {"columns": ["text"]}, pl.DataFrame({"text": rows}))
        right, merged = verified(done, rows, "words")
        lines.append((name, len(rows), merged, right, merged - right))
    chats = [
        [{"role": "system", "content": header}, {"role": "user", "content": question}]
        for question in questions
    ]
    done = apply("deduplicate_near", {"columns": ["messages"]}, pl.DataFrame({"messages": chats}))
    merged = done.removed.height
    right = verified(done, questions, "words")[0]
    name = "chats with the same system prompt of 200 words"
    lines.append((name, len(chats), merged, right, merged - right))
    headings = ["rows", "planted", "merged", "of these J ≥ .8", "of these J < .8"]
    table("deduplicate_near: shared templates, none of which may be merged for it", headings, lines)


def _units(text: str) -> list[str]:
    """Words, each with the white space after it."""
    return re.split(r"(?<=\s)", text)


def _chains(data: Path | None, count: int = 60) -> None:
    """A is like B and B like C, but A is not like C."""
    draw = random.Random(9)
    chains = []
    for text in documents(data, 2 * count, skip=320):
        units = _units(text)
        for _ in range(200):
            second = _edited(units, (0.81, 0.86), "words", draw)[0]
            third = second and _edited(_units(second), (0.81, 0.86), "words", draw)[0]
            if third and similarity(text, third, "words") < 0.78:
                chains.append((text, second, third))
                break
    chains = chains[:count]
    lines = []
    for name, order in {"A, B, C": (0, 1, 2), "B, A, C": (1, 0, 2), "C, A, B": (2, 0, 1)}.items():
        rows = [chain[at] for chain in chains for at in order]
        done = apply("deduplicate_near", {"columns": ["text"]}, pl.DataFrame({"text": rows}))
        right, merged = verified(done, rows, "words")
        must = len(chains) * (2 if name == "B, A, C" else 1)
        lines.append((name, len(chains), must, merged, merged - right))
    headings = ["order of rows", "chains", "rows to merge", "merged", "merged with one unlike it"]
    table("deduplicate_near: A ~ B ~ C, but A is not like C", headings, lines)
