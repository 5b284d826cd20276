"""Have a teacher answer prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer, CallFailed, Calls, Question
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.synthesize.asking.answered import UNUSABLE, answers_to, no_use
from dagster_project.operators.synthesize.asking.few_shot import AsksForSamples, Shots
from dagster_project.operators.synthesize.text.text_overlap import same_words, words

SAID_BY = ("system", "user", "assistant")


class DistillAnswers(AsksForSamples, Generator):
    """Has a teacher answer prompts: a student's training rows.

    Distillation by the teacher's texts (sequence-level, Kim and Rush, 2016; for instructions, Taori
    et al., 2023). Prompts are texts, or chats, of which everything up to the last user's message is
    asked, with `system` in front unless the chat has a system message. A row for each of the
    `samples` has the prompt as it was asked, the `response`, and as `teacher` the name by which the
    provider calls the model that gave it.

    Whether a teacher's terms allow a student is declared with the model in the recipe. A student
    learns the teacher's manner sooner than its knowledge (Gudibande et al., 2023): test what it can
    do, not how it sounds.

    | rule | the response |
    |---|---|
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there, not whole, or a refusal; set \
`keep_refusals` where refusals are to be learnt |
    | `echoes_prompt` | is the prompt again, and nothing else |
    | `repeated` | is an earlier one of the same prompt, in the same words |

    Prompts that are empty, and chats without a user's message, are passed over.

    Example:
        generate: {distill_answers: {model: teacher, column: instruction, max_tokens: 1024}}
        seeds: {version: seed_tasks/v1}
        rows: 1000

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (*UNUSABLE, "echoes_prompt", "repeated")

    motive: Motive = Field(default="distillation", description="What the new rows are for.")
    column: str = Field(
        default="prompt", description="The column of prompts or chats, of seeds and new rows."
    )
    response: str = Field(default="response", description="The new column of responses.")
    prompt: Prompt = Field(
        default="{{ prompt }}", description="How a text is asked; it may use `prompt`."
    )
    shots: Shots = Field(
        default=(), description="Answered prompts, shown before texts: `prompt` and `answer`."
    )
    keep_refusals: bool = Field(default=False, description="Whether refusals are rows like others.")

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        if text_or_messages(self, seeds, self.column) == "messages":
            require_roles(self, seeds, self.column)
            if self.form == "text":
                raise OperatorMisuse(
                    f"{self.operator_name()}: `form: text` takes prompts, but column "
                    f"{self.column!r} holds chats"
                )
        own = {self.response: pl.String(), "teacher": pl.String()}
        if self.column in own or self.response == "teacher":
            raise OperatorMisuse(
                f"{self.operator_name()}: `column`, `response` and the column `teacher` must have "
                "different names"
            )
        return pl.Schema({self.column: seeds[self.column], **own})

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        given = seeds[0].get(self.column)
        prompt = given if isinstance(given, str) else _up_to_the_user(given or ())
        last = prompt if isinstance(prompt, str) else (prompt[-1]["content"] if prompt else "")
        if not (last or "").strip():
            return ()
        asked = [self._asked(prompt, sample) for sample in range(self.samples)]
        found: list[Candidate] = []
        for answer in await answers_to(calls, asked):
            said = answer.text.strip() if isinstance(answer, Answer) else ""
            values = {self.column: prompt, self.response: said, "teacher": self._teacher(answer)}
            found.append(Candidate(values, self._unfit(answer, last, said, found)))
        return found

    def _asked(self, prompt: Any, sample: int) -> Question:
        if isinstance(prompt, str):
            return self.asked(self.prompt, {"prompt": prompt}, shots=self.shots, sample=sample)
        said = [
            {"role": turn["role"], "content": turn["content"] or ""}
            for turn in prompt
            if turn["role"] in SAID_BY
        ]
        question = self.question("", sample=sample)
        own = question.messages[:-1] if said[0]["role"] != "system" else ()
        return replace(question, messages=(*own, *said))

    def _teacher(self, answer: Answer | CallFailed) -> str:
        made = answer.calls if isinstance(answer, Answer) else ()
        return made[-1].model if made else self.model

    def _unfit(
        self, answer: Answer | CallFailed, prompt: str, said: str, earlier: Sequence[Candidate]
    ) -> Rejection | None:
        """Why a response is left out, if it is."""
        why = no_use(answer, said)
        if why is not None and not (why.rule == "refused" and self.keep_refusals):
            return why
        if len(words(prompt)) >= 3 and same_words(prompt, said):
            return Rejection("echoes_prompt", "the same words", "words of its own")
        if any(same_words(other.values[self.response], said) for other in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        return None


def _up_to_the_user(chat: Sequence[Any]) -> list[Any]:
    """A chat without what comes after the last user's message, and without missing messages."""
    turns = [turn for turn in chat if turn is not None]
    while turns and turns[-1].get("role") != "user":
        turns.pop()
    return turns
