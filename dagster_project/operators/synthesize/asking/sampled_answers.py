"""Several answers to one request, for operators that choose among them."""

from __future__ import annotations

from random import Random

import polars as pl
from pydantic import Field

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.base import Operator
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import Candidate, Rejection, Row
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answers_to,
    no_use,
)
from dagster_project.operators.synthesize.text.text_overlap import same_words

TOO_FEW = "too_few_answers"
SAMPLING_RULES = (*(rule for rule in UNUSABLE if rule != "refused"), "same_answer")
"""Rules by which an answer is left out. Refusals are answers: they are compared with the others."""


class SamplesAnswers(AsksModel):
    """Fields of an operator that has a request answered several times; to be inherited beside its
    kind."""

    column: str = Field(default="prompt", description="The seeds' column of requests.")
    answers: int = Field(default=4, ge=2, le=32, description="How often a request is answered.")
    judge: str = Field(description="The recipe's model that judges, by its name there.")
    temperature: float = Field(
        default=1.0, gt=0, le=2, description="How much chance there is in answers; not 0."
    )

    def models(self) -> tuple[str, ...]:
        """The recipe's models that it asks."""
        return (self.model, self.judge)

    def require_requests(self, operator: Operator, seeds: pl.Schema) -> None:
        """Refuse seeds without a text column of requests.

        Raises:
            OperatorMisuse: naming the column.
        """
        require_text(operator, seeds, self.column)

    def request_of(self, seed: Row) -> str:
        """The request of a seed; empty where there is none."""
        return (seed.get(self.column) or "").strip()

    async def sampled(
        self, request: str, draw: Random, calls: Calls, *, named: str
    ) -> tuple[list[str], list[Candidate]]:
        """The different answers of use, and the others as candidates that are turned down.

        Args:
            request: what is answered.
            draw: chance.
            calls: answers.
            named: the column of the latter's texts; that of the request is `prompt`.

        Raises:
            CallFailed: when there is no answer at all.
        """
        questions = [
            self.question(request, sample=draw.getrandbits(31)) for _ in range(self.answers)
        ]
        usable: list[str] = []
        others: list[Candidate] = []
        for answer in await answers_to(calls, questions):
            text = getattr(answer, "text", "").strip()
            rejection = no_use(answer, text)
            if rejection is not None and rejection.rule == "refused":
                rejection = None
            if rejection is None and any(same_words(text, other) for other in usable):
                rejection = Rejection("same_answer", "the words of another answer", "its own")
            if rejection is None:
                usable.append(text)
            else:
                others.append(Candidate({"prompt": request, named: text}, rejection))
        return usable, others
