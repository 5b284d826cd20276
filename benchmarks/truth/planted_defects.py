"""Defects planted in a share of a set's answers: what each measure finds of them, and what else it takes.

Nothing is tuned to the defects: operators that need a reference have other answers of the same set, and
thresholds are the defaults. Where an operator has none, they are the robust z of `filter_outliers`, from
the rows themselves, or what all but one percent of still other good answers keep.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.truth.applying import Applied, apply
from benchmarks.truth.base_rows import examples, gsm8k, roleplays
from benchmarks.truth.tables import rate, table

SHARES = (0.05, 0.2, 0.5)
ROWS = 800
KNOWN, CALIBRATING = 3_000, 1_000
"""Other rows of the set, which models learn from, and from which a threshold is taken."""

LEAST_RECALL = 0.1
"""What finds less of a defect, whatever its share, is left out of the table."""


@dataclass(frozen=True)
class Measure:
    """One way to find defects.

    Attributes:
        name: of the operator, and with what.
        found: the positions of rows that it takes for defects.
    """

    name: str
    found: Callable[[pl.DataFrame, Mapping[str, pl.DataFrame]], set[int]]


def planted(data: Path | None) -> None:
    """Print precision and recall by defect, share and measure."""
    if data is None:
        print("\nplanted defects: not run; give --data")
        return
    rows = gsm8k(data, "train")
    good, known = rows[:ROWS], rows[ROWS : ROWS + KNOWN]
    still_other = rows[ROWS + KNOWN : ROWS + KNOWN + CALIBRATING]
    references = {"known": _frame(known), "still_other": _frame(still_other)}
    headings = ["planted", "measure"]
    headings += [f"{what} at {share:.0%}" for share in SHARES for what in ("precision", "recall")]
    lines: list[Sequence[Any]] = []
    for defect, spoil in defects(data).items():
        planted_in = [spoiled(good, share, spoil) for share in SHARES]
        told = []
        for measure in MEASURES:
            cells, most = [measure.name], 0.0
            for frame, bad in planted_in:
                found = measure.found(frame, references)
                right = len(found & bad)
                cells += [rate(right, len(found)), rate(right, len(bad))]
                most = max(most, right / len(bad))
            told += [(defect, *cells)] if most >= LEAST_RECALL else []
        lines += told or [(defect, "none of them", *("–" for _ in headings[2:]))]
    table(f"Defects planted in the answers of {ROWS} rows", headings, lines)
    clean = _frame(good)
    taken = {measure.name: len(measure.found(clean, references)) for measure in MEASURES}
    lines = [(name, count, rate(count, ROWS)) for name, count in taken.items()]
    table("The same rows with nothing planted", ["measure", "rows taken", "share"], lines)


def _frame(rows: Sequence[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["question", "answer"], orient="row")


Spoil = Callable[[list[tuple[str, str]], list[int], random.Random], Sequence[tuple[str, str]]]
"""New rows in place of those at some positions."""


def spoiled(
    good: list[tuple[str, str]], share: float, spoil: Spoil
) -> tuple[pl.DataFrame, set[int]]:
    """The rows with a defect in a share of them, and which these are."""
    draw = random.Random(f"{share}")
    places = sorted(draw.sample(range(len(good)), round(share * len(good))))
    rows = list(good)
    for place, row in zip(places, spoil(good, places, draw), strict=True):
        rows[place] = row
    return _frame(rows), set(places)


def defects(data: Path) -> dict[str, Spoil]:
    """How rows are spoiled, by what is planted."""
    foreign = [row["text"] for row in examples("languages") if row["language"] != "en"]
    other = roleplays(data)

    def answers(make: Callable[[str, random.Random], str]) -> Spoil:
        return lambda good, places, draw: [(good[at][0], make(good[at][1], draw)) for at in places]

    def copies(
        good: list[tuple[str, str]], places: list[int], draw: random.Random
    ) -> Sequence[tuple[str, str]]:
        """Copies of earlier rows that have no defect, with a word left out of the answer."""
        taken, made = set(places), []
        for place in places:
            earlier = [row for at, row in enumerate(good[:place]) if at not in taken] or good[-1:]
            asked, said = draw.choice(earlier)
            made.append((asked, _without_a_word(said, draw)))
        return made

    def others(
        good: list[tuple[str, str]], places: list[int], draw: random.Random
    ) -> Sequence[tuple[str, str]]:
        """Each question with the answer to another one: the next of those chosen."""
        turned = [*places[1:], places[0]]
        return [(good[at][0], good[there][1]) for at, there in zip(places, turned, strict=True)]

    return {
        "letters garbled, one in five": answers(_garbled),
        "words shuffled": answers(
            lambda text, draw: " ".join(draw.sample(text.split(), len(text.split())))
        ),
        "another language": answers(lambda _, draw: " ".join(draw.sample(foreign, 2))),
        "another subject (role plays)": answers(lambda _, draw: draw.choice(other)),
        "near copies of other rows": copies,
        "answers to other questions": others,
        "cut off in the middle": answers(lambda text, _: text[: len(text) // 2].rstrip()),
        "the question instead": lambda good, places, _: [
            (good[at][0], good[at][0]) for at in places
        ],
    }


def _garbled(text: str, draw: random.Random) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return "".join(
        draw.choice(letters) if letter.isalpha() and draw.random() < 0.2 else letter
        for letter in text
    )


def _without_a_word(text: str, draw: random.Random) -> str:
    words = text.split(" ")
    words.pop(draw.randrange(len(words)))
    return " ".join(words)


def _removed(name: str, **parameters: Any) -> Callable[..., set[int]]:
    """The rows that an operator removes."""

    def found(frame: pl.DataFrame, references: Mapping[str, pl.DataFrame]) -> set[int]:
        return _apply(name, parameters, frame, references).gone

    return found


def _far_out(name: str, value: str, **parameters: Any) -> Callable[..., set[int]]:
    """The rows that are far out in what an operator measures, by `filter_outliers`."""

    def found(frame: pl.DataFrame, references: Mapping[str, pl.DataFrame]) -> set[int]:
        kept = _apply(name, parameters, frame, references).kept
        measured = kept.select(value=pl.col(value).cast(pl.Float64))
        return apply("filter_outliers", {"columns": ["value"]}, measured).gone

    return found


def _above_others(name: str, value: str, **parameters: Any) -> Callable[..., set[int]]:
    """The rows in which an operator measures more than in 99 percent of other good rows."""

    def found(frame: pl.DataFrame, references: Mapping[str, pl.DataFrame]) -> set[int]:
        others = _apply(name, parameters, references["still_other"], references).kept
        most = others[value].quantile(0.99, "lower")
        kept = _apply(name, parameters, frame, references).kept
        return set(kept.filter(pl.col(value) > most)["at"])

    return found


def _apply(
    name: str,
    parameters: Mapping[str, Any],
    frame: pl.DataFrame,
    references: Mapping[str, pl.DataFrame],
) -> Applied:
    used = {name: references[name] for name in parameters.get("like", ())}
    return apply(name, parameters, frame, used)


LIKE = {"columns": ["answer"], "like": {"known": ["answer"]}, "mark_only": True}

MEASURES = (
    Measure("perplexity, far out", _far_out("filter_perplexity", "perplexity", **LIKE)),
    Measure(
        "perplexity, above 99 % of others", _above_others("filter_perplexity", "perplexity", **LIKE)
    ),
    Measure("length, far out", _far_out("measure_length", "characters", column="answer")),
    Measure("filter_language: en", _removed("filter_language", column="answer", keep=["en"])),
    Measure(
        "filter_answer_language",
        _removed("filter_answer_language", column="answer", prompt="question"),
    ),
    Measure("deduplicate_near", _removed("deduplicate_near", columns=["question", "answer"])),
    Measure(
        "filter_copied_prompt", _removed("filter_copied_prompt", column="answer", prompt="question")
    ),
    Measure("filter_truncated", _removed("filter_truncated", column="answer")),
    Measure("extract_final_answer (`####`)", _removed("extract_final_answer", column="answer")),
)
