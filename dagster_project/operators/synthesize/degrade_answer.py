"""Make rejected answers by rule, for pairs of preferences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar, get_args

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
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.synthesize.text.text_overlap import overlap
from dagster_project.operators.synthesize.text.worse_answers import Degradation, worse

UNCHANGED = "unchanged"
ALIKE = 0.5
"""Answers that share so many of their words may answer the same."""


class DegradeAnswer(Generator):
    """Makes rejected answers by rule, for pairs of preferences.

    Each attempt makes up to `pairs` of one seed, each worse in a way of its own that is drawn among
    those that can be done to the answer:

    | degradation | the rejected answer |
    |---|---|
    | `truncated` | is cut off within a sentence, with a fifth to four fifths of it left |
    | `shuffled` | has its sentences, three or more, in another order |
    | `dropped` | lacks a third of its sentences, one of them of the first half |
    | `repeated` | says one sentence three to six times more |
    | `wrong_numbers` | has its last number and up to two others wrong, each wherever it stands |
    | `off_topic` | is another seed's, with less than half of the words in common |

    New rows have `prompt`, `chosen`, `rejected` and `degradation`: texts for columns of text; for a
    chat column (`messages`) lists of messages, in the form that `convert_chat` calls
    `preference_messages`, where the answer is the last message of the assistant and the prompt what
    comes before it. Blocks of code are moved and left out whole.

    Pairs made so teach what is wrong in a way that can be seen; a model learns them quickly, and
    nothing finer. Order does not always matter, so that some of `shuffled` are no worse: lists above
    all.

    | rule | when |
    |---|---|
    | `unchanged` | none of the ways can be taken, as for an answer of one word |

    Example:
        generate: {degrade_answer: {prompt: question, answer: answer, pairs: 2}}
        seeds: {version: grade_school/v1}
        rows: 500

    Raises:
        OperatorMisuse: when columns do not hold text, or `messages` no chats with roles.
    """

    origin: ClassVar[Origin] = "augmented"
    rule_names: ClassVar[tuple[str, ...]] = (UNCHANGED,)

    motive: Motive = Field(default="quality", description="What the new rows are for.")
    prompt: str = Field(default="prompt", description="The seeds' column of prompts.")
    answer: str = Field(default="response", description="The seeds' column of good answers.")
    messages: str | None = Field(
        default=None, description="The seeds' column of chats, instead of these two."
    )
    degradations: tuple[Degradation, ...] = Field(
        default=get_args(Degradation), min_length=1, description="Ways that are drawn from."
    )
    pairs: int = Field(default=1, ge=1, le=6, description="Most pairs of each seed.")

    def seeds(self) -> int:
        return 2 if "off_topic" in self.degradations else 1

    def attempts(self, seeds: int) -> int | None:
        return seeds

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        kind: pl.DataType = pl.String()
        if self.messages is not None:
            require_roles(self, seeds, self.messages)
            kind = seeds[self.messages]
        else:
            for column in (self.prompt, self.answer):
                require_text(self, seeds, column)
        return pl.Schema(
            {"prompt": kind, "chosen": kind, "rejected": kind, "degradation": pl.String()}
        )

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        answer = self._answer(seeds[0])
        if not answer.strip():
            return ()
        other = self._answer(seeds[1]) if len(seeds) > 1 else ""
        if overlap(answer, other) >= ALIKE:
            other = ""
        found: list[Candidate] = []
        for kind in draw.sample(self.degradations, len(self.degradations)):
            rejected = worse(kind, answer, other, draw)
            if rejected is None or rejected.strip() in ("", answer.strip()):
                continue
            values = self._pair(seeds[0], rejected) | {"degradation": kind}
            found.append(Candidate(values, None, (0, 1) if kind == "off_topic" else (0,)))
            if len(found) == self.pairs:
                break
        if not found:
            nothing = Rejection(UNCHANGED, answer[:80], "an answer that can be made worse")
            return [Candidate(self._pair(seeds[0], None), nothing)]
        return found

    def _answer(self, row: Row) -> str:
        if self.messages is None:
            return row.get(self.answer) or ""
        messages = row.get(self.messages) or ()
        at = _last_answer(messages)
        return messages[at]["content"] or "" if at is not None else ""

    def _pair(self, row: Row, rejected: str | None) -> dict[str, Any]:
        if self.messages is None:
            return {"prompt": row[self.prompt], "chosen": row[self.answer], "rejected": rejected}
        messages = row[self.messages]
        at = _last_answer(messages)
        assert at is not None
        worse_one = None if rejected is None else [messages[at] | {"content": rejected}]
        return {"prompt": messages[:at], "chosen": [messages[at]], "rejected": worse_one}


def _last_answer(messages: Sequence[Mapping[str, Any] | None]) -> int | None:
    """Where the assistant's last message is."""
    found = [at for at, one in enumerate(messages) if one and one.get("role") == "assistant"]
    return found[-1] if found else None
