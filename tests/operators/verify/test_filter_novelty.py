"""Novelty is decided exactly, one row after the other, as ROUGE-L says."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.operators.kernels.rouge_l import nearest_before, words
from dagster_project.operators.verify.filter_novelty import FilterNovelty

TEXTS = st.lists(
    st.lists(st.sampled_from([f"w{n}" for n in range(9)]), max_size=90), min_size=1, max_size=14
)


def common(one: list[str], other: list[str]) -> int:
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
    series = pl.Series(texts, dtype=pl.List(pl.String))
    got = nearest_before(series, known, *limits, within=within)
    told = list(zip(got.nearest.tolist(), got.similarity.tolist(), strict=True))
    assert told == by_hand(texts, known, *limits, within)


@given(TEXTS, st.integers(1, 13))
def test_rows_that_come_later_change_nothing(texts, cut):
    whole = nearest_before(pl.Series(texts, dtype=pl.List(pl.String)), 0, 0.7, 0.5, within=True)
    start = pl.Series(texts[:cut], dtype=pl.List(pl.String))
    first = nearest_before(start, 0, 0.7, 0.5, within=True)
    assert whole.nearest[:cut].tolist() == first.nearest.tolist()


def test_words_are_those_of_any_script():
    frame = pl.DataFrame({"text": ["Don't say_it: 2x!", "Größe und ЁЖ", "", None]})
    assert frame.select(words(pl.col("text"))).to_series().to_list() == [
        ["don", "t", "say", "it", "2x"],
        ["größe", "und", "ёж"],
        [],
        None,
    ]


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
