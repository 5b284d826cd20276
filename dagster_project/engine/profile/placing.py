"""Where each row stands on each axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import polars as pl

from dagster_project.engine.profile import task_kinds
from dagster_project.engine.profile.axes import (
    AXES,
    LABEL,
    LANGUAGE_READ,
    LENGTH_BOUNDS,
    LENGTHS,
    MANY_SLIPS,
    TOPIC,
    TURN_BOUNDS,
    TURNS,
    Thirds,
    axes_of,
)
from dagster_project.engine.profile.profiled_rows import SaidRows, SnapshotRows
from dagster_project.engine.profile.spelling import slips
from dagster_project.operators.process.detect_language import DetectLanguage
from dagster_project.operators.process.markdown_code import DOCTEST, FENCED, INDENTED, INLINE

READ = 1_000
"""Characters of a text in which words are counted."""
SHORTEST = 5
"""Words of the shortest prose whose difficulty is told."""
_ENGLISH = (
    r"(?i)\b(?:the|and|that|this|with|what|how|you|your|which|are|were|would|should|from|have|has"
    r"|given|write|following|using|their|when|does|why|they|there|about|for|it|to)\b"
)
"""Words that no other language has so many of together."""
_SENTENCE_END = r"[.!?。！？](?:\s|$)"
_GRADES = {"easy": 6.0, "medium": 12.0}
"""School years below which a text is so."""


def place(
    rows: SaidRows,
    wanted: Iterable[str],
    *,
    requests: bool | None = None,
    thirds: Thirds | None = None,
) -> pl.DataFrame:
    """Place rows on axes: `row_id`, and for each axis that they have, but topics, a text; null where a
    row has no value.

    Args:
        rows: which; what each says.
        wanted: names of axes.
        requests: whether what they say is requests; None for: where they have prompts.
        thirds: of a measured column of rows of a snapshot, for their difficulty.
    """
    there = axes_of(rows, requests)
    chosen = [name for name in wanted if name in there and name != TOPIC]
    frame = rows.frame.select("row_id", "answer", "text", "turns", asked=asked(rows)).with_columns(
        prose=_prose(pl.col("asked"))
    )
    found: dict[str, pl.Series] = {}
    if {"task", "style"} & {*chosen}:
        found |= task_kinds.kinds(frame["asked"]).to_dict()
    if {"typos", "language"} & {*chosen}:
        found["language"] = _languages(frame["prose"])
    for name in chosen:
        if name.startswith(LABEL):
            found[name] = rows.frame[name]
        elif name == "typos":
            found[name] = _typos(frame["prose"], found["language"])
        elif name == "difficulty" and thirds and isinstance(rows, SnapshotRows):
            found[name] = _in_thirds(rows, thirds)
        elif name in _MEASURES:
            found[name] = _MEASURES[name](frame)
    return frame.select("row_id").with_columns(found[name].alias(name) for name in chosen)


def asked(rows: SaidRows) -> pl.Expr:
    """What the user says first; the text, where rows have no prompts."""
    return pl.col("instruction" if rows.parts.has_prompts else "text")


def _prose(text: pl.Expr) -> pl.Expr:
    """The beginning of a text, without code and white space around it."""
    text = text.str.head(READ)
    for code in (FENCED, INLINE, INDENTED, DOCTEST):
        text = text.str.replace_all(code, "\n")
    return text.str.strip_chars()


def _words(text: pl.Expr) -> pl.Expr:
    return text.str.count_matches(r"\S+")


def _in_ranges(number: pl.Series, bounds: Iterable[int], names: Iterable[str]) -> pl.Series:
    cut = pl.col("number").cut([*bounds], labels=[*names]).cast(pl.String)
    ranges = number.alias("number").to_frame().select(pl.when(pl.col("number") > 0).then(cut))
    return ranges.to_series()


def _length(frame: pl.DataFrame) -> pl.Series:
    words = frame.select(_words(pl.coalesce("answer", "text"))).to_series()
    return _in_ranges(words, LENGTH_BOUNDS, LENGTHS)


def _request_length(frame: pl.DataFrame) -> pl.Series:
    words = frame.select(_words(pl.col("asked"))).to_series()
    return _in_ranges(words, LENGTH_BOUNDS, LENGTHS)


def _turns(frame: pl.DataFrame) -> pl.Series:
    return _in_ranges(frame["turns"], TURN_BOUNDS, TURNS)


def _difficulty(frame: pl.DataFrame) -> pl.Series:
    """By the automated readability index (Smith & Senter 1967)."""
    prose, words = pl.col("prose"), pl.col("words")
    counted = frame.select(
        words=_words(prose),
        sentences=prose.str.count_matches(_SENTENCE_END),
        characters=prose.str.len_chars(),
    )
    letters = pl.col("characters") - words
    grade = 4.71 * letters / words + 0.5 * words / pl.col("sentences").clip(lower_bound=1) - 21.43
    easy, medium, hard = AXES["difficulty"].values
    told = (
        pl.when(pl.col("grade") < _GRADES["easy"])
        .then(pl.lit(easy))
        .when(pl.col("grade") < _GRADES["medium"])
        .then(pl.lit(medium))
        .otherwise(pl.lit(hard))
    )
    return (
        counted.with_columns(grade=grade).select(pl.when(words >= SHORTEST).then(told)).to_series()
    )


_MEASURES: dict[str, Callable[[pl.DataFrame], pl.Series]] = {
    "length": _length,
    "request length": _request_length,
    "turns": _turns,
    "difficulty": _difficulty,
}


def _in_thirds(rows: SnapshotRows, thirds: Thirds) -> pl.Series:
    easy, medium, hard = AXES["difficulty"].values
    value = pl.col("value")
    return (
        rows.frame.select("row_id")
        .join(rows.measured(thirds.column), on="row_id", how="left", maintain_order="left")
        .select(
            pl.when(value.is_null())
            .then(None)
            .when(value < thirds.low)
            .then(pl.lit(easy))
            .when(value < thirds.high)
            .then(pl.lit(medium))
            .otherwise(pl.lit(hard))
        )
        .to_series()
    )


def _languages(prose: pl.Series) -> pl.Series:
    """Languages of texts; the model is not asked where there is no doubt that it is English."""
    frame = prose.str.head(LANGUAGE_READ).alias("text").to_frame()
    text = pl.col("text")
    sure = (
        text.str.count_matches(_ENGLISH) >= pl.max_horizontal(3, 0.2 * _words(text))
    ) & ~text.str.contains(r"[^\x00-\x7f]")
    frame = frame.with_columns(sure=sure.fill_null(False)).with_columns(
        text=pl.when(~pl.col("sure")).then(text)
    )
    detect = DetectLanguage(column="text", max_chars=LANGUAGE_READ, skip_code=False)
    told = detect.annotations(frame.schema)["language"]
    return frame.select(pl.when("sure").then(pl.lit("en")).otherwise(told)).to_series()


def _typos(prose: pl.Series, language: pl.Series) -> pl.Series:
    english = pl.select(pl.when(language == "en").then(prose)).to_series()
    counted = slips(english)
    share = pl.col("slips") / pl.col("words")
    none, few, many = AXES["typos"].values
    return counted.select(
        pl.when(pl.col("words") == 0)
        .then(None)
        .when(pl.col("slips") == 0)
        .then(pl.lit(none))
        .when(share < MANY_SLIPS)
        .then(pl.lit(few))
        .otherwise(pl.lit(many))
    ).to_series()
