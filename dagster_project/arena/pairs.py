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


class NoPairs(SeedbedError):
    """Rows in which a model finds nothing to learn from."""


def pairs(rows: pl.DataFrame, columns: Sequence[str] = ()) -> pl.DataFrame:
    """`prompt` and `answer` of each row, without rows that have no answer.

    Args:
        rows: with a column of chat messages, of which the last message of the assistant is the answer; or
            with columns of prompts and answers; or with a column of texts, which have no prompt.
        columns: which of them: one of chats or texts, or one of prompts and one of answers; by
            default, those with the usual names.

    Raises:
        NoPairs: when there are no such columns.
    """
    prompt, answer = _columns(rows.schema, columns)
    found = rows.select(prompt.fill_null("").alias("prompt"), answer.alias("answer"))
    return found.filter(pl.col("answer").str.strip_chars() != "")


def _columns(schema: pl.Schema, columns: Sequence[str]) -> tuple[pl.Expr, pl.Expr]:
    for name in columns:
        if name not in schema:
            raise NoPairs(no_such("column", name, schema))
    if len(columns) == 2:
        return pl.col(columns[0]), pl.col(columns[1])
    known = columns or [
        *(name for name in CHATS if isinstance(schema.get(name), pl.List)),
        *_usual(schema),
        *(name for name in TEXTS if schema.get(name) == pl.String),
    ]
    if not columns and len(known) >= 2 and known[0] in PROMPTS:
        return pl.col(known[0]), pl.col(known[1])
    if not known:
        raise NoPairs(
            "no column is a chat, a prompt with an answer, or a text by its name; say which ones are: "
            f"`columns: [prompt, answer]`. There are: {', '.join(schema)}"
        )
    if isinstance(schema[known[0]], pl.List):
        return _chat(known[0])
    return pl.lit(""), pl.col(known[0])


def _usual(schema: pl.Schema) -> list[str]:
    prompt = [name for name in PROMPTS if schema.get(name) == pl.String][:1]
    answer = [name for name in ANSWERS if schema.get(name) == pl.String][:1]
    return [*prompt, *answer] if prompt and answer else []


def _chat(name: str) -> tuple[pl.Expr, pl.Expr]:
    message = pl.element().struct
    said = pl.col(name).list.eval(
        pl.struct(message.field("role"), message.field("content").fill_null("").alias("content"))
    )
    last = pl.element().struct.field("role") == "assistant"
    answer = (
        said.list.eval(pl.when(last).then(pl.element().struct.field("content")))
        .list.drop_nulls()
        .list.last()
    )
    before = said.list.slice(0, pl.col(name).list.len().cast(pl.Int64) - 1)
    prompt = before.list.eval(message.field("content")).list.join("\n")
    return prompt, answer
