"""Preference pairs of scored answers."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.curate.to_preference_pairs import ADDED, ToPreferencePairs

ROWS = [
    ("Two and two?", "five", 0.1),
    ("two  and two?", "Four.", 0.9),
    ("Two and two?", "about four", 0.5),
    ("Two and two?", "four.", 0.2),  # the best one, written otherwise
    ("Alone?", "yes", 1.0),
    ("Same?", "a", 0.5),
    ("Same?", "b", 0.5),
    (None, "a", 1.0),
    ("Two and two?", None, 0.0),
    ("Two and two?", "three", math.nan),
    ("Close?", "a", 1.0),
    ("Close?", "b", 0.95),
]
SCHEMA = {"prompt": pl.String, "answer": pl.String, "score": pl.Float64}


@pytest.fixture
def frame() -> pl.DataFrame:
    return pl.DataFrame(ROWS, schema=SCHEMA, orient="row")


def test_the_best_is_paired_with_the_worst_and_every_row_says_why_it_goes(apply, frame) -> None:
    kept, removed = apply(ToPreferencePairs(min_margin=0.1), frame, cuts=[2, 7])
    assert kept.select(ADDED).rows() == [("Four.", "five", 0.9, 0.1, pytest.approx(0.8))]
    assert dict(removed.select("row", "rule").rows()) == {
        0: "rejected",
        2: "not_paired",
        3: "not_paired",
        4: "no_other_answer",
        5: "no_other_answer",
        6: "no_other_answer",
        7: "cannot_pair",
        8: "cannot_pair",
        9: "cannot_pair",
        10: "small_margin",
        11: "small_margin",
    }
    merged = removed.filter(pl.col("disposition") == "merged")
    assert merged.select("row", "survivor").rows() == [(0, 1)]


def test_the_next_best_makes_the_hardest_pair(apply, frame) -> None:
    kept, _ = apply(ToPreferencePairs(against="next"), frame)
    assert kept.select("chosen", "rejected").rows() == [("Four.", "about four"), ("a", "b")]


def test_ranks_are_best_when_they_are_low(apply) -> None:
    rows = [("q", "c", 2), ("q", "a", 0), ("q", "b", 1)]
    ranked = pl.DataFrame(rows, schema={**SCHEMA, "score": pl.Int32}, orient="row")
    kept, _ = apply(ToPreferencePairs(lowest=True), ranked)
    assert kept.select(ADDED).rows() == [("a", "c", 0, 2, 2)]
    kept, _ = apply(ToPreferencePairs(lowest=True, against="next"), ranked)
    assert kept.select(ADDED).rows() == [("a", "b", 0, 1, 1)]


def test_chats_are_answers_too(apply) -> None:
    say = [[{"role": "assistant", "content": word}] for word in ("yes", "no")]
    rows = {"prompt": [say[0], say[0]], "answer": say, "score": [0, 1]}
    kept, _ = apply(ToPreferencePairs(), pl.DataFrame(rows))
    assert kept.select("chosen", "rejected").rows() == [(say[1], say[0])]


def test_columns_must_fit(apply, frame) -> None:
    with pytest.raises(SeedbedError, match="numeric"):
        apply(ToPreferencePairs(score="answer"), frame)
    with pytest.raises(SeedbedError, match="'margin'"):
        apply(ToPreferencePairs(), frame.with_columns(margin=pl.lit(1)))
    with pytest.raises(SeedbedError, match="new meaning"):
        apply(ToPreferencePairs(answer="chosen"), frame.rename({"answer": "chosen"}))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["p", "P ", "q", "", None]),
            st.sampled_from(["a", "A", "b", "c", "", None]),
            st.sampled_from([0.0, 1.0, 2.0, math.nan, math.inf, None]),
        ),
        max_size=12,
    ),
    st.sampled_from(["worst", "next"]),
    st.booleans(),
)
def test_pairs_are_of_one_prompt_and_the_chosen_one_is_better(apply, rows, against, lowest) -> None:
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    kept, removed = apply(ToPreferencePairs(against=against, lowest=lowest), frame, cuts=[5])
    assert kept.height + removed.height == frame.height
    assert removed.filter(rule="rejected").height == kept.height
    for one in kept.iter_rows(named=True):
        prompt = one["prompt"].strip().lower()
        peers = [
            (answer, score)
            for said, answer, score in rows
            if said is not None and said.strip().lower() == prompt
        ]
        assert (one["rejected"], one["score_rejected"]) in peers
        assert one["chosen"].lower() != one["rejected"].lower()
        finite = [s for a, s in peers if a is not None and s is not None and math.isfinite(s)]
        assert one["score_chosen"] == (min if lowest else max)(finite)
        assert one["margin"] == abs(one["score_chosen"] - one["score_rejected"]) > 0
