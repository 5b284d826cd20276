"""Make preference pairs: answer a request several times and let a judge compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import CallFailed, Calls, Question
from dagster_project.operators.generator import Candidate, Generator, Motive, Rejection, Row
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import LASTING
from dagster_project.operators.synthesize.asking.sampled_answers import (
    SAMPLING_RULES,
    TOO_FEW,
    SamplesAnswers,
)
from dagster_project.operators.verify.pairwise import PROMPT, STANDARD, Comparison, compared
from dagster_project.operators.verify.together import together

FLIP, TIE, UNJUDGED = "position_flip", "tie", "unjudged"


class RankAnswers(SamplesAnswers, Generator):
    """Makes preference pairs: a request is answered several times, and a judge compares the answers.

    `model` answers the seed's request `answers` times; `judge` compares each answer with each other
    one, in both orders (Zheng et al. 2023): n answers take n·(n−1) comparisons. A win counts 1; a tie
    counts ½ for both, and so does a flip, where the judge names the same place in both orders. Of the
    answers with the most and the fewest points comes a row: the request, `chosen`, `rejected`, and

    - `margin`: the difference of their points, as a share of the n−1 there are: 0 to 1
    - `flips`: share of all comparisons that were flips. A judge with many has a favourite place

    Where several have the most or the fewest, it is the pair that the judge told apart itself, and
    drawn among those. The pair's own comparison must be a win of the chosen one; else the row is turned
    down, by `position_flip` or `tie`. (Flipped pairs are dropped rather than labelled by chance: they
    would be noise to train on.)

    Answers that are cut off, empty, or the same as another are turned down by `cut_off`, `empty`,
    `same_answer`, with their text as `rejected`; with fewer than two left, the attempt's row is turned
    down by `too_few_answers`. Answers of one model to one prompt are often alike: a temperature of 1 is
    the default.

    A pair says that one judge preferred it. It is not known to be right; check judges with
    `calibrate_judge`.

    Example:
        generate: {rank_answers: {model: writer, judge: judge, column: prompt, answers: 4}}
        seeds: {version: prompts/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds have no text column of requests.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (*SAMPLING_RULES, TOO_FEW, FLIP, TIE, UNJUDGED)

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    standard: str = Field(
        default=STANDARD, min_length=1, description="By what an answer is better than another."
    )
    judge_prompt: Prompt = Field(
        default=PROMPT,
        description="What the judge is told; may use `parts`, `standard` and `mark`.",
    )
    judge_tokens: int = Field(default=256, ge=1, description="Longest verdict, in tokens.")

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        self.require_requests(self, seeds)
        texts = dict.fromkeys(("prompt", "chosen", "rejected"), pl.String())
        return pl.Schema({**texts, "margin": pl.Float64(), "flips": pl.Float64()})

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        request = self.request_of(seeds[0])
        if not request:
            return []
        answers, others = await self.sampled(request, draw, calls, named="rejected")
        if len(answers) < 2:
            left = Rejection(TOO_FEW, str(len(answers)), ">= 2")
            last = {"prompt": request, "chosen": answers[0] if answers else None}
            return [*others, Candidate(last, left)]
        pairs = list(combinations(range(len(answers)), 2))
        found = await together(
            self._compared(request, answers[one], answers[other], calls) for one, other in pairs
        )
        verdicts = dict(zip(pairs, found, strict=True))
        points = _points(len(answers), verdicts)
        best, worst = _extremes(points, verdicts, draw)
        values = {
            "prompt": request,
            "chosen": answers[best],
            "rejected": answers[worst],
            "margin": (points[best] - points[worst]) / (len(answers) - 1),
            "flips": sum(c.verdict == "flip" for c in found) / len(found),
        }
        return [*others, Candidate(values, _why_not(best, worst, verdicts))]

    async def _compared(self, request: str, one: str, other: str, calls: Calls) -> Comparison:
        def ask(text: str, schema: Mapping[str, Any]) -> Question:
            return self.question(
                text,
                purpose="judging",
                model=self.judge,
                temperature=0.0,
                max_tokens=self.judge_tokens,
                json_schema=schema,
            )

        about = {"request": request}
        try:
            return await compared(calls, ask, self.judge_prompt, self.standard, about, one, other)
        except CallFailed as failure:
            if failure.kind not in LASTING:
                raise
            return Comparison("unanswered", (str(failure),))


Verdicts = dict[tuple[int, int], Comparison]


def _points(answers: int, verdicts: Verdicts) -> list[float]:
    points = [0.0] * answers
    for (one, other), comparison in verdicts.items():
        share = {"first": 1.0, "second": 0.0}.get(comparison.verdict, 0.5)
        points[one] += share
        points[other] += 1 - share
    return points


def _extremes(points: Sequence[float], verdicts: Verdicts, draw: Random) -> tuple[int, int]:
    """The answers with the most and the fewest points, told apart by the judge where there are such."""
    order = range(len(points))
    pairs = [
        (best, worst)
        for best in order
        for worst in order
        if best != worst and points[best] == max(points) and points[worst] == min(points)
    ]
    told = [pair for pair in pairs if _why_not(*pair, verdicts) is None]
    return draw.choice(told or pairs)


def _why_not(best: int, worst: int, verdicts: Verdicts) -> Rejection | None:
    first, second = sorted((best, worst))
    verdict = verdicts[first, second].verdict
    if verdict == "unanswered":
        return Rejection(UNJUDGED, verdicts[first, second].reasons[0], "a verdict in both orders")
    if verdict == "flip":
        return Rejection(FLIP, "the same place in both orders", "the same answer in both orders")
    if verdict == ("first" if best < worst else "second"):
        return None
    return Rejection(TIE, verdict, "the chosen one is better")
