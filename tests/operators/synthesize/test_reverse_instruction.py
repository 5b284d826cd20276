"""Instructions for answers that are there."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer
from dagster_project.operators.synthesize.reverse_instruction import SHOTS, ReverseInstruction
from dagster_project.operators.synthesize.text.text_overlap import words

TEXT = (
    "Bees find their way by the sun. A worker that has found flowers tells the others by a dance, whose "
    "angle says in which direction to fly and whose length says how far."
)


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("Explain in two sentences how bees tell each other where flowers are.", None),
        ("Instruction: How do bees find flowers?\n\nAnswer: By the sun.", None),
        ("The story is told by bees. Continue it with a queen.", None),
        ("The text below has an error. Find it and mend it.", None),
        ("", "empty"),
        ("Answer: Bees find their way by the sun.", "empty"),
        ("I'm sorry, but I can't help with that.", "refused"),
        (Answer("Explain in two", "length"), "cut_off"),
        (SHOTS[1]["answer"], "echoes_prompt"),
        ("The text describes how bees find flowers.", "no_instruction"),
        ("About bees?", "too_short"),
        ("write " * 151, "too_long"),
        ("A worker that has found flowers tells the others by a dance.", "copies_answer"),
        ("Bees find their way by the sun.", "copies_answer"),
        ("Continue: a worker that has found flowers tells the others", "copies_answer"),
    ],
)
def test_an_instruction_asks_for_the_text_and_does_not_give_it_away(answer, rule, attempt) -> None:
    found, _ = attempt(ReverseInstruction(model="m"), [{"text": TEXT}], [answer])
    assert [one.rejection and one.rejection.rule for one in found] == [rule]
    assert found[0].values["text"] == TEXT


@settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.text(), st.text(max_size=80), st.sampled_from(["stop", "length"]))
def test_the_answer_stays_as_it_is_byte_for_byte(attempt, text, said, reason) -> None:
    generator = ReverseInstruction(model="m", response="a", shown_characters=100)
    found, _ = attempt(generator, [{"a": text}], [Answer(said, reason)])
    for one in found:
        kept = one.values["a"].encode("utf-8", "surrogatepass")
        assert kept == text.encode("utf-8", "surrogatepass")
    assert found or not words(text)


def test_a_long_text_is_shown_in_part_and_kept_whole(attempt) -> None:
    text = TEXT * 20
    generator = ReverseInstruction(model="m", shown_characters=150, shots=())
    found, (question,) = attempt(generator, [{"text": text}], ["How do bees find flowers?"])
    asked = question.messages[-1]["content"]
    assert text[:150].rstrip() + " […]" in asked and TEXT not in asked
    assert found[0].values["text"] == text


def test_the_two_columns_need_different_names() -> None:
    generator = ReverseInstruction(model="m", instruction="text")
    with pytest.raises(OperatorMisuse, match="another name"):
        generator.produces(pl.Schema({"text": pl.String()}))
