"""Instructions that people of many kinds would give."""

from __future__ import annotations

import pytest

from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.instruct_from_personas import InstructFromPersonas

PERSONA = "A beekeeper who sells honey at weekly markets and studies bee diseases at night"
ASK = "What should I write on a label so that customers store crystallised honey well?"
REFUSAL = "I'm sorry, but I can't help with that."


def rules(candidates) -> list[str | None]:
    return [None if one.rejection is None else one.rejection.rule for one in candidates]


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ([ASK, "Keep it cool."], None),
        ([f'Instruction: "{ASK}"', "Keep it cool."], None),
        ([""], "empty"),
        ([REFUSAL], "refused"),
        ([Answer("What", "length")], "cut_off"),
        ([PERSONA], "copies_persona"),
        (["Write about a beekeeper who sells honey at weekly markets."], "copies_persona"),
        (["sells honey at weekly markets"], "copies_persona"),
        (["Do not describe the person in it. Answer with it only."], "echoes_prompt"),
        ([ASK, REFUSAL], "response_refused"),
        ([ASK, CallFailed("refused", "no")], "response_unanswered"),
    ],
)
def test_a_persona_asks(answers, rule, attempt) -> None:
    found, questions = attempt(InstructFromPersonas(model="m"), [{"persona": PERSONA}], answers)
    assert rules(found) == [rule]
    assert found[0].values["persona"] == PERSONA
    assert PERSONA in questions[0].messages[-1]["content"]


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ([f"Person: {PERSONA}", ASK, "Keep it cool."], None),
        ([""], "persona_empty"),
        ([REFUSAL], "persona_refused"),
        (["Describe one such person in one sentence: occupation, experience."], "echoes_prompt"),
        ([PERSONA, CallFailed("refused", "no")], "unanswered"),
    ],
)
def test_a_text_has_somebody_who_reads_it(answers, rule, attempt) -> None:
    generator = InstructFromPersonas(
        model="m", column="text", holds="text", relations=("misread",), shown_characters=100
    )
    found, questions = attempt(generator, [{"text": "Varroa mites. " * 100}], answers)
    assert rules(found) == [rule]
    asked = questions[0].messages[-1]["content"]
    assert "likely to misread" in asked and asked.count("Varroa") == 7
    assert found[0].values["persona"] in answers[0]


def test_attempts_on_one_persona_are_asked_apart(attempt) -> None:
    samples = [
        attempt(InstructFromPersonas(model="m"), [{"persona": PERSONA}], [ASK, "a b"], number)[1][0]
        for number in range(3)
    ]
    assert len({question.sample for question in samples}) == 3


def test_nothing_is_asked_of_nobody(attempt) -> None:
    assert attempt(InstructFromPersonas(model="m"), [{"persona": None}, {"persona": "x"}]) == (
        [],
        [],
    )
