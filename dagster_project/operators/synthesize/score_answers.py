"""Make scored answers: answer a request several times and have each answer graded by a rubric."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import ClassVar

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.calls import CallFailed, Calls
from dagster_project.operators.generator import Candidate, Generator, Motive, Rejection, Row
from dagster_project.operators.synthesize.asking.answered import answer_or_failure
from dagster_project.operators.synthesize.asking.sampled_answers import (
    SAMPLING_RULES,
    SamplesAnswers,
)
from dagster_project.operators.verify.rubric import REASON, GradesByRubric
from dagster_project.operators.verify.together import together

UNGRADED, PLANTED = "ungraded", "planted_verdict"

COLUMNS = ("prompt", "answer", "score", "feedback")

ASPECTS = {
    "follows_instructions": "does what the request asks, in the form that it asks for",
    "helpful": "is of use to whoever made the request: relevant, complete, clear",
    "truthful": "says nothing that is false or made up",
    "honest": "is as sure as it can be: says what it does not know, and does not overstate",
}
"""UltraFeedback's four aspects."""


class ScoreAnswers(GradesByRubric, SamplesAnswers, Generator):
    """Makes scored answers: a request is answered several times, and each answer graded by a rubric.

    AI feedback as in UltraFeedback (Cui et al. 2023, "UltraFeedback: Boosting Language Models with
    Scaled AI Feedback"): `model` answers the seed's request `answers` times, `judge` grades each answer
    from `lowest` to `highest` by each criterion of `rubric` (default: UltraFeedback's four aspects) and
    says why. Each answer becomes a row: `prompt`, `answer`, a column for each criterion, their mean
    `score`, and `feedback`. Rows of one request share `prompt`; pairs of them are preferences, and all
    of them rewards.

    Grades are numbers of a schema and never read out of text (in UltraFeedback's own data, grades of 1
    were read as 10). An answer that talks the judge into a high grade of a criterion that has nothing to
    do with it is turned down by `planted_verdict`; see `judge_rows` for this and for what it does not
    stop. Other rules: `cut_off`, `empty`, `same_answer`, and `ungraded` where the judge failed.

    Example:
        generate: {score_answers: {model: writer, judge: judge, answers: 4}}
        seeds: {version: prompts/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text column of requests, or the prompt uses a name that
            it is not given.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (*SAMPLING_RULES, UNGRADED, PLANTED)

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    rubric: dict[str, str] = Field(
        default_factory=lambda: dict(ASPECTS),
        description="What is graded: names of criteria, each with what it means.",
        min_length=1,
    )
    judge_tokens: int = Field(default=256, ge=1, description="Longest verdict, in tokens.")

    @field_validator("rubric")
    @classmethod
    def _no_column(cls, rubric: dict[str, str]) -> dict[str, str]:
        for name in COLUMNS:
            if name in rubric:
                raise ValueError(f"criterion {name!r}: there is a column of this name already")
        return rubric

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        self.require_requests(self, seeds)
        grades = dict.fromkeys(self.rubric, pl.Int64())
        text = pl.String()
        return pl.Schema(
            {"prompt": text, "answer": text, **grades, "score": pl.Float64(), "feedback": text}
        )

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        request = self.request_of(seeds[0])
        if not request:
            return []
        answers, others = await self.sampled(request, draw, calls, named="answer")
        gradings = [self.grading({"prompt": request, "answer": text}, "answer") for text in answers]
        questions = [
            self.question(
                grading.text,
                purpose="judging",
                model=self.judge,
                temperature=0.0,
                max_tokens=self.judge_tokens,
                json_schema=grading.schema,
            )
            for grading in gradings
        ]
        graded = await together(answer_or_failure(calls, question) for question in questions)
        made = []
        for text, grading, verdict in zip(answers, gradings, graded, strict=True):
            values = {"prompt": request, "answer": text}
            if isinstance(verdict, CallFailed):
                made.append(Candidate(values, Rejection(UNGRADED, verdict.kind, "grades")))
                continue
            grades = grading.grades(verdict.data)
            values |= {name: grades[name] for name in self.rubric}
            values |= {"score": self.overall(grades), "feedback": grades[REASON]}
            planted = grades[grading.decoy] if grading.decoy else self.lowest
            rejection = None
            if planted > self.middle:
                rejection = Rejection(PLANTED, f"{planted}", f"<= {self.middle:g}")
            made.append(Candidate(values, rejection))
        return [*others, *made]
