"""Alignment: how well answers do what they should, as judges graded them; else signs that they do not."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows, broken_rules
from dagster_project.engine.profile.trait import (
    Figure,
    Thresholds,
    Trait,
    measure,
    share_of_rows,
    trait,
)
from dagster_project.operators.process.filter_assistant_phrases import FilterAssistantPhrases
from dagster_project.operators.process.filter_copied_prompt import FilterCopiedPrompt

LOW_GRADES = Thresholds(0.05, 0.2)
SIGNS = Thresholds(0.01, 0.05)
ECHOES = Thresholds(0.05, 0.5)
"""Who is to complete or correct a text repeats it."""
LONGER = Thresholds(0.65, 0.8)

OVERALL = "overall"
"""How `judge_rows` ends the name of the mean of all criteria."""
SCALE = (1.0, 5.0)
"""Grades that judges give by default."""
NOT_GRADED = (
    "no judge graded these rows (judge_rows does): what is told are signs of bad answers by their "
    "wording; that there are none does not make answers good"
)


def alignment(judged: JudgedRows) -> Trait:
    """Grades where they were measured, and signs of bad answers; without grades it is never good."""
    figures, notes = list(_grades(judged)), []
    if judged.answers is None:
        notes.append("rows have no answers, and no judge graded them")
        return trait("alignment", figures, [] if figures else notes)
    if figures:
        notes.append(
            "grades are taken to go from 1 to 5, or to the greatest there is; low is < the middle"
        )
    else:
        notes.append(NOT_GRADED)
    figures += _signs(judged)
    if judged.rows.parts.rejected is not None:
        figures.append(_longer(judged))
    found = trait("alignment", figures, notes)
    if notes == [NOT_GRADED] and found.verdict == "good":
        return found.model_copy(update={"verdict": "not measured"})
    return found


def _grades(judged: JudgedRows) -> Iterator[Figure]:
    rows = judged.rows
    for name, kind in rows.scores.items():
        overall = name == OVERALL or name.endswith(f"_{OVERALL}")
        if not overall or not kind.is_numeric():
            continue
        grades = rows.measured(name).filter(pl.col("value").cast(pl.Float64).is_finite())
        if grades.is_empty():
            continue
        top = max(SCALE[1], float(grades["value"].max()))  # type: ignore[arg-type]
        low = grades.filter(pl.col("value") < (SCALE[0] + top) / 2).sort("value", "row_id")[
            "row_id"
        ]
        mend = f"select_top: {{column: {name}, fraction: {max(1 - low.len() / grades.height, 0.01):.2f}}}"
        yield share_of_rows(f"low {name}", low, grades.height, mend, LOW_GRADES)
        mean = float(grades["value"].mean())  # type: ignore[arg-type]
        yield measure(f"mean {name}", mean, of=grades.height)


def _signs(judged: JudgedRows) -> Iterator[Figure]:
    column = judged.answers
    assert column is not None
    phrases = FilterAssistantPhrases(column=column)
    mend = f"{phrases.operator_name()}: {{column: {judged.published}}}"
    names = {
        "refusals": "refusals",
        "identities": "answers that name a model",
        "cutoffs": "answers that tell of a cutoff",
    }
    for rule, rows in broken_rules(phrases, judged.frame).items():
        yield share_of_rows(names[rule], rows, judged.frame.height, mend, SIGNS)
    if not judged.rows.parts.has_prompts:
        return
    of_prompt = None if column == "chat" else "prompt"
    copies = FilterCopiedPrompt(column=column, prompt=of_prompt)
    found = broken_rules(copies, judged.frame)
    rows = pl.concat(list(found.values())).unique().sort()
    prompt = "" if of_prompt is None else f", prompt: {judged.rows.parts.prompt}"
    mend = f"{copies.operator_name()}: {{column: {judged.published}{prompt}}}"
    yield share_of_rows("answers that repeat the prompt", rows, judged.frame.height, mend, ECHOES)


def _longer(judged: JudgedRows) -> Figure:
    """How often the longer answer is the preferred one: a model learns that length is what counts."""
    lengths = judged.frame.select(
        "row_id",
        by=pl.col("answer").str.len_chars().cast(pl.Int64) - pl.col("rejected").str.len_chars(),
    )
    apart = lengths.filter(pl.col("by") != 0)
    longer = apart.filter(pl.col("by") > 0)
    return measure(
        "chosen is the longer one",
        longer.height / apart.height if apart.height else None,
        "pairs in which the shorter answer is the better one",
        LONGER,
        apart.height,
        longer.sort(["by", "row_id"], descending=[True, False])["row_id"].head(20),
    )
