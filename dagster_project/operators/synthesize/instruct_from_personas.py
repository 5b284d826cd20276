"""Make up instructions that people of many kinds would give."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import Calls
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
    answer_or_failure,
    kept,
    no_use,
    useful,
)
from dagster_project.operators.synthesize.asking.few_shot import ECHO_WORDS, ECHOES, Shots
from dagster_project.operators.synthesize.asking.responses import RESPONSE_RULES, AsksForResponses
from dagster_project.operators.synthesize.text.text_overlap import longest_run, words

PERSONA_PROMPT = """\
Who is likely to {{ relation }} the following text? Describe one such person in one sentence: \
occupation, experience and interests, as specific as the text allows, no name. \
Answer with the description only.

Text: {{ text }}

Person:"""

PERSONA_SHOTS: tuple[dict[str, Any], ...] = (
    {
        "text": "After the first frost, cut the roses back by a third and heap soil over the graft.",
        "relation": "read",
        "answer": "A retired postman who has just taken over a neglected garden and wants to bring its "
        "old roses through the winter",
    },
    {
        "text": "The patch fixes a race between the scheduler and the cache eviction thread.",
        "relation": "write",
        "answer": "A systems programmer who maintains a database engine and reviews patches about "
        "concurrency",
    },
)

PROMPT = """\
Write {{ kind }} that the following person is likely to give an AI assistant, in the person's own words. \
Do not describe the person in it. Answer with it only.

Person: {{ persona }}

Instruction:"""

SHOTS: tuple[dict[str, Any], ...] = (
    {
        "persona": "A nurse on night shifts who studies for an exam in pharmacology",
        "kind": "an instruction",
        "answer": "Quiz me on the interactions of warfarin with common antibiotics, one question at a "
        "time, and explain my mistakes.",
    },
    {
        "persona": "A teenager who organises a chess club at school",
        "kind": "an instruction",
        "answer": "can you make a fair pairing plan for 9 players over 5 rounds, nobody sits out twice?",
    },
)

RELATIONS = ("read", "write", "like", "dislike")


class InstructFromPersonas(AsksForResponses, Generator):
    """Makes up instructions that people of many kinds would give, and responses to them.

    Persona Hub (Ge et al., 2024): the one who asks steers what is asked. Seeds are personas, or
    (`holds: text`) texts from which the model first makes up one who would read, write, like or
    dislike them; the relation is drawn. Personas made from other personas are not; run this on the
    rows of an earlier version instead. New rows have `persona`, `instruction` and `response`.

    | rule | when |
    |---|---|
    | `persona_empty`, `persona_cut_off`, `persona_refused` | no persona came of the text |
    | `unanswered`, `empty`, `cut_off`, `refused` | the instruction is not there, not whole, or a \
refusal |
    | `echoes_prompt` | it, or the persona, repeats the request or an example |
    | `copies_persona` | it has 8 words in a row of the persona's description, or is a part of it |
    | `response_unanswered`, `response_empty`, `response_cut_off`, `response_refused` | the response \
is so |

    Example:
        generate: {instruct_from_personas: {model: writer, column: text, holds: text}}
        seeds: {version: web_pages/v2}
        rows: 1000

    Raises:
        OperatorMisuse: when the column does not hold text, or a prompt uses an unknown name.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *("persona_empty", "persona_cut_off", "persona_refused"),
        *UNUSABLE,
        ECHOES,
        "copies_persona",
        *RESPONSE_RULES,
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    column: str = Field(default="persona", description="The seeds' column of personas or texts.")
    holds: Literal["persona", "text"] = Field(
        default="persona", description="What that column holds."
    )
    kind: str = Field(
        default="an instruction",
        description="What is to be written, such as `a mathematics problem`.",
    )
    persona_prompt: Prompt = Field(
        default=PERSONA_PROMPT, description="Asks for a persona; it may use `text` and `relation`."
    )
    persona_shots: Shots = Field(
        default=PERSONA_SHOTS, description="Answered ones: `text`, `relation` and `answer`."
    )
    relations: tuple[str, ...] = Field(
        default=RELATIONS, min_length=1, description="What the person may do with the text."
    )
    shown_characters: int = Field(
        default=4000, ge=100, description="How much of a text the model is shown."
    )
    prompt: Prompt = Field(
        default=PROMPT, description="Asks for an instruction; it may use `persona` and `kind`."
    )
    shots: Shots = Field(
        default=SHOTS, description="Answered ones: `persona`, `kind` and `answer`."
    )

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        require_text(self, seeds, self.column)
        return pl.Schema(dict.fromkeys(("persona", "instruction", "response"), pl.String()))

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        given, sample = seeds[0].get(self.column), draw.getrandbits(31)
        relation = draw.choice(self.relations)
        if not given or not words(given):
            return ()
        persona = given.strip()
        if self.holds == "text":
            persona, why = await self._persona(given, relation, sample, calls)
            if why is not None:
                return (Candidate({"persona": persona}, why),)
        values = {"persona": persona, "kind": self.kind}
        question = self.asked(self.prompt, values, shots=self.shots, sample=sample)
        later = self.holds == "text"
        answer = await (answer_or_failure(calls, question) if later else calls.ask(question))
        instruction = useful(answer, "Instruction", until=("Person", "Answer", "Response"))
        made: dict[str, Any] = {"persona": persona, "instruction": kept(answer, instruction)}
        why = (
            no_use(answer, instruction)
            or self.echo(instruction, self.prompt, values, self.shots)
            or _copied(instruction, persona)
        )
        if why is None and self.respond:
            made["response"], why = await self.response(
                calls, instruction, sample, persona=persona, kind=self.kind
            )
        return (Candidate(made, why),)

    async def _persona(
        self, text: str, relation: str, sample: int, calls: Calls
    ) -> tuple[str, Rejection | None]:
        """A persona for a text, and why it is none, if it is not."""
        values = {"text": text[: self.shown_characters], "relation": relation}
        answer = await calls.ask(
            self.asked(self.persona_prompt, values, shots=self.persona_shots, sample=sample)
        )
        persona = useful(answer, "Person", "Persona", until=("Text",))
        why = no_use(answer, persona, "persona_") or self.echo(
            persona, self.persona_prompt, values, self.persona_shots
        )
        return kept(answer, persona), why


def _copied(instruction: str, persona: str) -> Rejection | None:
    run, long = longest_run(instruction, persona), len(words(instruction))
    if run < ECHO_WORDS and run < long:
        return None
    return Rejection("copies_persona", f"{run} words in a row", f"< {min(ECHO_WORDS, long)}")
