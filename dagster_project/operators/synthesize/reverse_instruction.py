"""Ask which instruction a text answers."""

from __future__ import annotations

import re
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
from dagster_project.operators.synthesize.asking.answered import (
    UNUSABLE,
    answers_to,
    kept,
    no_use,
    useful,
)
from dagster_project.operators.synthesize.asking.few_shot import ECHOES, AsksForSamples, Shots
from dagster_project.operators.synthesize.text.text_overlap import longest_run, same_words, words

PROMPT = """\
A person gave an assistant an instruction, and got the answer below. What was the instruction? Say what \
it asks for (subject, kind of text, and length or style where they matter) without giving the answer \
away. Answer with the instruction only.

Answer: {{ text }}

Instruction:"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "text": "Rinse the rice until the water runs clear. Bring one and a half cups of water to the "
        "boil, add a cup of rice, cover, and let it simmer for 15 minutes. Let it rest before serving.",
        "answer": "Explain to a beginner how to cook plain white rice on the stove.",
    },
    {
        "text": "Tides are caused mainly by the moon, whose gravity pulls on the near side of the Earth "
        "more than on the far side, so that the oceans bulge on both.",
        "answer": "Why does the sea rise and fall twice a day? Answer in one sentence.",
    },
    {
        "text": "def is_even(n):\n    return n % 2 == 0",
        "answer": "Write a Python function that tells whether a number can be divided by two.",
    },
)

_ABOUT_THE_ANSWER = re.compile(
    r"(?i)\A(?:(?:the|this|that) (?:text|passage|answer|output|response|document|article|paragraph"
    r"|author|writer|person|assistant|instruction|story|excerpt|question)\b"
    r"(?!.*\b(?:below|above|following)\b)|i (?:am|was|would|will|have|think)\b"
    r"|it (?:is|was|describes|explains)\b)(?!.*[.!:]\s+\S)"
)


class ReverseInstruction(AsksForSamples, Generator):
    """Asks which instruction a text answers: instructions for answers that people wrote.

    Reverse instructions as in LongForm (Köksal et al., 2023) and in the self-augmentation of
    instruction backtranslation (Li et al., 2023). The new row's answer is the seed's text, byte for
    byte, in the same column; only its instruction is a model's, so what a model learns to say is
    what a person said. LongForm asks "What kind of instruction could this be the answer to?" of a
    completion model; here the request is fuller, with three examples, and may be sent as text.

    | rule | the instruction |
    |---|---|
    | `unanswered`, `empty`, `cut_off`, `refused` | is not there, not whole, or a refusal |
    | `echoes_prompt` | repeats the request, or an example's instruction |
    | `no_instruction` | is about the text (one sentence such as "The text describes …") |
    | `too_short`, `too_long` | has fewer or more words than `min_words`, `max_words` |
    | `copies_answer` | has more than `max_copied_words` words in a row of the text, or is all of it \
a part of the text |
    | `repeated` | is an earlier one for the same text |

    Small models like to hand over the answer as the instruction; that is what `copies_answer` is
    for. Whether the text is a good answer is not known from this: self-curation asks a judge.

    Example:
        generate: {reverse_instruction: {model: writer, response: answer}}
        seeds: {version: python_stdlib/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *UNUSABLE,
        ECHOES,
        "no_instruction",
        "too_short",
        "too_long",
        "copies_answer",
        "repeated",
    )

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    response: str = Field(
        default="text", description="The column of texts that are to be answers; it stays as it is."
    )
    instruction: str = Field(default="instruction", description="The new column of instructions.")
    prompt: Prompt = Field(default=PROMPT, description="The request; it may use `text`.")
    shots: Shots = Field(default=SHOTS, description="Answered requests: `text` and `answer`.")
    shown_characters: int = Field(
        default=8000,
        ge=100,
        description="How much of a text the model is shown; the row has it all.",
    )
    min_words: int = Field(default=3, ge=1, description="Fewest words of an instruction.")
    max_words: int = Field(default=150, ge=1, description="Most words of an instruction.")
    max_copied_words: int = Field(
        default=7, ge=1, description="Most words in a row that it may share with the text."
    )

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.response)
        if self.instruction == self.response:
            raise OperatorMisuse(
                f"{self.operator_name()}: `instruction` and `response` are both {self.response!r}; "
                "give the new column another name"
            )
        return pl.Schema({self.instruction: pl.String, self.response: pl.String})

    def attempts(self, seeds: int) -> int | None:
        return seeds

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        text = seeds[0].get(self.response)
        if not text or not words(text):
            return ()
        short = len(text) <= self.shown_characters
        shown = text if short else text[: self.shown_characters].rstrip() + " […]"
        asked = [
            self.asked(self.prompt, {"text": shown}, shots=self.shots, sample=sample)
            for sample in range(self.samples)
        ]
        found: list[Candidate] = []
        for answer in await answers_to(calls, asked):
            instruction = useful(
                answer, "Instruction", "Question", until=("Answer", "Output", "Response")
            )
            why = self._no_instruction(answer, text, instruction, found)
            values = {self.instruction: kept(answer, instruction), self.response: text}
            found.append(Candidate(values, why))
        return found

    def _no_instruction(
        self, answer: Answer | CallFailed, text: str, instruction: str, earlier: Sequence[Candidate]
    ) -> Rejection | None:
        if why := no_use(answer, instruction):
            return why
        if why := self.echo(instruction, self.prompt, {"text": text}, self.shots):
            return why
        if "?" not in instruction and _ABOUT_THE_ANSWER.search(instruction):
            return Rejection("no_instruction", instruction[:80], "a request or a question")
        long, run = len(words(instruction)), longest_run(instruction, text)
        if long < self.min_words:
            return Rejection("too_short", f"{long} words", f">= {self.min_words}")
        if run == long or run > self.max_copied_words:
            most = min(self.max_copied_words, long - 1)
            return Rejection("copies_answer", f"{run} words in a row", f"<= {most}")
        if long > self.max_words:
            return Rejection("too_long", f"{long} words", f"<= {self.max_words}")
        if any(same_words(other.values[self.instruction], instruction) for other in earlier):
            return Rejection("repeated", "the same words", "words of its own")
        return None
