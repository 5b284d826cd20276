"""Consistency: whether rows contradict each other, and whether those who rated them agree."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows
from dagster_project.engine.profile.profiled_rows import FEW_VALUES
from dagster_project.engine.profile.trait import (
    Figure,
    Thresholds,
    Trait,
    measure,
    share_of_rows,
    trait,
)
from dagster_project.operators.verify.agreement import coded, krippendorff_alpha

CONFLICTS = Thresholds(0.01, 0.05)
RARE = Thresholds(0.0, 0.01)
AGREEMENT = Thresholds(0.8, 0.667, low=True, share=False)
"""Krippendorff's: 0.8, and 0.667 where conclusions are tentative."""

LABELS = ("label", "labels", "class", "category", "sentiment", "intent", "target", "grade")
"""Names of columns whose value is the answer about a text."""
RATER = re.compile(r"(?i)(?:.*_)?(?:rater|annotator|coder|judge|labell?er)[_ ]?\w+")
"""Names of columns that each hold what one rater said."""
EACH = "_each"
"""How `judge_rows` ends the names of what several judges said."""


def consistency(judged: JudgedRows) -> Trait:
    """Other answers to the same question, other labels of the same text, and agreement of raters."""
    figures, notes = [*_answers(judged), *_labels(judged)], []
    agreement = list(_agreement(judged))
    if not figures:
        notes.append(
            "rows have neither questions with answers nor labels: no row can contradict one"
        )
    if not agreement:
        notes.append("agreement of raters is not measured: no row was rated twice")
    if any(each.rows for each in figures):
        notes.append(
            "where questions are open, several answers are no fault; where they have one solution, all "
            "but one of them are wrong"
        )
    return trait("consistency", [*figures, *agreement], notes)


def _answers(judged: JudgedRows) -> Iterator[Figure]:
    prints, parts = judged.prints, judged.rows.parts
    if "asked_1" not in prints.columns:
        return
    asked = ["asked_1", "asked_2"]
    if not judged.pairs:
        several = pl.col("answered").n_unique().over(asked) > 1
        rows = prints.drop_nulls([*asked, "answered"]).filter(several)["row_id"].sort()
        columns = f"prompt: [{parts.chat or parts.prompt}]"
        columns += "" if parts.chat else f", answer: [{parts.answer}]"
        mend = f"deduplicate_prompts: {{{columns}, conflicts: drop}}"
        yield share_of_rows("same question, other answer", rows, prints.height, mend, CONFLICTS)
    if "refused" not in prints.columns:
        return
    same = prints.filter(pl.col("answered") == pl.col("refused"))["row_id"].sort()
    mend = f'filter_rows: {{keep: "{parts.answer} <> {parts.rejected}"}}'
    yield share_of_rows("chosen is rejected", same, prints.height, mend, RARE)
    turned = prints.select(*asked, answered="refused", refused="answered").unique()
    rows = prints.join(turned, on=[*asked, "answered", "refused"], how="semi")
    rows = rows.filter(pl.col("answered") != pl.col("refused"))["row_id"].sort()
    mend = f"deduplicate_prompts: {{prompt: [{parts.prompt}], answer: [{parts.answer}], conflicts: drop}}"
    yield share_of_rows("the opposite is preferred too", rows, prints.height, mend, RARE)


def _labels(judged: JudgedRows) -> Iterator[Figure]:
    text = ["text_1", "text_2"]
    for name in judged.rows.labels:
        if name.lower() not in LABELS:
            continue
        labelled = judged.prints.select("row_id", *text).join(
            judged.frame.select("row_id", label=f"label:{name}"), on="row_id"
        )
        several = pl.col("label").n_unique().over(text) > 1
        rows = labelled.drop_nulls().filter(several)["row_id"].sort()
        mend = f"have these rows labelled again, or drop them: deduplicate_exact on {name} and text"
        yield share_of_rows(f"same text, other {name}", rows, labelled.height, mend, CONFLICTS)


def _agreement(judged: JudgedRows) -> Iterator[Figure]:
    """Krippendorff's alpha of each criterion that several judges graded, and of columns of raters."""
    rows = judged.rows
    for name in rows.scores:
        if name.endswith(EACH) and isinstance(rows.scores[name], pl.List):
            grades = rows.measured(name)["value"]
            yield _alpha(name.removesuffix(EACH), grades.to_list(), numbers=True)
    raters = [name for name in rows.schema if RATER.fullmatch(name)]
    raters = [name for name in raters if rows.schema[name].is_numeric() or name in rows.labels]
    if len(raters) > 1:
        said = rows.columns(raters)
        numbers = all(rows.schema[name].is_numeric() for name in raters)
        told = said.select(pl.col(raters).cast(pl.Float64 if numbers else pl.String)).rows()
        yield _alpha(", ".join(raters), told, numbers=numbers)


def _alpha(name: str, told: list, *, numbers: bool) -> Figure:
    most = max((len(each) for each in told), default=0)
    padded = [[*each, *[None] * (most - len(each))] for each in told]
    if numbers:
        ratings = np.array(padded, dtype=np.float64).reshape(len(padded), most)
        few = len(np.unique(ratings)) <= FEW_VALUES
        alpha = krippendorff_alpha(ratings if few else ratings.round(1), "interval")
    else:
        alpha = krippendorff_alpha(coded(padded), "nominal")
    mend = "a rubric with examples, or calibrate_judge; then rate again"
    return measure(f"agreement on {name} (alpha)", alpha, mend, AGREEMENT, len(told))
