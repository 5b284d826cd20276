"""Merge rows that ask the same, and tell which of them are answered differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Metric,
    OperatorMisuse,
    RelationOperator,
    removed,
)
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.process.content_hashes import (
    HASHES,
    SEEDS,
    Normalize,
    comparable,
    content_hashes,
)

ANSWER = "answer"


class DeduplicatePrompts(RelationOperator):
    """Merges rows that ask the same, and tells which of them are answered differently.

    The prompt is the columns in `prompt`, and the answer those in `answer`. Of one column of chat
    messages, the last message of the assistant is the answer, and what comes before it the prompt; a
    chat without an answer is left alone.

    Rows with the same prompt and the same answer are merged into the first by the rule `same_prompt`.
    Where the answers differ, `conflicts` says what becomes of the rows: they are kept, all but the first
    are merged into it, or all are dropped, both by the rule `conflicting_answer`. For verified tasks,
    such as mathematics, two answers mean that one is wrong; for open questions, they are a treasure.

    Measured for each row: `answers_to_prompt`, how many different answers its prompt has. Rows with the
    same prompt and other answers stand in the snapshot's `pairs` with the first row of their prompt, and
    the metrics `prompts_asked_again` and `prompts_in_conflict` count prompts.

    Example:
        - deduplicate_prompts: {prompt: [messages], conflicts: keep}

    Raises:
        OperatorMisuse: when the only column does not hold chat messages with roles.
    """

    rule_names = ("same_prompt", "conflicting_answer")

    prompt: tuple[str, ...] = Field(
        min_length=1, description="Columns of the prompt, or the one of chat messages."
    )
    answer: tuple[str, ...] = Field(
        default=(), description="Columns of the answer; none for a column of chat messages."
    )
    normalize: Normalize = Field(
        default="whitespace_case", description="What makes no difference to prompts and answers."
    )
    conflicts: Literal["keep", "merge", "drop"] = Field(
        default="keep", description="What becomes of rows with the same prompt and other answers."
    )
    prefix: str = Field(default="", description="Put before the name of the annotation.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not self.answer and len(self.prompt) > 1:
            raise ValueError("name the columns of the answer in `answer`")
        return self

    def reads(self) -> Sequence[str]:
        return [*self.prompt, *self.answer]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        if self.answer:
            asked = content_hashes(self, schema, self.prompt, self.normalize)
            said = content_hashes(self, schema, self.answer, self.normalize)
            return {**asked, ANSWER: said[HASHES[0]]}
        (column,) = self.prompt
        if text_or_messages(self, schema, column) == "text":
            raise OperatorMisuse(
                f"{self.operator_name()}: column {column!r} holds text; name the columns of the answer "
                "in `answer`"
            )
        require_roles(self, schema, column)
        chat = comparable(self, schema, column, self.normalize)
        spoken = pl.element().struct.field("role") == "assistant"
        last = pl.col(column).list.eval(spoken.arg_true().last()).list.first()
        parts = {
            name: (chat.list.head(last), seed) for name, seed in zip(HASHES, SEEDS, strict=True)
        }
        parts[ANSWER] = (chat.list.get(last, null_on_oob=True), SEEDS[0])
        return {
            name: pl.when(last.is_not_null()).then(pl.struct(part.alias("part")).hash(seed))
            for name, (part, seed) in parts.items()
        }

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return pl.Schema({f"{self.prefix}answers_to_prompt": pl.Int64()}), pl.Schema()

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        row, answer = pl.col("row"), pl.col(ANSWER)
        asked = relation.drop_nulls(HASHES).with_columns(
            answers=answer.n_unique().over(HASHES).cast(pl.Int64),
            first=row.first().over(HASHES),
            said=answer.first().over(HASHES),
            same=row.first().over(*HASHES, ANSWER),
        )
        conflicting = ~answer.eq_missing(pl.col("said"))
        repeated = asked.filter(row != pl.col("same"), ~conflicting)
        if self.conflicts == "keep":
            repeated = asked.filter(row != pl.col("same"))
            gone = [_merged(repeated, "same_prompt", "same")]
        elif self.conflicts == "merge":
            others = asked.filter(conflicting)
            gone = [
                _merged(repeated, "same_prompt", "same"),
                _merged(others, "conflicting_answer", "first"),
            ]
        else:
            alone = pl.col("answers") == 1
            quarrelling = asked.filter(~alone)
            gone = [
                _merged(repeated.filter(alone), "same_prompt", "same"),
                removed(
                    quarrelling["row"],
                    "dropped",
                    "conflicting_answer",
                    measured=quarrelling["answers"].cast(pl.String),
                    threshold="1 answer",
                ),
            ]
        apart = asked.filter(conflicting)
        prompts = asked.group_by(HASHES).agg(pl.len(), pl.col("answers").first())
        return Decisions(
            pl.concat(gone),
            annotations=asked.select(
                "row", pl.col("answers").alias(f"{self.prefix}answers_to_prompt")
            ),
            pairs=apart.select("row", pl.col("first").alias("other"), similarity=pl.lit(1.0)),
            metrics=[
                Metric("prompts_asked_again", None, prompts.filter(pl.col("len") > 1).height),
                Metric("prompts_in_conflict", None, prompts.filter(pl.col("answers") > 1).height),
            ],
        )


def _merged(rows: pl.DataFrame, rule: str, survivor: str) -> pl.DataFrame:
    return removed(rows["row"], "merged", rule, survivor=rows[survivor], similarity=1.0)
