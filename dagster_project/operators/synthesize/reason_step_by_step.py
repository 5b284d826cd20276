"""Have questions worked out step by step, and keep solutions that come to the right answer."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import UNUSABLE, answers_to, no_use
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, AsksForSamples, Shots
from dagster_project.operators.synthesize.text.final_answers import final_answer, same_answer
from dagster_project.operators.synthesize.text.text_overlap import same_words, words

PROMPT = """\
Solve the following problem step by step, one step to a line. End with a line that has only #### and the \
final answer.

Problem: {{ question }}

Solution:"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "question": "A baker sells 14 loaves in the morning and twice as many in the afternoon. Each "
        "costs $3. How much does she take in?",
        "answer": "In the afternoon she sells 14 * 2 = 28 loaves.\n"
        "In all she sells 14 + 28 = 42 loaves.\n"
        "She takes in 42 * 3 = $126.\n#### 126",
    },
    {
        "question": "Tom had 30 marbles. He lost 6 and gave a third of the rest to his sister. How many "
        "does he have now?",
        "answer": "After losing some he has 30 - 6 = 24 marbles.\nHe gives away 24 / 3 = 8 marbles.\n"
        "He has 24 - 8 = 16 marbles left.\n#### 16",
    },
)


class ReasonStepByStep(AsksForSamples, Generator):
    """Has questions worked out step by step, and keeps solutions that come to the right answer.

    Chains of thought (Wei et al., 2022) by rejection sampling, as in STaR (Zelikman et al., 2022)
    and RFT (Yuan et al., 2023): `samples` solutions of each question, of which those stay whose final
    answer is the seed's. The final answer is what follows `####`, is in `\\boxed{…}`, follows "the
    answer is", or else is the last number; the seed's answer is found by the first three of these, or
    is all of it. Numbers are equal as numbers: `$1,200.00`, `1200` and `1200 dollars` are; `50%` is
    50, `1/2` is 0.5. Other answers are equal as texts, but for case, white space, and punctuation and
    articles around them.

    New rows have the question, the whole solution as `response`, and what was made out of it as
    `steps` and `final_answer`. Right answers do not make right steps; RFT keeps solutions that
    differ in their equations, which is a step of its own here, such as near-deduplication.

    | rule | the solution |
    |---|---|
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there, not whole, or a refusal |
    | `echoes_prompt` | repeats the request, or an example's solution |
    | `no_final_answer` | comes to no answer |
    | `no_steps` | is the answer and nothing else |
    | `wrong_answer` | comes to another one than the seed |
    | `repeated` | is an earlier one of the same question, in the same words |

    Seeds without question or answer are passed over.

    Example:
        generate: {reason_step_by_step: {model: solver, column: question, gold: answer, samples: 4}}
        seeds: {version: grade_school/v1}
        rows: 1000

    Raises:
        OperatorMisuse: when a column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        ECHOES,
        "no_final_answer",
        "no_steps",
        "wrong_answer",
        "repeated",
    )

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    column: str = Field(
        default="question", description="The column of questions, of seeds and new rows."
    )
    gold: str = Field(
        default="answer", description="The seeds' column of right answers, perhaps with a solution."
    )
    samples: int = Field(default=4, ge=1, description="How many solutions are asked for.")
    prompt: Prompt = Field(default=PROMPT, description="The request; it may use `question`.")
    shots: Shots = Field(default=SHOTS, description="Answered requests: `question` and `answer`.")
    last_number: bool = Field(
        default=True, description="Whether the last number is the answer where none is marked."
    )

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        require_text(self, seeds, self.gold)
        own = ("response", "steps", "final_answer")
        if self.column in own:
            raise OperatorMisuse(
                f"{self.operator_name()}: `column` is {self.column!r}, which new rows have for "
                "something else; rename the seeds' column"
            )
        return pl.Schema(dict.fromkeys((self.column, *own), pl.String()))

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        question, gold = seeds[0].get(self.column), (seeds[0].get(self.gold) or "").strip()
        if not question or not words(question) or not gold:
            return ()
        marked = final_answer(gold, last_number=False)
        wanted = marked.text if marked else gold
        asked = [
            self.asked(self.prompt, {"question": question}, shots=self.shots, sample=sample)
            for sample in range(self.samples)
        ]
        found: list[Candidate] = []
        for answer in await answers_to(calls, asked):
            response = answer.text.strip() if isinstance(answer, Answer) else ""
            final = final_answer(response, self.last_number)
            values = {self.column: question, "response": response}
            if final is not None:
                steps = response[: final.steps_end].rstrip()
                values |= {"steps": steps, "final_answer": final.text}
            why = self._unfit(answer, question, values, wanted, found)
            found.append(Candidate(values, why))
        return found

    def _unfit(
        self,
        answer: Answer | CallFailed,
        question: str,
        values: dict[str, Any],
        wanted: str,
        earlier: Sequence[Candidate],
    ) -> Rejection | None:
        """Why a solution is left out, if it is."""
        response = values["response"]
        if why := no_use(answer, response):
            return why
        if why := self.echo(response, self.prompt, {"question": question}, self.shots):
            return why
        if "final_answer" not in values:
            return Rejection("no_final_answer", response[-80:], "an answer at the end")
        steps, final = values["steps"], values["final_answer"]
        if not words(steps) or same_answer(steps, final):
            return Rejection("no_steps", steps, "steps before the answer")
        if not same_answer(final, wanted):
            return Rejection("wrong_answer", final, f"= {wanted}")
        if any(same_words(other.values["response"], response) for other in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        return None
