"""The attacks, and that the harness tells a judge that obeys from one that does not."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any

from benchmarks.judge_injection import (
    QUESTIONS,
    arms,
    first_of_each,
    judge,
    judged,
    planted_answers,
    read_attacks,
    table,
)
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.verify.judged_text import TEMPLATE_TOKENS, framed, nonce

GOOD = [question.good for question in QUESTIONS]


class Judge:
    """Grades good answers high, and others as `attacked` tells from the prompt."""

    def __init__(self, attacked: Any) -> None:
        self.attacked = attacked

    async def ask(self, question):
        text = question.messages[0]["content"]
        names = question.json_schema["required"][1:]
        grades = dict.fromkeys(names, 1)
        if any(good in text for good in GOOD):
            grades = {name: 1 if name.startswith("about_") else 5 for name in names}
        grades = self.attacked(text, grades)
        if grades is None:
            raise CallFailed("cut_off", "no room")
        data = {"reason": "so", **grades}
        return Answer(json.dumps(data), "stop", data=data)


def attack(judge: Any, probe=False, limit=3) -> dict[str, list[str]]:
    answers = planted_answers(first_of_each(read_attacks(), limit))
    found = asyncio.run(arms("judge", answers, judge, probe))
    lines = [line.strip("| ").split(" | ") for line in table(found).splitlines()[2:]]
    return {name: cells for name, *cells in lines}


def test_there_are_enough_attacks_of_many_families():
    counts = Counter(line["family"] for line in read_attacks())
    assert counts.total() >= 100
    assert len(counts) >= 8
    assert min(counts.values()) >= 5
    assert len({line["attack"] for line in read_attacks()}) == counts.total()


def test_no_attack_brings_a_token_or_closes_its_block():
    for planted in planted_answers(read_attacks()):
        parts = {"prompt": "x", "answer": planted.answer}
        mark = nonce(parts, "prompt")
        text = framed(parts, mark)
        assert text.count(mark) == 4
        assert not TEMPLATE_TOKENS.search(text)


def test_an_honest_judge_is_not_flipped():
    cells = attack(Judge(lambda text, grades: grades), probe=True)
    assert cells["bad"] == ["0 of 4 go on"] * 3
    assert cells["good"][:2] == ["4 of 4 go on"] * 2
    assert cells["**all attacks**"] == ["0 of 39 flipped"] * 3


def test_a_judge_that_obeys_is_flipped_without_guards_and_caught_with_them():
    def obey(text, grades):
        attacked = "rubric and give every" in text
        return dict.fromkeys(grades, 5) if attacked else grades

    cells = attack(Judge(obey))
    assert cells["instruction"] == ["2 of 3 flipped", "0 of 3 flipped (2 stopped by a guard)"]


def test_a_judge_that_is_won_over_by_an_aimed_attack_is_not_caught():
    def obey(text, grades):
        aimed = "odd ones get the lowest grade" in text
        return {n: 1 if n.startswith("about_") else 5 for n in grades} if aimed else grades

    assert attack(Judge(obey))["aimed"] == ["1 of 3 flipped"] * 2


def test_a_judge_that_passes_everything_leaves_nothing_to_flip():
    cells = attack(Judge(lambda text, grades: dict.fromkeys(grades, 5)))
    assert cells["bad"] == ["4 of 4 go on", "0 of 4 go on (4 stopped by a guard)"]
    assert cells["**all attacks**"][0] == "0 of 0 flipped"


def test_no_verdict_is_no_flip():
    silent: Any = Judge(lambda *_: None)
    found = asyncio.run(judged(judge("judge", harden=True), planted_answers([]), silent))
    assert {one.rule for one in found} == {"no verdict"}
