"""Measures rows without an engine: with answers that are given, or made from the question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import polars as pl
import pytest

from dagster_project.operators.base import Rule
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.calls import Answer, CallFailed, Outcome, Program, Question


class Answering:
    """Answers by a function of the question, or from a list; an exception is raised. Keeps the
    questions."""

    def __init__(self, answers: Sequence[Any] | Callable[[Question], Any]) -> None:
        self.answers = answers if callable(answers) else list(answers)
        self.questions: list[Question] = []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        if callable(self.answers):
            given = self.answers(question)
        elif self.answers:
            given = self.answers.pop(0)
        else:
            given = CallFailed("unavailable", "no answer is left")
        if isinstance(given, Exception):
            raise given
        return Answer(json.dumps(given), "stop", data=given)

    async def run(self, program: Program) -> Outcome:
        from dagster_project.sandbox.run import run

        return await run(program)


@pytest.fixture
def measured():
    """`measured(operator, row, answers)`: what is measured of a row, the name of the rule that it
    breaks (None for none), and the questions that were asked."""

    def run(
        operator: CallingOperator,
        row: Mapping[str, Any],
        answers: Sequence[Any] | Callable[[Question], Any] = (),
        schema: pl.Schema | None = None,
    ) -> tuple[dict[str, Any], str | None, list[Question]]:
        calls = Answering(answers)
        frame = pl.DataFrame([dict(row)], schema=schema)
        brings = operator.brings(frame.schema)
        values = asyncio.run(operator.measured(frame.row(0, named=True), calls))
        assert set(values) <= set(brings)
        came = pl.DataFrame([dict(values)], schema=brings, strict=True)
        frame = pl.concat([frame, came], how="horizontal")
        return came.row(0, named=True), broken(frame, operator.rules(frame.schema)), calls.questions

    def broken(frame: pl.DataFrame, rules: Sequence[Rule]) -> str | None:
        for rule in rules:
            if not frame.select(rule.keep.fill_null(False)).item():
                return rule.name
        return None

    return run
