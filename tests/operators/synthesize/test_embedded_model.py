"""The embedded model, really asked: that answers come in the shapes that operators read. It cannot
judge, and hardly writes code; what it says does not matter here."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from dagster_project.operators.calls import Outcome, Program
from dagster_project.operators.synthesize.call_tools import CallTools
from dagster_project.operators.synthesize.generate_code import GenerateCode
from dagster_project.operators.verify.judge_rows import JudgeRows
from dagster_project.recipe.models import Model
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

pytest.importorskip("xllamacpp")


class Asking:
    def __init__(self, caller):
        self.ask = caller.ask

    async def run(self, program: Program) -> Outcome:
        from dagster_project.sandbox.run import run

        return await run(program)


def with_model(tmp_path, work):
    from dagster_project.llm.caller import Caller

    async def run():
        models = {"small": Model(provider="embedded")}
        async with Caller(VersionName("a", "v1"), models, None, Store(tmp_path)) as caller:
            return await work(Asking(caller))

    return asyncio.run(run())


def test_a_judge_gives_grades_of_the_scale(tmp_path):
    judge = JudgeRows(
        model="small", judged="answer", context=("prompt",), rubric={"correct": "true"}, highest=3
    )
    row = {"prompt": "How many legs has a spider?", "answer": "Eight."}
    values = with_model(tmp_path, lambda calls: judge.measured(row, calls))
    assert values["judged_correct"] in (1, 2, 3)
    assert values["judged_decoy"] in (1, 2, 3)
    assert values["judged_reasons"]


def test_code_is_written_and_run(tmp_path):
    seed = {
        "description": "a function `add(a, b)` that returns a + b",
        "tests": "assert add(1, 2) == 3",
    }
    writer = GenerateCode(
        motive="distillation", model="small", tests="tests", tries=1, max_tokens=100, temperature=0
    )
    (made,) = with_model(tmp_path, lambda calls: writer.attempt([seed], Random(0), calls))
    assert made.values["code"]
    assert made.rejection is None or made.rejection.rule in writer.rule_names


def test_tools_are_called_through_json(tmp_path):
    tool = {
        "name": "weather",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string", "maxLength": 40}},
            "required": ["place"],
        },
    }
    caller = CallTools(
        motive="coverage",
        model="small",
        tools=(tool,),
        through="json",
        most_calls=1,
        max_tokens=150,
    )
    seed = {"request": "How is the weather in Graz?"}
    (made,) = with_model(tmp_path, lambda calls: caller.attempt([seed], Random(0), calls))
    assert made.rejection is None or made.rejection.rule == "no_call"
