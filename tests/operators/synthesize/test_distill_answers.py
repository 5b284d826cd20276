"""A teacher's answers."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, ModelCall
from dagster_project.operators.synthesize.distill_answers import DistillAnswers

PROMPT = "Name two rivers in Europe."
REFUSAL = "I'm sorry, but I can't help with that."


def rules(candidates) -> list[str | None]:
    return [None if one.rejection is None else one.rejection.rule for one in candidates]


@pytest.mark.parametrize(
    ("answer", "rule"),
    [
        ("The Rhine and the Vistula.", None),
        ("🐱🎾💤", None),
        ("", "empty"),
        ("```", "empty"),
        (REFUSAL, "refused"),
        (Answer("The Rhine and", "length"), "cut_off"),
        ("name two rivers in europe", "echoes_prompt"),
    ],
)
def test_an_answer(answer, rule, attempt) -> None:
    found, (question,) = attempt(DistillAnswers(model="t"), [{"prompt": PROMPT}], [answer])
    assert rules(found) == [rule]
    said = answer if isinstance(answer, str) else answer.text
    assert found[0].values == {"prompt": PROMPT, "response": said, "teacher": "t"}
    assert question.messages == ({"role": "user", "content": PROMPT},)


def test_the_teacher_is_called_as_its_provider_calls_it(attempt) -> None:
    call = ModelCall("h", "generation", "big-1", "u", "{}", "[]", "{}", "stop", 1, 1, 0.0, 0.0)
    answers = [Answer("Rhine", "stop", calls=(call,))]
    found, _ = attempt(DistillAnswers(model="t"), [{"prompt": PROMPT}], answers)
    assert found[0].values["teacher"] == "big-1"


def test_samples_and_refusals(attempt) -> None:
    generator = DistillAnswers(model="t", samples=4, keep_refusals=True)
    answers = ["Rhine, Don", "Rhine, Don!", REFUSAL, CallFailed("refused", "no")]
    found, questions = attempt(generator, [{"prompt": PROMPT}], answers)
    assert rules(found) == [None, "repeated", None, "unanswered"]
    assert [question.sample for question in questions] == [0, 1, 2, 3]


def chat(*turns: tuple[str, str | None]) -> list[dict[str, str | None]]:
    return [{"role": role, "content": content} for role, content in turns]


def test_a_chat_is_asked_up_to_its_last_user(attempt) -> None:
    turns = chat(("user", "Hi"), ("assistant", None), ("user", PROMPT), ("assistant", "The Rhine."))
    generator = DistillAnswers(model="t", column="messages", system="Be brief.")
    found, (question,) = attempt(generator, [{"messages": turns}], ["Rhine, Vistula"])
    assert rules(found) == [None] and found[0].values["messages"] == turns[:3]
    said = [(message["role"], message["content"]) for message in question.messages]
    wanted = [("system", "Be brief."), ("user", "Hi"), ("assistant", ""), ("user", PROMPT)]
    assert said == wanted
    own = chat(("system", "Be long."), ("user", PROMPT))
    _, (question,) = attempt(generator, [{"messages": own}], ["Rhine, Vistula"])
    assert list(question.messages) == own


@pytest.mark.parametrize(
    "turns",
    [
        None,
        [],
        [None],
        chat(("assistant", "Hi")),
        chat(("user", None)),
        chat(("user", " "), ("assistant", "Hi")),
    ],
)
def test_a_chat_without_a_user_is_passed_over(turns, attempt) -> None:
    rows = [{"messages": turns}, {"messages": chat(("user", "a"))}]
    assert attempt(DistillAnswers(model="t", column="messages"), rows, []) == ([], [])


def test_a_text_goes_on(attempt) -> None:
    _, (question,) = attempt(DistillAnswers(model="t", form="text"), [{"prompt": PROMPT}], ["a b"])
    assert question.prompt == PROMPT and question.messages == ()


def test_misuse() -> None:
    schema = pl.Schema({"messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))})
    with pytest.raises(OperatorMisuse, match="holds chats"):
        DistillAnswers(model="t", column="messages", form="text").produces(schema)
    with pytest.raises(OperatorMisuse, match="different names"):
        DistillAnswers(model="t", column="response").produces(pl.Schema({"response": pl.String()}))
