"""Format: whether rows have the form that trainers expect, and are whole."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from dagster_project.engine.profile.judged_rows import JudgedRows, broken_rules
from dagster_project.engine.profile.trait import Figure, Thresholds, Trait, share_of_rows, trait
from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.filter_broken_markup import FilterBrokenMarkup
from dagster_project.operators.process.filter_chat_structure import FilterChatStructure
from dagster_project.operators.process.filter_repeated_sentences import FilterRepeatedSentences
from dagster_project.operators.process.filter_truncated import FilterTruncated

RARE = Thresholds(0.001, 0.02)
"""Of what no row should have."""
SOME = Thresholds(0.02, 0.1)
"""Of what the rules find in good rows too."""

MOJIBAKE = r"\x{FFFD}|Ã[\x{80}-\x{BF}]|â€[™œ\x{9D}“”¦]|[\x00-\x08\x0B\x0E-\x1F]"
"""Replacement characters, UTF-8 read as Windows-1252, and control characters."""


def format_trait(judged: JudgedRows) -> Trait:
    """Empty parts, turns out of order, broken markup, answers that were cut off or repeat themselves."""
    frame, answers = judged.frame, judged.answers
    column = answers or "text"
    figures = [_empty(judged), _garbled(judged)]
    if answers == "chat":
        figures.append(
            _figure(judged, "turns out of order", FilterChatStructure(column=column), RARE)
        )
    figures.append(_figure(judged, "broken markup", FilterBrokenMarkup(column=column), RARE))
    if answers is not None:
        figures.append(_figure(judged, "cut off", FilterTruncated(column=column), SOME))
    if answers is not None or len(judged.rows.parts.texts) == 1:
        repeats = FilterRepeatedSentences(column=column)
        figures.append(_figure(judged, "repeats itself", repeats, RARE))
    notes = [] if answers else ["rows have no answers: whether they were cut off is not told"]
    if frame.height < judged.rows.total:
        notes.append(f"told of {frame.height:,} rows, drawn at random")
    return trait("format", figures, notes)


def _figure(judged: JudgedRows, name: str, operator: RowOperator, thresholds: Thresholds) -> Figure:
    found: Mapping[str, pl.Series] = broken_rules(operator, judged.frame)
    rows = pl.concat(list(found.values())).unique().sort()
    rules = [rule for rule, broken in found.items() if len(broken)]
    said = f"{name} ({', '.join(rules)})" if rules and len(found) > 1 else name
    mend = f"{operator.operator_name()}: {{column: {judged.published}}}"
    return share_of_rows(said, rows, judged.frame.height, mend, thresholds)


def _empty(judged: JudgedRows) -> Figure:
    parts = judged.rows.parts
    needed = ["text"]
    if parts.has_prompts:
        needed = ["prompt"]
    if parts.has_answers:
        needed.append("answer")
    if parts.rejected is not None:
        needed.append("rejected")
    blank = pl.any_horizontal(pl.col(needed).fill_null("").str.strip_chars() == "")
    rows = judged.frame.filter(blank)["row_id"]
    mend = f"filter_length: {{column: {judged.published}, min_characters: 1}}"
    return share_of_rows(f"empty {' or '.join(needed)}", rows, judged.frame.height, mend, RARE)


def _garbled(judged: JudgedRows) -> Figure:
    rows = judged.frame.filter(pl.col("text").str.contains(MOJIBAKE).fill_null(False))["row_id"]
    mend = f"fix_mojibake: {{columns: {judged.columns}}}"
    return share_of_rows("garbled characters", rows, judged.frame.height, mend, RARE)
