"""Final answers in columns of their own."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.extract_final_answer import ExtractFinalAnswer
from dagster_project.operators.synthesize.text.final_answers import final_answer

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
ANSWERS = {
    "He has 6 + 4 = <<6+4=10>>10 apples.\n#### 10": ("10", "He has 6 + 4 = <<6+4=10>>10 apples."),
    "It costs \\boxed{\\frac{3}{4}} of it.": (
        "\\frac{3}{4}",
        "It costs \\boxed{\\frac{3}{4}} of it.",
    ),
    "Red and blue. The answer is (B).": ("(B)", "Red and blue."),
    "#### \nfirst 1\n#### 1,200": ("1,200", "#### \nfirst 1"),
    "It is 7.": None,
    "": None,
    None: None,
}


def test_answers_are_written_beside_the_steps(apply) -> None:
    frame = pl.DataFrame({"answer": list(ANSWERS)}, schema={"answer": pl.String})
    kept, removed = apply(ExtractFinalAnswer(steps_into="steps"), frame)
    assert kept.select("final_answer", "steps").rows() == [a for a in ANSWERS.values() if a]
    assert removed["rule"].to_list() == ["no_final_answer"] * 3
    kept, removed = apply(ExtractFinalAnswer(drop_unanswered=False), frame)
    assert removed.is_empty()
    assert kept["final_answer"].to_list()[4:] == [None] * 3


def test_the_last_number_counts_if_it_is_asked_for(apply) -> None:
    frame = pl.DataFrame({"answer": ["It is 7.", "Nothing."]})
    kept, removed = apply(ExtractFinalAnswer(last_number=True), frame)
    assert kept["final_answer"].to_list() == ["7"]
    assert removed["row"].to_list() == [1]


def test_what_is_no_number_goes_if_numbers_are_wanted(apply) -> None:
    texts = [f"#### {answer}" for answer in ("$1,200", "3/4", "5 apples", "3 or 4", "red", "2^5")]
    kept, removed = apply(ExtractFinalAnswer(number=True), pl.DataFrame({"answer": texts}))
    assert kept["final_answer"].to_list() == ["$1,200", "3/4", "5 apples"]
    assert removed.select("rule", "measured").rows() == [
        ("not_a_number", said) for said in ("3 or 4", "red", "2^5")
    ]


def test_of_a_chat_the_last_answer_is_read(apply) -> None:
    chats = [
        [("user", "#### 1"), ("assistant", "#### 2"), ("user", "Sure?"), ("assistant", "#### 3")],
        [("user", "#### 1"), ("assistant", None)],
        [("user", "#### 1")],
        None,
    ]
    rows = [chat and [{"role": r, "content": c} for r, c in chat] for chat in chats]
    frame = pl.DataFrame({"m": rows}, schema={"m": MESSAGES})
    kept, removed = apply(ExtractFinalAnswer(column="m"), frame)
    assert kept["final_answer"].to_list() == ["3"]
    assert removed["row"].to_list() == [1, 2, 3]


def test_columns_that_are_there_are_not_written_over(apply) -> None:
    frame = pl.DataFrame({"answer": ["#### 1"], "final_answer": ["2"]})
    with pytest.raises(SeedbedError, match="`into`"):
        apply(ExtractFinalAnswer(), frame)
    with pytest.raises(ValueError, match="two columns"):
        ExtractFinalAnswer(into="a", steps_into="a")


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("#boxed{}\\ answer:is.\n\t1/,$", max_size=30), max_size=5))
def test_what_is_read_is_what_solutions_are_compared_by(apply, texts: list[str]) -> None:
    frame = pl.DataFrame({"answer": texts}, schema={"answer": pl.String})
    kept, _ = apply(ExtractFinalAnswer(drop_unanswered=False), frame, cuts=[1])
    found = [final_answer(text, last_number=False) for text in texts]
    assert kept["final_answer"].to_list() == [one and one.text for one in found]
