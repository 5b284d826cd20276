"""Items of a test set in the rows of a training set: as they are, edited, and in other words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import examples, gsm8k, made_up
from benchmarks.truth.tables import excerpt, table

VARIANTS = ("tulu3", "palm", "gpt3", "datatrove")
EACH = 60
"""Items planted of each kind."""

CLEAN = 3_000
"""Rows of the training set in which nothing is planted."""

LOOKALIKES = ("same story, other numbers", "clean")
"""Kinds of rows that are not the item."""

SIMILARITIES = (0.85, 0.8, 0.75)

Flagged = dict[str, dict[int, tuple[int, float]]]
"""By setting: row, and the item that it holds most of, and how much."""

TEMPLATE = (
    "You are a patient tutor. Read the problem below with care, think about it step by step, write down "
    "every calculation on a line of its own, check the result, and give the final number after four hash "
    "signs. Do not skip a step and do not use a calculator. Here is the problem that you are to solve:"
)

AROUND = (
    "Below is an exercise for pupils of grade five. Answer in full sentences, show how you came to the "
    "answer, and round to two digits where that is needed. A sketch may help. Exercise:",
    "Give only the number as your answer, without units, on the last line, and nothing else at all "
    "after it.",
)
"""Another template, before and after; not looked at when `decontaminate` was mended for the first."""


def decontaminate(data: Path | None) -> None:
    """Print what is found of each kind by each variant, and on clean rows."""
    test = [question for question, _ in gsm8k(data, "test")]
    planted = _planted(data, test)
    clean = [f"{question}\n{answer}" for question, answer in gsm8k(data, "train")[:CLEAN]]
    rows = [text for texts in planted.values() for text in texts] + clean
    flagged: Flagged = {}
    for variant in VARIANTS:
        flagged[variant] = _flag("decontaminate", {"variant": variant}, rows, test)
    headings = ["rows", "to flag", "planted", *(f"`{variant}`" for variant in VARIANTS)]
    table("decontaminate: rows flagged", headings, _by_kind(planted, len(clean), flagged))
    _templated(data, test, clean)
    _read(rows, test, len(clean), flagged)
    if data:
        _semantic(data, planted, test)
    else:
        print("\ndecontaminate_semantic: not run; give --data")


def _flag(
    name: str, given: dict, rows: list[str], items: list[str]
) -> dict[int, tuple[int, float]]:
    """The rows that go, with the item that each holds most of, and how much."""
    done = apply(
        name,
        {"columns": ["text"], "against": {"exam": ["question"]}, **given},
        pl.DataFrame({"text": rows}),
        {"exam": pl.DataFrame({"question": items})},
    )
    best = done.pairs.sort("similarity", "other", descending=[True, False])
    best = best.unique("row", keep="first", maintain_order=True)
    return {row: (other, share) for row, other, share in best.iter_rows() if row in done.gone}


def _by_kind(
    planted: dict[str, list[str]], clean: int, flagged: Flagged
) -> Iterator[Sequence[Any]]:
    """Lines of a table: how many rows of each kind were flagged."""
    start = 0
    for kind, count in [*((kind, len(texts)) for kind, texts in planted.items()), ("clean", clean)]:
        own = range(start, start + count)
        must = "no" if kind in LOOKALIKES else "yes"
        yield (kind, must, count, *(sum(row in found for row in own) for found in flagged.values()))
        start += count


def _planted(data: Path | None, test: list[str]) -> dict[str, list[str]]:
    """Rows by kind."""
    draw = random.Random(31)
    drawn = [test[at] for at in _drawn(test)]
    parts = iter(drawn[start : start + EACH] for start in range(0, 5 * EACH, EACH))
    others = [f"{question}\n{answer}" for question, answer in gsm8k(data, "train")[-2 * EACH :]]
    around = list(zip(others[:EACH], others[EACH:], strict=True))
    kinds = {
        "verbatim": next(parts),
        "verbatim, within some 200 other words": [
            f"{before}\n{item}\n{after}"
            for (before, after), item in zip(around, next(parts), strict=True)
        ],
        "1 word in 10 replaced": [_edited(item, 10, draw) for item in next(parts)],
        "1 word in 5 replaced": [_edited(item, 5, draw) for item in next(parts)],
    }
    if data:
        kinds["rephrased by hand"] = [row["text"] for row in examples("rephrased")]
    kinds["same story, other numbers"] = [
        re.sub(r"\d+", lambda number: str(int(number[0]) + draw.randint(1, 9)), item)
        for item in next(parts)
    ]
    return kinds


def _drawn(test: list[str]) -> list[int]:
    """The items that are planted, but for those that are rephrased."""
    return random.Random(31).sample(range(26, len(test)), 5 * EACH)


def _edited(item: str, every: int, draw: random.Random) -> str:
    """An item in which one word of so many is another, at random places."""
    words = item.split(" ")
    for at in draw.sample(range(len(words)), max(1, round(len(words) / every))):
        words[at] = made_up(draw, 1)
    return " ".join(words)


def _templated(data: Path | None, test: list[str], clean: list[str]) -> None:
    """Items and rows have the same words around, and nothing else in common."""
    others = [f"{question}\n{answer}" for question, answer in gsm8k(data, "train")[-1_000:]]
    lines = []
    for name, before, after, texts in (
        ("the items' template", TEMPLATE, "", clean[:1_000]),
        ("their other template, before and after", *AROUND, others),
    ):
        items = [f"{before}\n{item}\n{after}" for item in test]
        bare = {
            variant: set(_flag("decontaminate", {"variant": variant}, texts, test))
            for variant in VARIANTS
        }
        for some in (5, 20, 1_000):
            rows = [
                f"{before}\n{row}\n{after}" if at < some else row for at, row in enumerate(texts)
            ]
            told = []
            for variant in VARIANTS:
                found = set(_flag("decontaminate", {"variant": variant}, rows, items))
                told.append(len(found - bare[variant]))
            lines.append((f"{some:,} of 1,000 clean rows with {name}", some, *told))
    headings = ["rows", "planted", *(f"`{variant}`" for variant in VARIANTS)]
    table("decontaminate: rows flagged only because they share a template", headings, lines)


def _semantic(data: Path, planted: dict[str, list[str]], test: list[str]) -> None:
    """The same by meaning, over fewer rows, and only the items that were planted. Similarities are told
    from the lowest threshold on, so that one run tells of all."""
    rows_of = {kind: texts[:25] for kind, texts in planted.items()}
    items = [test[at] for at in _drawn(test)] + test[:26]
    questions = [question for question, _ in gsm8k(data, "train")[:150]]
    rows = [text for texts in rows_of.values() for text in texts] + questions
    flagged: Flagged = {}
    for same_numbers in (False, True):
        given = {"threshold": SIMILARITIES[-1], "same_numbers": same_numbers}
        best = _flag("decontaminate_semantic", given, rows, items)
        for threshold in SIMILARITIES:
            name = f"{threshold:g}" + (", same numbers" if same_numbers else "")
            flagged[name] = {row: found for row, found in best.items() if found[1] >= threshold}
    title = f"decontaminate_semantic: rows flagged, against {len(items)} items"
    table(
        title, ["rows", "to flag", "planted", *flagged], _by_kind(rows_of, len(questions), flagged)
    )
    _read(rows, items, len(questions), {"0.75": flagged["0.75"]})


def _read(rows: list[str], items: list[str], clean: int, flagged: Flagged) -> None:
    """Print the clean rows that were flagged, beside what for."""
    print("\nClean rows that were flagged:\n")
    for row in range(len(rows) - clean, len(rows)):
        by = [name for name, found in flagged.items() if row in found]
        if by:
            item, share = flagged[by[0]][row]
            print(f"- {', '.join(by)}, {share:.2f}: {excerpt(rows[row])} ‖ {excerpt(items[item])}")
