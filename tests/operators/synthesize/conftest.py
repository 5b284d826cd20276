"""Runs generators without an engine: attempts over seeds, with answers that are given or real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import polars as pl
import pytest

from dagster_project.operators.calls import Answer, CallFailed, Outcome, Program, Question
from dagster_project.operators.generator import Candidate, Generator


class GivenAnswers:
    """Answers in the order of a list, as if they had been recorded; an exception is raised. Keeps the
    questions."""

    def __init__(self, answers: Sequence[Any] = ()) -> None:
        self.answers, self.questions = list(answers), []

    async def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        if not self.answers:
            raise CallFailed("unavailable", "no answer is left")
        given = self.answers.pop(0)
        if isinstance(given, Exception):
            raise given
        if isinstance(given, Answer):
            return given
        if question.json_schema is not None:
            return Answer(json.dumps(given), "stop", data=given)
        return Answer(given, "stop")

    async def run(self, program: Program) -> Outcome:
        from dagster_project.sandbox.run import run

        return await run(program)


@pytest.fixture
def attempt():
    """`attempt(generator, seeds, answers, number=0)`: the candidates of one attempt, checked against
    what the generator says that it produces, and the questions that it asked."""

    def run(
        generator: Generator,
        seeds: Sequence[Mapping[str, Any]] = (),
        answers: Sequence[Any] | Any = (),
        number: int = 0,
    ) -> tuple[list[Candidate], list[Question]]:
        calls = GivenAnswers(answers) if isinstance(answers, Sequence) else answers
        found = list(asyncio.run(generator.attempt(seeds, Random(number), calls)))
        schema = generator.produces(pl.DataFrame(list(seeds)).schema)
        for candidate in found:
            extra = set(candidate.values) - set(schema)
            assert not extra, f"columns that `produces` does not tell: {extra}"
            if candidate.rejection is None:
                pl.DataFrame([dict(candidate.values)], schema=schema, strict=True)
            else:
                assert candidate.rejection.rule in generator.rule_names
        return found, getattr(calls, "questions", [])

    return run
