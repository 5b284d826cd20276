"""Preference pairs, by judges that are steady, partial to a place, or undecided."""

from __future__ import annotations

import asyncio
import json
from random import Random
from typing import Any

import polars as pl
import pytest

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.rank_answers import RankAnswers

SEED = {"prompt": "Name a river in France."}


class Judging:
    """Gives the writer's answers in order; judges by a function of the two answers."""

    def __init__(self, answers, better):
        self.answers, self.better, self.questions = list(answers), better, []

    async def ask(self, question):
        self.questions.append(question)
        if question.model == "writer":
            given = self.answers.pop(0)
            if isinstance(given, Exception):
                raise given
            return given if isinstance(given, Answer) else Answer(given, "stop")
        text = question.messages[0]["content"]
        one, other = (text.split(f"<{name} ")[1].split("\n")[1] for name in "ab")
        verdict = {"reason": "so", "better": self.better(one, other)}
        return Answer(json.dumps(verdict), "stop", data=verdict)


def rank(attempt, answers, better):
    operator = RankAnswers(motive="quality", model="writer", judge="judge", answers=len(answers))
    return attempt(operator, [SEED], Judging(answers, better))


def longer(one, other):
    return "tie" if len(one) == len(other) else "a" if len(one) > len(other) else "b"


def test_best_and_worst_make_a_pair(attempt):
    found, questions = rank(attempt, ["Loire", "Rhône river", "Ill", "Seine, a river"], longer)
    assert [c.rejection for c in found] == [None]
    assert found[0].values == {
        "prompt": SEED["prompt"],
        "chosen": "Seine, a river",
        "rejected": "Ill",
        "margin": 1.0,
        "flips": 0.0,
    }
    assert sum(q.purpose == "judging" for q in questions) == 4 * 3
    assert {q.temperature for q in questions if q.purpose == "judging"} == {0.0}
    assert len({q.sample for q in questions if q.model == "writer"}) == 4


def test_a_judge_with_a_favourite_place_makes_no_pair(attempt):
    found, _ = rank(attempt, ["Loire", "Rhône"], lambda *_: "a")
    assert [c.rejection.rule for c in found] == ["position_flip"]
    assert found[0].values["flips"] == 1.0
    assert {found[0].values["chosen"], found[0].values["rejected"]} == {"Loire", "Rhône"}


def test_other_attempts_ask_for_other_answers(attempt):
    operator = RankAnswers(motive="quality", model="writer", judge="judge", answers=2)
    samples = [
        {q.sample for q in attempt(operator, [SEED], Judging(["x", "x"], longer), number)[1]}
        for number in (0, 0, 1)
    ]
    assert samples[0] == samples[1]
    assert not samples[0] & samples[2]


def test_ties_make_no_pair(attempt):
    found, _ = rank(attempt, ["Loire", "Rhône"], lambda *_: "tie")
    assert [c.rejection.rule for c in found] == ["tie"]
    half = iter(["a", "tie"])
    found, _ = rank(attempt, ["Loire", "Rhône"], lambda *_: next(half))
    assert [c.rejection.rule for c in found] == ["tie"]


def test_a_circle_of_preferences_makes_a_pair_that_was_told_apart_or_none(attempt):
    circle = {("x1", "y2"): "a", ("y2", "z3"): "a", ("z3", "x1"): "a"}

    def better(one, other):
        return "a" if (one, other) in circle else "b"

    found, _ = rank(attempt, ["x1", "y2", "z3"], better)
    pair = (found[0].values["chosen"], found[0].values["rejected"])
    assert found[0].rejection is None
    assert pair in circle
    assert found[0].values["margin"] == 0


def test_answers_of_no_use_are_kept_as_rejected(attempt):
    answers = [
        "Loire",
        "loire!",
        "",
        Answer("The Rhô", "length"),
        "Rhône",
        CallFailed("refused", "no"),
    ]
    found, _ = rank(attempt, answers, longer)
    rules = [c.rejection.rule if c.rejection else None for c in found]
    assert rules == ["same_answer", "empty", "cut_off", "unanswered", "tie"]
    assert [c.values["rejected"] for c in found][:3] == ["loire!", "", "The Rhô"]


def test_one_answer_is_too_few(attempt):
    found, questions = rank(attempt, ["Loire", "Loire"], longer)
    assert [c.rejection.rule for c in found] == ["same_answer", "too_few_answers"]
    assert len(questions) == 2


def test_failures_of_the_judge_pass_through(attempt):
    def fail(*_):
        raise CallFailed("unavailable", "the judge is away")

    with pytest.raises(CallFailed, match="away"):
        rank(attempt, ["Loire", "Rhône"], fail)
    with pytest.raises(CallFailed, match="gone"):
        rank(attempt, [CallFailed("unavailable", "gone"), "Loire"], longer)


def test_a_judge_that_does_not_say_makes_no_pair(attempt):
    def cut_off(*_):
        raise CallFailed("cut_off", "no room for the verdict")

    found, _ = rank(attempt, ["Loire", "Rhône"], cut_off)
    assert [c.rejection.rule for c in found] == ["unjudged"]
    assert found[0].values["chosen"]


@pytest.mark.parametrize("prompt", [None, "", "  "])
def test_seeds_without_a_request_come_to_nothing(attempt, prompt):
    operator = RankAnswers(motive="quality", model="writer", judge="judge")
    seed = pl.DataFrame({"prompt": [prompt]}, schema={"prompt": pl.String}).to_dicts()
    calls: Any = Judging([], longer)
    assert asyncio.run(operator.attempt(seed, Random(0), calls)) == []


def test_seeds_must_have_requests():
    operator = RankAnswers(motive="quality", model="writer", judge="judge", column="promt")
    with pytest.raises(OperatorMisuse, match="did you mean 'prompt'"):
        operator.produces(pl.Schema({"prompt": pl.String()}))
