"""Write the final answer of worked solutions to a column of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_turns import turns
from dagster_project.operators.process.column_kinds import require_new
from dagster_project.operators.synthesize.text.final_answers import final_answer, number

MARKS = r"(?i)####|\\boxed|answer"
"""What every text has in it that marks its final answer."""


class ExtractFinalAnswer(RowOperator):
    r"""Writes the final answer of worked solutions to a column of its own, to be verified against.

    Looked for in this order, of each the last that is not empty: what follows `####` on a line, what is
    in `\boxed{…}`, what follows "the answer is" or "answer:"; with `last_number` the last number, too,
    where nothing is marked. Of chats, the assistant's last message is read. The answer is written as it
    stands there, `1,200` and `\frac{3}{4}` too.

    `steps_into` keeps what leads to it: the text before `####` or "the answer is", and all of the text
    where the answer is boxed within it.

    | rule | removes a row | measured, as an annotation |
    |---|---|---|
    | `no_final_answer` | without a final answer | `answer_found` |
    | `not_a_number` | with `number`, whose answer is not one number: `3 or 4`, `2^5`; units, currency \
and thousands separators are allowed | `answer_found` |

    Example:
        - extract_final_answer: {column: answer, into: final_answer, number: true}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages with roles, or there is a
            column `into` or `steps_into` already.
    """

    column: str = Field(default="answer", description="A column of texts or chat messages.")
    into: str = Field(default="final_answer", min_length=1, description="The new column.")
    steps_into: str | None = Field(
        default=None, min_length=1, description="A column for what leads to it; default: none."
    )
    last_number: bool = Field(
        default=False, description="Whether the last number counts where no answer is marked."
    )
    number: bool = Field(default=False, description="Whether the answer must be one number.")
    drop_unanswered: bool = Field(
        default=True, description="Whether rows without one go (rule `no_final_answer`)."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @model_validator(mode="after")
    def _two_columns(self) -> Self:
        if self.into == self.steps_into:
            raise ValueError("`into` and `steps_into` are two columns")
        return self

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {f"{self.prefix}answer_found": self._read(schema, _answers)}

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_new(self, schema, self.into, "into")
        answer = {self.into: pl.col(f"{self.prefix}answer_found")}
        if self.steps_into is None:
            return answer
        require_new(self, schema, self.steps_into, "steps_into")
        return {**answer, self.steps_into: self._read(schema, _steps)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        answer = pl.col(f"{self.prefix}answer_found")
        has = answer.is_not_null()
        rules = [Rule("no_final_answer", has, answer, "an answer")] if self.drop_unanswered else []
        if self.number:
            one = answer.map_batches(_is_number, return_dtype=pl.Boolean, is_elementwise=True)
            rules.append(Rule("not_a_number", one | ~has, answer, "one number"))
        return rules

    def _read(self, schema: pl.Schema, part: Callable[[str, bool], str | None]) -> pl.Expr:
        """A part of each text that may have a final answer."""

        def parts(texts: pl.Series) -> pl.Series:
            read = [text and part(text, self.last_number) for text in texts.to_list()]
            return pl.Series(texts.name, [said or None for said in read], pl.String)

        text = turns(self, schema, self.column, "assistant").list.last()
        may_have = pl.lit(True) if self.last_number else text.str.contains(MARKS)
        return (
            pl.when(may_have)
            .then(text)
            .map_batches(parts, return_dtype=pl.String, is_elementwise=True)
        )


def _answers(text: str, last_number: bool) -> str | None:
    found = final_answer(text, last_number)
    return found.text if found else None


def _steps(text: str, last_number: bool) -> str | None:
    found = final_answer(text, last_number)
    return text[: found.steps_end].rstrip() if found else None


def _is_number(answers: pl.Series) -> pl.Series:
    found = [answer and number(answer) is not None for answer in answers.to_list()]
    return pl.Series(answers.name, found, pl.Boolean)
