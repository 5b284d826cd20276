"""Have the chosen and the rejected answer of preference rows compared by a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from pydantic import Field

from dagster_project.operators.asks_model import AsksModel
from dagster_project.operators.base import Rule
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.calls import Calls
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.prompt import Prompt
from dagster_project.operators.verify.judged_text import said
from dagster_project.operators.verify.pairwise import PROMPT, STANDARD, compared


class CompareAnswers(AsksModel, CallingOperator):
    """Keeps preference rows whose chosen answer a judge prefers.

    The judge compares the chosen and the rejected answer twice, in either order (Zheng et al. 2023):
    models favour a place, the first more often than not. What is measured: `compared`, one of `chosen`,
    `rejected`, `tie` (a tie in at least one order) and `flip` (the same place in both orders, which says
    nothing of the answers), and `compared_reasons`, a line for each order. Rules:

    | rule | removes |
    |---|---|
    | `position_flip` | what the judge could not tell |
    | `not_preferred` | rows whose rejected answer is preferred, and ties unless `keep_ties` |

    Answers are data in the prompt: chat-template tokens in them are replaced, and they stand between
    marks with a number that they cannot know. An answer that asks for the verdict in so many words may
    still get it, in both orders: `judge_rows` has a test for that. Where both answers are the same text,
    or one is empty, nobody is asked; the verdict is `tie` then, or the one that is not empty.

    Example:
        - compare_answers: {model: judge, prompt_column: prompt}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or the prompt uses a name
            that it is not given.
    """

    prompt_column: str = Field(default="prompt", description="The column of requests.")
    chosen: str = Field(default="chosen", description="The column of better answers.")
    rejected: str = Field(default="rejected", description="The column of worse answers.")
    standard: str = Field(
        default=STANDARD, min_length=1, description="By what an answer is better than another."
    )
    prompt: Prompt = Field(
        default=PROMPT,
        description="What the judge is told; may use `parts`, `standard` and `mark`.",
    )
    keep_ties: bool = Field(default=False, description="Whether ties go on.")
    temperature: float = Field(
        default=0.0, ge=0, le=2, description="How much chance there is in answers; 0 for none."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    def reads(self) -> Sequence[str]:
        return [self.prompt_column, self.chosen, self.rejected]

    def brings(self, schema: pl.Schema) -> pl.Schema:
        for column in self.reads():
            text_or_messages(self, schema, column)
        names = (f"{self.prefix}compared", f"{self.prefix}compared_reasons")
        return pl.Schema(dict.fromkeys(names, pl.String()))

    async def measured(self, row: Mapping[str, Any], calls: Calls) -> Mapping[str, Any]:
        chosen, rejected = row[self.chosen], row[self.rejected]
        there = [said(answer) for answer in (chosen, rejected)]
        if not all(there) or chosen == rejected:
            verdict = "tie" if there[0] == there[1] else "chosen" if there[0] else "rejected"
            return {f"{self.prefix}compared": verdict}
        request = row[self.prompt_column]
        found = await compared(
            calls,
            lambda text, schema: self.question(text, purpose="judging", json_schema=schema),
            self.prompt,
            self.standard,
            {"request": request} if said(request) else {},
            chosen,
            rejected,
        )
        named = {"first": "chosen", "second": "rejected"}
        return {
            f"{self.prefix}compared": named.get(found.verdict, found.verdict),
            f"{self.prefix}compared_reasons": "\n".join(found.reasons),
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        verdict = pl.col(f"{self.prefix}compared")
        kept = ["chosen", "tie"] if self.keep_ties else ["chosen"]
        return [
            Rule("position_flip", verdict != "flip", verdict, "the same answer in both orders"),
            Rule("not_preferred", verdict.is_in(kept), verdict, f"is {' or '.join(kept)}"),
        ]
