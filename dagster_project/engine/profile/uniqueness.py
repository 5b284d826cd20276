"""Uniqueness: whether rows say what no other row says."""

from __future__ import annotations

import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows, merged_rows
from dagster_project.engine.profile.trait import (
    Figure,
    Thresholds,
    Trait,
    measure,
    share_of_rows,
    trait,
)
from dagster_project.operators.process.deduplicate_near import DeduplicateNear

EXACT = Thresholds(0.005, 0.03)
NEAR = Thresholds(0.02, 0.1)
AGAIN = Thresholds(0.05, 0.3)
OPENINGS = Thresholds(0.1, 0.3)
"""Duplicates cost most where they are many: Lee et al. 2022 found 3 to 14 % of near duplicates in web
corpora that had not been deduplicated."""

MOST_NEAR = 20_000
"""Rows among which near duplicates are looked for."""
NEAR_CHARACTERS = 20_000
"""Characters of a text that are compared."""
OPENING_WORDS = 4
SHOWN = 20


def uniqueness(judged: JudgedRows) -> Trait:
    """Exact duplicates among all rows; near ones, and answers that begin alike, among a sample."""
    prints = judged.prints
    text = ["text_1", "text_2"]
    twice = prints.drop_nulls(text).filter(pl.col("row_id") != pl.col("row_id").min().over(text))
    exact = f"deduplicate_exact: {{columns: {judged.columns}, normalize: whitespace_case}}"
    figures = [share_of_rows("duplicates", twice["row_id"].sort(), prints.height, exact, EXACT)]
    alone = judged.frame.join(twice, on="row_id", how="anti", maintain_order="left")
    if not judged.pairs:
        figures.append(_near(judged, alone))
    if "asked_1" in prints.columns and not judged.pairs:
        asked = ["asked_1", "asked_2"]
        again = prints.drop_nulls(asked).join(twice, on="row_id", how="anti")
        again = again.filter(pl.col("row_id") != pl.col("row_id").min().over(asked))
        mend = f"deduplicate_prompts: {_prompt_columns(judged)}"
        rows = again["row_id"].sort()
        figures.append(share_of_rows("questions asked again", rows, prints.height, mend, AGAIN))
    if judged.answers is not None:
        figures.append(_openings(judged))
    notes = ["duplicates differ at most in case and white space; all rows were compared"]
    if judged.pairs:
        notes.append(
            "near duplicates are not looked for: pairs of one question are alike by design"
        )
    elif alone.height > MOST_NEAR:
        notes.append(
            f"near duplicates were looked for among {MOST_NEAR:,} rows drawn at random: "
            "among all there are more, never fewer"
        )
    return trait("uniqueness", figures, notes)


def _near(judged: JudgedRows, alone: pl.DataFrame) -> Figure:
    drawn = judged.sample(MOST_NEAR).join(alone.select("row_id"), on="row_id", how="semi")
    texts = drawn.select("row_id", pl.col("text").str.head(NEAR_CHARACTERS))
    alike = merged_rows(DeduplicateNear(columns=("text",), threshold=0.8), texts)
    mend = f"deduplicate_near: {{columns: {judged.columns}}}"
    return share_of_rows("near duplicates", alike["row_id"], texts.height, mend, NEAR)


def _openings(judged: JudgedRows) -> Figure:
    """How many answers begin as the most frequent beginning has it."""
    words = pl.col("answer").str.head(200).str.to_lowercase().str.extract_all(r"[\p{L}\p{N}]+")
    first = words.list.head(OPENING_WORDS)
    openings = judged.frame.select("row_id", opening=first.list.join(" "), words=first.list.len())
    openings = openings.filter(pl.col("words") == OPENING_WORDS)
    most = openings.group_by("opening").len().sort(["len", "opening"], descending=[True, False])
    if most.is_empty():
        return measure("answers that begin alike", None)
    opening, rows = most.row(0)
    return measure(
        f"answers that begin alike ({opening} …)",
        rows / judged.frame.height,
        "other prompts, seeds or models for the input that makes the answers",
        OPENINGS,
        judged.frame.height,
        openings.filter(pl.col("opening") == opening)["row_id"].head(SHOWN),
    )


def _prompt_columns(judged: JudgedRows) -> str:
    parts = judged.rows.parts
    if parts.chat is not None:
        return f"{{prompt: [{parts.chat}]}}"
    return f"{{prompt: [{parts.prompt}], answer: [{parts.answer}]}}"
