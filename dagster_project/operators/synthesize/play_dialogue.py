"""Make conversations: one model plays the user, one the assistant."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.calls import Answer, CallFailed, Calls, Question
from dagster_project.operators.generator import Candidate, Generator, Motive, Rejection, Row
from dagster_project.operators.process.assistant_phrases import IDENTITIES, compiled
from dagster_project.operators.process.column_kinds import column_type
from dagster_project.operators.prompt import Prompt, rendered
from dagster_project.operators.synthesize.asking.answered import answer_or_failure, no_use, useful
from dagster_project.operators.synthesize.text.text_overlap import same_words, words

Side = Literal["user", "assistant"]

USER_SYSTEM = """\
You play a person who talks to an assistant. Stay that person to the end: write only what the person \
would type next, in the first person, without quotation marks or a name in front. Never answer for the \
assistant.

Who the person is and what they want:
{% for name, value in seed.items() %}
- {{ name }}: {{ value }}
{% endfor %}

When they have what they want, or give up, write {{ done }} and nothing else.
"""

OPENING = "Write the person's first message to the assistant."

LABEL = re.compile(
    r"(?im)^[ \t#*>]*(?:user|human|person|customer|assistant|ai|bot|chatbot)[ \t*]*:(?!//)"
)
"""A line that begins with who is speaking."""

SERVING = re.compile(
    r"(?i)\b(?:how (?:can|may) i (?:help|assist) you|i(?:'m| am) here to (?:help|assist)|is there"
    r" anything else i can (?:help|assist|do for) you|(?:i'd|i would) be happy to (?:help|assist)"
    r" you|feel free to (?:ask|reach out)(?: me)?\b)"
)
"""What assistants say, and users do not."""

_IDENTITY = compiled(IDENTITIES)

ROLE_BREAK, EMPTY, REPEATS = "role_break", "empty_turn", "repeats_itself"
CUT_OFF, UNANSWERED, TOO_SHORT = "cut_off", "unanswered", "too_short"


class PlayDialogue(AsksModel, Generator):
    """Makes conversations: one model plays the user, one the assistant.

    Self-play with two roles, neither of which sees the other's instructions, as in CAMEL (Li et al. 2023)
    and UltraChat (Ding et al. 2023). `user_model` gets the seed (a persona, a goal, whatever its columns
    say) as its system message, and the conversation with the sides swapped: what the assistant says is
    said *to* it. `model` gets `system` and the conversation as it is. They take turns until the user has
    written `done`, or `turns` times.

    The new row has `messages` (with `system` first, if there is one and `keep_system`), `spoken_by` (for
    each message, the recipe's model that wrote it; `recipe` for the system message), `turns` (how many
    times the user spoke) and `ended_by` (`user` or `turns`). Rules, checked as each turn is spoken; the
    first that is broken ends the conversation, which is turned down with all that was said:

    | rule | a turn |
    |---|---|
    | `role_break` | names a speaker at the start of a line ("Assistant: …"), is a user's that talks \
like an assistant ("How can I help you", "As an AI language model"), or an assistant's with `done` |
    | `empty_turn` | has no letters and digits |
    | `repeats_itself` | has the 4 words or more of an earlier one, or `repeated` of its 5-word runs |
    | `cut_off` | was cut off at `max_tokens` |
    | `unanswered` | is missing: the model gave no answer, after others were given |
    | `too_short` | is the last, where the user is done before having spoken `least_turns` times |

    The phrases are English; in other languages only the labels of speakers and repetitions are found.
    Small models fall out of their role often: what is turned down here is the measure of it.

    Example:
        generate: {play_dialogue: {model: writer, persona: [persona, goal], turns: 3}}
        seeds: {version: personas/v1}
        rows: 200

    Raises:
        OperatorMisuse: when the seeds do not have the columns of `persona`, or a prompt uses a name that
            it is not given.
    """

    origin = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *(ROLE_BREAK, EMPTY, REPEATS),
        *(CUT_OFF, UNANSWERED, TOO_SHORT),
    )

    motive: Motive = Field(default="coverage", description="What the new rows are for.")
    persona: tuple[str, ...] = Field(
        min_length=1, description="The seeds' columns that say who the user is and wants."
    )
    user_model: str | None = Field(
        default=None, description="The model that plays the user; default: `model`."
    )
    user_system: Prompt = Field(
        default=USER_SYSTEM,
        description="What the user's model is told; may use `seed` (the columns of `persona`) and "
        "`done`.",
    )
    opening: Prompt = Field(
        default=OPENING,
        description="What asks the user's model for the first message; may use `seed` and `done`.",
    )
    done: str = Field(
        default="[DONE]", min_length=3, description="What the user writes to end the conversation."
    )
    turns: int = Field(default=3, ge=1, le=50, description="Most times the user speaks.")
    least_turns: int = Field(default=1, ge=1, description="Fewest times the user speaks.")
    repeated: float = Field(
        default=0.8, gt=0, le=1, description="Share of a turn's 5-word runs that repeat one turn."
    )
    keep_system: bool = Field(
        default=True, description="Whether the system message is part of the new row."
    )

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if self.least_turns > self.turns:
            raise ValueError(f"least_turns: {self.least_turns} is above `turns`, {self.turns}")
        return self

    def models(self) -> tuple[str, ...]:
        """The recipe's models that it asks."""
        return tuple(dict.fromkeys((self.model, self.user_model or self.model)))

    def attempts(self, seeds: int) -> int | None:
        return seeds if self.temperature == 0 else None

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        for column in self.persona:
            column_type(self, seeds, column)
        message = pl.Struct({"role": pl.String(), "content": pl.String()})
        return pl.Schema(
            {
                "messages": pl.List(message),
                "spoken_by": pl.List(pl.String()),
                "turns": pl.Int64(),
                "ended_by": pl.String(),
            }
        )

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        persona = {name: seeds[0][name] for name in self.persona if seeds[0].get(name) is not None}
        if not persona:
            return []
        told = {"seed": persona, "done": self.done}
        before = (
            {"role": "system", "content": rendered(self.user_system, **told)},
            {"role": "user", "content": rendered(self.opening, **told)},
        )
        sample = draw.getrandbits(31)
        said: list[Mapping[str, Any]] = []
        for turn in range(1, self.turns + 1):
            done = False
            for side in ("user", "assistant"):
                question = replace(self._asked(side, before, said), sample=sample)
                answer = await (answer_or_failure(calls, question) if said else calls.ask(question))
                if side == "user" and isinstance(answer, Answer):
                    done = self.done in answer.text
                text = self._text(answer, side)
                if done and not text and said:
                    return [self._ended_by_user(said, turn - 1)]
                broken = self._broken(answer, text, side, said)
                said.append({"role": side, "content": text})
                if broken is not None:
                    return [self._candidate(said, None, broken)]
            if done:
                return [self._ended_by_user(said, turn)]
        return [self._candidate(said, "turns", None)]

    def _asked(
        self,
        side: Side,
        before: Sequence[Mapping[str, Any]],
        said: Sequence[Mapping[str, Any]],
    ) -> Question:
        """What one side is asked; the user's model sees the sides swapped."""
        if side == "assistant":
            system = [{"role": "system", "content": self.system}] if self.system else []
            return replace(self.question(""), messages=(*system, *said))
        swapped = {"user": "assistant", "assistant": "user"}
        seen = [{"role": swapped[one["role"]], "content": one["content"]} for one in said]
        user = self.question("", model=self.user_model or self.model)
        return replace(user, messages=(*before, *seen))

    def _text(self, answer: Answer | CallFailed, side: Side) -> str:
        if side == "assistant":
            return "" if isinstance(answer, CallFailed) else answer.text.strip()
        return useful(answer).replace(self.done, "").strip()

    def _broken(
        self,
        answer: Answer | CallFailed,
        text: str,
        side: Side,
        said: Sequence[Mapping[str, Any]],
    ) -> Rejection | None:
        useless = no_use(answer, text)
        if useless is not None and useless.rule != "refused":
            rule = {"empty": EMPTY}.get(useless.rule, useless.rule)
            return Rejection(rule, f"{side}: {useless.measured}", useless.threshold)
        if found := self._out_of_role(text, side):
            return Rejection(ROLE_BREAK, f"{side}: {found}", f"what a {side} says")
        for message in said:
            share = _shared_runs(text, message["content"])
            if share >= self.repeated:
                measured = f"{side}: {share:.2f} of what the {message['role']} said"
                return Rejection(REPEATS, measured, f"< {self.repeated:g}")
        return None

    def _out_of_role(self, text: str, side: Side) -> str | None:
        if label := LABEL.search(text):
            return label[0].strip()
        if side == "assistant":
            return self.done if self.done in text else None
        if serving := SERVING.search(text):
            return serving[0]
        return pl.Series([text]).str.extract(f"({_IDENTITY})").item()

    def _ended_by_user(self, said: Sequence[Mapping[str, Any]], turns: int) -> Candidate:
        rejection = None
        if turns < self.least_turns:
            rejection = Rejection(TOO_SHORT, f"{turns}", f">= {self.least_turns}")
        return self._candidate(said, "user", rejection)

    def _candidate(
        self,
        said: Sequence[Mapping[str, Any]],
        ended_by: str | None,
        rejection: Rejection | None,
    ) -> Candidate:
        by = {"user": self.user_model or self.model, "assistant": self.model, "system": "recipe"}
        kept = self.keep_system and self.system
        messages = [{"role": "system", "content": self.system}, *said] if kept else list(said)
        values = {
            "messages": messages,
            "spoken_by": [by[message["role"]] for message in messages],
            "turns": sum(message["role"] == "user" for message in said),
            "ended_by": ended_by,
        }
        return Candidate(values, rejection)


def _shared_runs(text: str, other: str) -> float:
    """Share of a text's runs of 5 words that another has; 1 where all words are the same, and there are
    more than 3: people say yes twice."""
    if len(words(text)) > 3 and same_words(text, other):
        return 1.0
    runs = _runs(words(text))
    return len(runs & _runs(words(other))) / len(runs) if runs else 0.0


def _runs(spoken: Sequence[str]) -> set[tuple[str, ...]]:
    return {tuple(spoken[at : at + 5]) for at in range(len(spoken) - 4)}
