"""Novelty is decided exactly, one row after the other, as ROUGE-L says."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.kernels.rouge_l import nearest_before, words
from dagster_project.operators.verify.filter_novelty import FilterNovelty

TEXTS = st.lists(st.lists(st.integers(0, 8), max_size=150), min_size=1, max_size=14)
"""Texts of words, which are numbers; some longer than 64 words, which are compared in parts."""


def common(one: list[int], other: list[int]) -> int:
    """The length of the longest common subsequence, as the textbook has it."""
    before = [0] * (len(other) + 1)
    for word in one:
        now = [0]
        for at, its in enumerate(other):
            now.append(before[at] + 1 if word == its else max(now[-1], before[at + 1]))
        before = now
    return before[-1]


def by_hand(texts: list, known: int, most: float, floor: float, within: bool) -> list[tuple]:
    found, there = [], list(range(known))
    for number, text in enumerate(texts):
        best, nearest = floor, -1
        for other in sorted(there) if number >= known and text else ():
            if texts[other]:
                length = len(text) + len(texts[other])
                similarity = 2 * common(text, texts[other]) / length
                if similarity > best:
                    best, nearest = similarity, other
        if within and not (nearest >= 0 and best > most):
            there.append(number)
        found.append((nearest, best if nearest >= 0 else 0.0))
    return found


@given(
    TEXTS,
    st.integers(0, 6),
    st.sampled_from([(0.7, 0.7), (0.7, 0.4), (0.5, 0.5), (0.9, 0.3)]),
    st.booleans(),
)
def test_the_nearest_is_that_of_the_definition(texts, known, limits, within):
    known = min(known, len(texts))
    series = pl.Series(texts, dtype=pl.List(pl.UInt64))
    got = nearest_before(series, known, *limits, within=within)
    told = list(zip(got.nearest.tolist(), got.similarity.tolist(), strict=True))
    assert told == by_hand(texts, known, *limits, within)


@given(TEXTS, st.integers(1, 13))
def test_rows_that_come_later_change_nothing(texts, cut):
    whole = nearest_before(pl.Series(texts, dtype=pl.List(pl.UInt64)), 0, 0.7, 0.5, within=True)
    start = pl.Series(texts[:cut], dtype=pl.List(pl.UInt64))
    first = nearest_before(start, 0, 0.7, 0.5, within=True)
    assert whole.nearest[:cut].tolist() == first.nearest.tolist()


def test_words_are_those_of_any_script_in_any_case():
    written = ["Don't say_it: 2x!", "Größe und ЁЖ", "東京 です", "", None]
    alone = ["don t say it 2x", "GRÖSSE UND ёж".replace("SS", "ß"), "東 京 で す", " ", "!"]
    assert words(pl.Series(written)).to_list() == words(pl.Series(alone)).to_list()
    assert words(pl.Series(written)).list.len().to_list() == [5, 3, 4, 0, 0]


def test_a_row_goes_into_the_one_it_repeats_here_or_in_a_reference():
    exam = pl.DataFrame({"row": [4], "question": ["name the capital of France and its river"]})
    operator = FilterNovelty.model_validate(
        {"columns": ["text"], "against": {"exam": ["question"]}, "recorded_from": 0.4}
    ).prepared({"exam": exam.cast({"row": pl.Int64})}, {})
    texts = [
        "Write a poem about the sea in spring",
        "Write a poem about the sea in autumn",
        "Write a song about the hills in autumn",
        "Name the capital of France and its rivers",
        None,
        "!!",
    ]
    frame = pl.DataFrame({"text": texts})
    relation = frame.select(
        pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), **operator.columns(frame.schema)
    )
    decided = operator.decide(relation, None)  # pyright: ignore[reportArgumentType]
    assert decided.removed.select("row", "survivor", "reference", "measured").rows() == [
        (1, 0, None, "0.875"),
        (3, 4, "exam", "0.875"),
    ]
    assert decided.annotations is not None
    assert decided.annotations.select("row", "rouge_l_of").rows() == [
        (1, "0"),
        (2, "0"),
        (3, "exam:4"),
    ]


def test_another_limit_is_told_from_what_was_measured_unless_rows_decide_for_later_ones():
    schema = pl.Schema({"text": pl.String, "rouge_l": pl.Float64})
    asked = FilterNovelty.model_validate({"columns": ["text"], "within": False, "most": 0.65})
    measured = pl.DataFrame({"rouge_l": [None, 0.62, 0.66]})
    (rule,) = asked.rules(schema)
    assert measured.select(rule.keep).to_series().to_list() == [True, True, False]
    for refused in ({"most": 0.5, "within": False}, {"most": 0.65}):
        with pytest.raises(OperatorMisuse):
            FilterNovelty.model_validate({"columns": ["text"], **refused}).rules(schema)
