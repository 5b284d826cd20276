"""Rows as what a model is given and what it should say."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import no_such

CHATS = ("messages", "conversations")
PROMPTS = ("prompt", "instruction", "question")
ANSWERS = ("completion", "response", "answer", "output", "chosen")
TEXTS = ("text",)
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


class NoPairs(SeedbedError):
    """Rows in which a model finds nothing to learn from."""


def pairs(rows: pl.DataFrame, columns: Sequence[str] = ()) -> pl.DataFrame:
    """`prompt` and `answer` of each row, and the messages `before` the answer (`role` and `content`; none
    where there is no prompt); without rows that have no answer.

    Args:
        rows: with a column of chat messages, of which the last message of the assistant is the answer; or
            with columns of prompts and answers; or with a column of texts, which have no prompt.
        columns: which of them: one of chats or texts, or one of prompts and one of answers; by
            default, those with the usual names.

    Raises:
        NoPairs: when there are no such columns.
    """
    before, answer = _columns(rows.schema, columns)
    said = pl.element().struct.field("content")
    found = rows.select(
        before.list.eval(said).list.join("\n").fill_null("").alias("prompt"),
        answer.alias("answer"),
        before.fill_null(pl.lit([], MESSAGES)).alias("before"),
    )
    return found.filter(pl.col("answer").str.strip_chars() != "")


def _columns(schema: pl.Schema, columns: Sequence[str]) -> tuple[pl.Expr, pl.Expr]:
    for name in columns:
        if name not in schema:
            raise NoPairs(no_such("column", name, schema))
    if len(columns) == 2:
        return _asked(columns[0]), pl.col(columns[1])
    known = columns or [
        *(name for name in CHATS if isinstance(schema.get(name), pl.List)),
        *_usual(schema),
        *(name for name in TEXTS if schema.get(name) == pl.String),
    ]
    if not columns and len(known) >= 2 and known[0] in PROMPTS:
        return _asked(known[0]), pl.col(known[1])
    if not known:
        raise NoPairs(
            "no column is a chat, a prompt with an answer, or a text by its name; say which ones are: "
            f"`columns: [prompt, answer]`. There are: {', '.join(schema)}"
        )
    if isinstance(schema[known[0]], pl.List):
        return _chat(known[0])
    return pl.lit([], MESSAGES), pl.col(known[0])


def _usual(schema: pl.Schema) -> list[str]:
    prompt = [name for name in PROMPTS if schema.get(name) == pl.String][:1]
    answer = [name for name in ANSWERS if schema.get(name) == pl.String][:1]
    return [*prompt, *answer] if prompt and answer else []


def _asked(name: str) -> pl.Expr:
    """A prompt as a user's message, unless it is empty."""
    message = pl.struct(pl.lit("user").alias("role"), pl.col(name).alias("content"))
    one = pl.concat_list(message).cast(MESSAGES)
    return pl.when(pl.col(name).fill_null("") != "").then(one).otherwise(pl.lit([], MESSAGES))


def _chat(name: str) -> tuple[pl.Expr, pl.Expr]:
    message = pl.element().struct
    said = pl.col(name).list.eval(
        pl.struct(message.field("role"), message.field("content").fill_null("").alias("content"))
    )
    answers = pl.element().struct.field("role").eq("assistant").fill_null(False)
    after = said.list.eval(answers.cast(pl.Int8)).list.reverse().list.arg_max().cast(pl.Int64)
    last = said.list.len().cast(pl.Int64) - 1 - after
    answer = (
        said.list.eval(pl.when(answers).then(pl.element().struct.field("content")))
        .list.drop_nulls()
        .list.last()
    )
    return said.list.head(last), answer
