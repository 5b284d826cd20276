"""Evol-Instruct: generations, their parents, and the eliminator."""

from __future__ import annotations

from typing import Any

import pytest

from dagster_project.operators.calls import Answer, CallFailed, Question
from dagster_project.operators.synthesize.asking.evol_prompts import METHODS
from dagster_project.operators.synthesize.evolve_instruction import EvolveInstruction

SEED = [{"instruction": "Write a letter to a friend."}]
HARDER = "Write a letter to a friend abroad, in which no sentence has more than eight words."
HARDEST = "Write a letter to a friend abroad, eight words a sentence, that rhymes throughout."
GAIN, EQUAL = {"judgement": "not equal"}, {"judgement": "equal"}
REFUSAL = "I'm sorry, but I can't help with that."


def evolving(**fields: Any) -> EvolveInstruction:
    defaults = {"model": "m", "generations": 1, "evolutions": ["add_constraints"]}
    return EvolveInstruction.model_validate(defaults | fields)


def rules(candidates) -> list[str | None]:
    return [None if one.rejection is None else one.rejection.rule for one in candidates]


@pytest.mark.parametrize(
    ("answers", "rule"),
    [
        ([HARDER, GAIN, "Dear Ann, I miss you."], None),
        (["#Rewritten Prompt#: " + HARDER, GAIN, "Dear Ann"], None),
        (["**Rewritten Prompt:**\n" + HARDER, GAIN, "Dear Ann"], None),
        ([""], "empty"),
        ([Answer("Write", "length")], "cut_off"),
        ([REFUSAL], "refused"),
        (["Rewrite the given prompt into a letter that rhymes."], "copied_prompt"),
        ([HARDER + " #Rewritten Prompt#"], "copied_prompt"),
        (["It must stay reasonable: people must understand it and be kind."], "echoes_prompt"),
        ([HARDER, EQUAL], "no_information_gain"),
        ([HARDER, CallFailed("invalid", "no")], "unjudged"),
        ([HARDER, GAIN, "Sorry, Ann, that I did not write."], "sorry"),
        ([HARDER, GAIN, "Sorry, Ann. " + "I miss you so much. " * 16], None),
        ([HARDER, GAIN, "It is, and so, the …"], "says_nothing"),
        ([HARDER, GAIN, "It’s not."], "says_nothing"),
        ([HARDER, GAIN, ""], "response_empty"),
        ([HARDER, GAIN, Answer("Dear Ann", "length")], "response_cut_off"),
        ([HARDER, GAIN, "As an AI, I cannot write letters."], "response_refused"),
        ([HARDER, GAIN, CallFailed("refused", "no")], "response_unanswered"),
    ],
)
def test_the_eliminator(answers, rule, attempt) -> None:
    found, questions = attempt(evolving(), SEED, answers)
    assert rules(found) == [rule]
    assert len(questions) == len(answers)
    said = answers[0] if isinstance(answers[0], str) else answers[0].text
    assert found[0].values["instruction"] in said
    assert found[0].values["instruction"] or not said
    assert (found[0].values["evolution"], found[0].values["generation"]) == ("add_constraints", 1)


def test_each_generation_is_made_from_the_last_that_passed(attempt) -> None:
    answers = [HARDER, GAIN, "Dear Ann", HARDER, EQUAL, HARDEST, GAIN, "Dear Ann"]
    found, questions = attempt(evolving(generations=3), SEED, answers)
    assert rules(found) == [None, "no_information_gain", None]
    assert [one.seeds for one in found] == [(0,), (), ()]
    assert [one.made_from for one in found] == [(), (0,), (0,)]
    assert [one.values["generation"] for one in found] == [1, 2, 2]
    assert SEED[0]["instruction"] in questions[0].messages[-1]["content"]
    assert HARDER in questions[5].messages[-1]["content"]
    failed = [REFUSAL, HARDER, GAIN, "Dear Ann"]
    found, _ = attempt(evolving(generations=2), SEED, failed)
    assert [one.seeds for one in found] == [(0,), (0,)]


def test_a_later_failure_does_not_lose_what_was_made(attempt) -> None:
    answers = [HARDER, GAIN, "Dear Ann", CallFailed("refused", "no")]
    found, _ = attempt(evolving(generations=2), SEED, answers)
    assert rules(found) == [None, "unanswered"]
    with pytest.raises(CallFailed):
        attempt(evolving(generations=2), SEED, answers[3:])


class AnswersByKind:
    """Rewritings to requests, a gain to judgements, and letters to instructions."""

    def __init__(self) -> None:
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        if question.json_schema is not None:
            return Answer("", "stop", data=GAIN)
        text = "Dear Ann" if question.messages[-1]["content"] == HARDER else HARDER
        return Answer(text, "stop")


def test_the_methods_and_who_judges(attempt) -> None:
    drawn = set()
    for number in range(40):
        generator = EvolveInstruction(model="m", judge="j", generations=1)
        found, questions = attempt(generator, SEED, AnswersByKind(), number)
        method = found[0].values["evolution"]
        drawn.add(method)
        assert rules(found) == [None]
        judged = [question.model for question in questions if question.purpose == "verification"]
        assert judged == ([] if method == "breadth" else ["j"])
        asked = questions[0].messages[-1]["content"]
        assert ("add nothing else" in asked) is (method == "complicate_input")
        shown = " ".join(message["content"] for message in questions[0].messages[:-1])
        assert ("CREATE TABLE" in shown) is (method == "complicate_input")
        assert ("spinning egg" in shown) is (method == "breadth")
    assert drawn == {*METHODS, "breadth"}
    assert EvolveInstruction(model="m", judge="j").models() == ("m", "j")
    assert EvolveInstruction(model="m", judge="j", gain_prompt=None).models() == ("m",)


def test_without_responses_and_without_a_judge_one_question_is_enough(attempt) -> None:
    found, questions = attempt(evolving(respond=False, gain_prompt=None), SEED, [HARDER])
    assert rules(found) == [None] and len(questions) == 1


def test_a_seed_may_speak_of_prompts(attempt) -> None:
    seed = [{"instruction": "Say what is wrong with the given prompt."}]
    answer = "Say what is wrong with the given prompt, in one line and without adjectives."
    found, _ = attempt(evolving(), seed, [answer, GAIN, "Too vague a word or two."])
    assert rules(found) == [None]
