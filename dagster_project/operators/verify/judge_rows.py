"""Have rows graded by a model, and keep those that are graded well enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.base import OperatorMisuse, Rule
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.calls import Calls
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.verify.judged_text import said
from dagster_project.operators.verify.rubric import REASON, GradesByRubric, unrelated
from dagster_project.operators.verify.together import together

Grades = Mapping[str, Any]


class JudgeRows(GradesByRubric, AsksModel, CallingOperator):
    """Has rows graded by a model, and keeps those that are graded well enough.

    Each judge, that is each of `model` and `more_models`, `samples` times, gives whole numbers by the
    criteria of `rubric` and a reason, as JSON of a schema: nothing else of what it says counts. What is
    measured, with `prefix` before it:

    | annotation | is |
    |---|---|
    | each criterion | the mean grade of all judges |
    | each criterion, `_each` | the grades, judge by judge (only where there are several) |
    | `overall` | the mean of the criteria |
    | `agreement` | between judges: 1 less the mean distance of two grades, as a share of the scale |
    | `reasons` | what the judges said, a line for each |
    | `decoy` | the mean grade of a criterion that is there to be failed |
    | `probe` | the overall grade of the text as an answer to another request, where `probe` is on |

    Rules: one for each criterion (or `overall`) in `least`, of the same name as its annotation, then
    `planted_verdict` and `fits_any_request`. A row with nothing to judge is measured as null, and its
    grades are not enough for any rule of `least`.

    **A judge is only as good as it was found to be on rows that people graded: measure that with
    `calibrate_judge` before rows are removed by it.** Small models cannot judge at all.

    What is judged may try to grade itself. With `harden`: chat-template tokens and invisible
    characters in it are replaced; it stands between marks with a number that it cannot know; a verdict
    is read only from the schema's fields, whose names end in digits of that number; and one more
    criterion, about a topic that the text does not touch, must be graded low: a text that talks the
    judge into top grades lifts that one too (`planted_verdict`: above the middle of the scale). `probe`
    asks once more with the request replaced by an unrelated one; an answer that is graded above the
    middle there as well, such as "Solution:" (Zhao et al. 2025, "One Token to Fool LLM-as-a-Judge"), is
    removed by `fits_any_request`; it doubles the cost and needs a criterion that is about the request.
    Not stopped: grades that a weak judge copies from the text for the real criteria only, a text that
    asks for a little more on those, flattery, false authority and length where the judge falls for them.

    Grades of criteria follow UltraFeedback (Cui et al. 2023); 5 grades are its default, and the
    temperature is 0, so that a judge is asked more than once only with `samples` and a temperature.

    Example:
        - judge_rows:
            model: judge
            judged: answer
            context: [prompt]
            rubric: {helpful: does what the request asks, correct: says nothing false}
            least: {helpful: 4, correct: 4}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or the prompt uses a name
            that it is not given.
    """

    judged: str = Field(default="messages", description="A column of texts or chat messages.")
    context: tuple[str, ...] = Field(
        default=(),
        description="Columns that the judge sees beside it, such as the request or a reference.",
    )
    request: str | None = Field(
        default=None, description="The one of `context` that is the request; default: the first."
    )
    more_models: tuple[str, ...] = Field(default=(), description="Further models that judge.")
    samples: int = Field(default=1, ge=1, le=16, description="How often each model judges.")
    probe: bool = Field(
        default=False, description="Judge once more, as an answer to an unrelated request."
    )
    least: dict[str, float] = Field(
        default_factory=dict, description="Least grades by criterion, or `overall`; rules."
    )
    prefix: str = Field(default="judged_", description="Put before the names of the annotations.")
    temperature: float = Field(
        default=0.0, ge=0, le=2, description="How much chance there is in answers; 0 for none."
    )

    @model_validator(mode="after")
    def _fits(self) -> Self:
        unknown = sorted(set(self.least) - {*self.rubric, "overall"})
        if unknown:
            raise ValueError(
                f"least: no criterion {unknown[0]!r}; there are {', '.join(self.rubric)}, overall"
            )
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("samples: with a temperature of 0 all samples are the same; set one")
        if self.request is not None and self.request not in self.context:
            raise ValueError(f"request: {self.request!r} is not in `context`")
        if self.probe and not self.context:
            raise ValueError("probe: needs the request's column in `context`")
        if self.probe and not self.harden:
            raise ValueError("probe: is one of the guards that `harden` switches off")
        return self

    def models(self) -> tuple[str, ...]:
        """The recipe's models that it asks."""
        return (self.model, *self.more_models)

    def reads(self) -> Sequence[str]:
        return [*self.context, self.judged]

    def brings(self, schema: pl.Schema) -> pl.Schema:
        for column in self.reads():
            text_or_messages(self, schema, column)
        if self.judged in self.context:
            raise OperatorMisuse(f"{self.operator_name()}: {self.judged!r} is in `context` as well")
        each = pl.List(pl.Int64) if self._judges() > 1 else None
        kinds: dict[str, Any] = dict.fromkeys(self.rubric, pl.Float64())
        kinds |= {f"{name}_each": each for name in self.rubric if each is not None}
        kinds |= {"overall": pl.Float64(), "agreement": pl.Float64(), "reasons": pl.String()}
        if self.harden:
            kinds["decoy"] = pl.Float64()
        if self.probe:
            kinds["probe"] = pl.Float64()
        return pl.Schema({self.prefix + name: kind for name, kind in kinds.items()})

    async def measured(self, row: Mapping[str, Any], calls: Calls) -> Mapping[str, Any]:
        parts = {name: row[name] if row[name] is not None else "" for name in self.reads()}
        if not said(parts[self.judged]):
            return {}
        grades, decoys = await self._grades(parts, calls)
        overall = [self.overall(grade) for grade in grades]
        values: dict[str, Any] = {
            name: _mean([grade[name] for grade in grades]) for name in self.rubric
        }
        values["overall"] = _mean(overall)
        values["reasons"] = "\n".join(grade[REASON] for grade in grades)
        if len(grades) > 1:
            values |= {f"{name}_each": [grade[name] for grade in grades] for name in self.rubric}
            values["agreement"] = self._agreement(grades)
        if decoys:
            values["decoy"] = _mean(decoys)
        if self.probe:
            request = self.request or self.context[0]
            other = {**parts, request: unrelated(parts, "").request}
            probed, _ = await self._grades(other, calls)
            values["probe"] = _mean([self.overall(grade) for grade in probed])
        return {self.prefix + name: value for name, value in values.items()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        rules = [
            Rule(name, pl.col(name) >= least, pl.col(name), f">= {least:g}")
            for name, least in ((self.prefix + name, least) for name, least in self.least.items())
        ]
        guards = {"decoy": "planted_verdict"} if self.harden else {}
        guards |= {"probe": "fits_any_request"} if self.probe else {}
        for measured, rule in guards.items():
            grade = pl.col(self.prefix + measured)
            keep = (grade <= self.middle).fill_null(True)
            rules.append(Rule(rule, keep, grade, f"<= {self.middle:g}"))
        return rules

    def _judges(self) -> int:
        return len(self.models()) * self.samples

    async def _grades(
        self, parts: Mapping[str, Any], calls: Calls
    ) -> tuple[Sequence[Grades], list[int]]:
        """What each judge says, and its grades of the decoy."""
        grading = self.grading(parts, self.judged)
        questions = [
            self.question(
                grading.text,
                purpose="judging",
                model=model,
                sample=sample,
                json_schema=grading.schema,
            )
            for model in self.models()
            for sample in range(self.samples)
        ]
        answers = await together(calls.ask(question) for question in questions)
        grades = [grading.grades(answer.data) for answer in answers]
        return grades, [grade[grading.decoy] for grade in grades] if grading.decoy else []

    def _agreement(self, grades: Sequence[Grades]) -> float:
        distances = [
            abs(one[name] - other[name])
            for one, other in combinations(grades, 2)
            for name in self.rubric
        ]
        return round(1 - _mean(distances) / (self.highest - self.lowest), 4)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
