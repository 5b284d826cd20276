"""The rows among which something is planted: of public sets where they are given, else made up."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path

EXAMPLES = Path(__file__).parent / "examples"

WITHOUT_SPACES = ("zh", "ja", "th")
"""Languages that are written so."""


def examples(name: str) -> list[dict]:
    """Hand-written examples, from `examples/`."""
    lines = (EXAMPLES / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@cache
def gsm8k(data: Path | None, part: str) -> list[tuple[str, str]]:
    """Questions and answers of GSM8K's `train` or `test`; made-up ones without the set."""
    if data is None:
        draw = random.Random(part)
        count = {"train": 3_000, "test": 400}[part]
        return [(made_up(draw, 45), made_up(draw, 50)) for _ in range(count)]
    lines = (data / f"gsm8k/{part}.jsonl").read_text(encoding="utf-8").splitlines()
    rows = map(json.loads, lines)
    return [(row["question"], row["answer"]) for row in rows]


def documents(data: Path | None, count: int, skip: int = 0) -> list[str]:
    """Texts of some 250 words: three problems with their answers each, none used twice."""
    rows = gsm8k(data, "train")[3 * skip : 3 * (skip + count)]
    said = [f"{question}\n{answer}" for question, answer in rows]
    return ["\n".join(said[at : at + 3]) for at in range(0, len(said), 3)]


def function_calls(data: Path) -> list[str]:
    """GPTeacher's rows on the use of tools: few templates, many bodies."""
    rows = json.loads((data / "gpteacher/toolformer-dedupe-only-dataset.json").read_text())
    return ["\n".join([row["instruction"], row["input"], row["response"]]) for row in rows]


def roleplays(data: Path) -> list[str]:
    """Answers of GPTeacher's role plays."""
    name = "gpteacher/roleplay-simple-deduped-roleplay-instruct.json"
    return [row["response"] for row in json.loads((data / name).read_text())]


def made_up(draw: random.Random, words: int) -> str:
    """Sentences of words that are in no language, some of them numbers."""
    picked = [draw.choice(_vocabulary()) for _ in range(words)]
    for at in range(9, words, 10):
        picked[at] = f"{draw.randint(2, 99)}."
    return " ".join(picked)


@cache
def _vocabulary() -> list[str]:
    draw = random.Random(3)
    syllables = [a + b for a in "bdfgklmnprstv" for b in ("a", "e", "i", "o", "u", "ar", "en")]
    return sorted({"".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(3_000)})


def in_language(language: str, draw: random.Random, words: int) -> list[str]:
    """Words of a language in no order, from the hand-written sentences; characters where it is written
    without spaces."""
    sentences = [row["text"] for row in examples("languages") if row["language"] == language]
    if language in WITHOUT_SPACES:
        units = [unit for unit in "".join(sentences) if unit.strip()]
    else:
        units = " ".join(sentences).split()
    return draw.choices(units, k=words)
