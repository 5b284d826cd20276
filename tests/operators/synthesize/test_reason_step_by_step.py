"""Solutions that come to the right answer, and final answers."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.reason_step_by_step import SHOTS, ReasonStepByStep
from dagster_project.operators.synthesize.text.final_answers import (
    final_answer,
    number,
    same_answer,
)

SEED = [{"question": "Ann has 60 nuts and eats a fifth. How many are left?", "answer": "#### 48"}]
STEPS = "She eats 60 / 5 = 12 nuts.\nShe has 60 - 12 = 48 left."


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (f"{STEPS}\n#### 48", "48"),
        ("#### 3\nNo, wait.\n####  $1,048.50 \n####", "$1,048.50"),
        (r"So \boxed{12} or rather \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{1} and \boxed{2", "1"),
        ("The answer is 3.5. I hope it helps.", "3.5"),
        ("**Answer:** Paris\nIt lies on the Seine.", "Paris"),
        ("That makes 48 nuts, -7 of them bad", "-7"),
        ("Nothing at all", None),
        ("", None),
    ],
)
def test_where_a_final_answer_is(text: str, answer: str | None) -> None:
    found = final_answer(text)
    assert (found and found.text) == answer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("48", "48.0"),
        ("$1,200.00", "1200 dollars"),
        ("-3", "−3"),
        (r"\frac{3}{4}", "0.75"),
        ("50%", "50"),
        ("5kg", "5"),
        ("Paris.", "paris"),
        ("the cat", "Cat"),
        ("3:2", "3:2"),
        (r"\text{blue}", "blue"),
    ],
)
def test_the_same_answer(one: str, other: str) -> None:
    assert same_answer(one, other) and same_answer(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("48", "49"),
        ("3x", "3"),
        ("1e3", "1"),
        ("3:2", "3"),
        ("1/0", "1"),
        ("x=2^5", "2"),
        ("a", "b"),
    ],
)
def test_another_answer(one: str, other: str) -> None:
    assert not same_answer(one, other) and not same_answer(other, one)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.integers(-(10**9), 10**9), st.integers(0, 999))
def test_numbers_are_read_however_they_are_written(whole: int, part: int) -> None:
    value = Fraction(f"{whole}.{part:03}")
    assert number(f"{whole:,}.{part:03}") == number(f"{whole}.{part:03} euros") == value


@pytest.mark.parametrize("text", ["x^2", "x^{2}", r"\sqrt{2}", "sqrt(2)", "f(2)", "a**2", "x_1"])
def test_a_number_within_a_formula_is_not_the_answer(text: str) -> None:
    assert number(text) is None
    assert not same_answer(text, "2")


@pytest.mark.parametrize("text", [r"\boxed{2}", "**2**", "(2)", "about (2)", r"\text{2} apples"])
def test_a_number_in_brackets_or_bold_is(text: str) -> None:
    assert number(text) == 2


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from("#\\boxed{}answer is:.,-1/0 \n$٣²"), max_size=60))
def test_hostile_texts_have_an_answer_or_none(text: str) -> None:
    found = final_answer(text)
    assert found is None or (found.text in text and 0 <= found.steps_end <= len(text))
    assert same_answer(text, text)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        (f"{STEPS}\n#### 48", None),
        (f"{STEPS}\nThe answer is 48 nuts.", None),
        (STEPS.removesuffix(" left."), None),
        ("", "empty"),
        ("I'm sorry, but I can't help with that.", "refused"),
        (Answer(STEPS, "length"), "cut_off"),
        (SHOTS[0]["answer"], "echoes_prompt"),
        ("She eats some and has some left.", "no_final_answer"),
        ("#### 48", "no_steps"),
        ("48", "no_steps"),
        (f"{STEPS}\n#### 47", "wrong_answer"),
    ],
)
def test_a_solution_has_steps_and_the_right_answer(answer, rule, attempt) -> None:
    (one,), _ = attempt(ReasonStepByStep(model="m", samples=1), SEED, [answer])
    assert (one.rejection and one.rejection.rule) == rule
    said = answer if isinstance(answer, str) else answer.text
    assert one.values["response"] == said
    if rule is None:
        assert one.values["final_answer"] in ("48", "48 nuts")
        assert one.values["steps"] == said.partition("\n#### ")[0].partition("\nThe ans")[0]
    if rule == "wrong_answer":
        assert (one.rejection.measured, one.rejection.threshold) == ("47", "= 48")


def test_samples(attempt) -> None:
    answers = [f"{STEPS}\n#### 48", f"{STEPS}\n\n#### 48.", CallFailed("refused", "no")]
    found, questions = attempt(ReasonStepByStep(model="m", samples=3), SEED, answers)
    rules = [one.rejection and one.rejection.rule for one in found]
    assert rules == [None, "repeated", "unanswered"]
    assert [question.sample for question in questions] == [0, 1, 2]


@pytest.mark.parametrize("seed", [("", "1"), (None, "1"), ("Why?", None), ("Why?", " ")])
def test_seeds_without_question_or_answer_are_passed_over(seed, attempt) -> None:
    rows = [dict(zip(("question", "answer"), seed, strict=True)), *SEED]
    assert attempt(ReasonStepByStep(model="m"), rows, []) == ([], [])


def test_a_marked_answer_is_asked_for_where_the_last_number_is_not_taken(attempt) -> None:
    generator = ReasonStepByStep(model="m", samples=1, last_number=False)
    (one,), _ = attempt(generator, SEED, [STEPS])
    assert one.rejection.rule == "no_final_answer"
