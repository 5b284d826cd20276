"""Which columns of rows are prompts, answers and texts, and what they say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.column_kinds import kind_of, message_fields
from dagster_project.recipe.problems import no_such

PROMPTS = ("prompt", "instruction", "question", "query", "request", "input")
ANSWERS = ("chosen", "answer", "response", "completion", "output", "reply")
REJECTED = ("rejected",)
TEXTS = ("text", "content", "document")
"""Names that columns of each part usually have."""
NAMES_OF_TEXTS = frozenset((*PROMPTS, *ANSWERS, *REJECTED, *TEXTS))
"""Columns that are no labels, however few values they have."""

SAYS = {
    "prompt": pl.String(),
    "instruction": pl.String(),
    "answer": pl.String(),
    "rejected": pl.String(),
    "text": pl.String(),
    "turns": pl.Int64(),
}
"""What `TextParts.expressions` gives for every row; null where rows have no such part."""


class NoText(SeedbedError):
    """Rows without a column of texts, or a column named that is none."""


@dataclass(frozen=True)
class TextParts:
    """The columns that hold the parts of a row.

    Attributes:
        chat: of messages with roles, whose user says prompts and whose assistant says answers.
        prompt, answer, rejected: of texts or messages; None where `chat` holds them, or there is none.
        texts: all that hold text, in place of prompt and answer where there are none.
    """

    chat: str | None
    prompt: str | None
    answer: str | None
    rejected: str | None
    texts: tuple[str, ...]

    @property
    def has_prompts(self) -> bool:
        """Whether rows have prompts."""
        return self.chat is not None or self.prompt is not None

    @property
    def has_answers(self) -> bool:
        """Whether rows have answers."""
        return self.chat is not None or self.answer is not None

    def columns(self) -> list[str]:
        """All columns that are read."""
        named = (self.chat, self.prompt, self.answer, self.rejected, *self.texts)
        return list(dict.fromkeys(name for name in named if name is not None))

    def expressions(self, schema: pl.Schema) -> dict[str, pl.Expr]:
        """What a row says, by the names of `SAYS`: `instruction` is the user's first turn, `text` is
        prompt and answer, or all texts, and `turns` counts the user's turns of a chat."""
        says: dict[str, pl.Expr] = {name: pl.lit(None, dtype=kind) for name, kind in SAYS.items()}
        if self.chat is not None:
            asked, told = _turns(self.chat, "user"), _turns(self.chat, "assistant")
            says["prompt"], says["answer"] = asked.list.join("\n\n"), told.list.join("\n\n")
            says["instruction"] = asked.list.first()
            says["turns"] = asked.list.len().cast(pl.Int64)
        for name, column in (
            ("prompt", self.prompt),
            ("answer", self.answer),
            ("rejected", self.rejected),
        ):
            if column is not None:
                says[name] = contents(schema, column)
        if self.prompt is not None:
            says["instruction"] = says["prompt"]
        if self.has_prompts:
            whole = [says[name] for name in ("prompt", "answer")]
        else:
            whole = [contents(schema, column) for column in self.texts]
        says["text"] = pl.concat_str(whole, separator="\n\n", ignore_nulls=True)
        return {name: says[name].cast(kind).alias(name) for name, kind in SAYS.items()}


def text_parts(
    schema: pl.Schema,
    labels: Iterable[str] = (),
    prompt: str | None = None,
    answer: str | None = None,
) -> TextParts:
    """Tell the parts of rows by types and names of columns.

    Args:
        schema: of the rows.
        labels: columns of text that are none, having few values.
        prompt, answer: columns that are these parts, where their names do not say so.

    Raises:
        NoText: when there is no text, or no such column.
    """
    labels = set(labels)
    texts = [name for name, kind in schema.items() if kind_of(kind) and name not in labels]
    for named in (prompt, answer):
        if named is not None and named not in texts:
            raise NoText(no_such("column of texts", named, texts))
    if not texts:
        raise NoText(f"no column holds texts or chats; there are {', '.join(schema) or 'none'}")
    chats = [name for name in texts if message_fields(schema[name]).get("role") == pl.String]
    prompt = prompt or _first(PROMPTS, texts)
    answer = answer or _first(ANSWERS, texts)
    if prompt is None and chats:
        chat = "messages" if "messages" in chats else chats[0]
        return TextParts(chat, None, None, None, (chat,))
    rejected = _first(REJECTED, texts)
    named = _first(TEXTS, texts)
    whole = (named,) if prompt is None and named is not None else tuple(texts)
    return TextParts(None, prompt, answer, rejected, whole)


def contents(schema: pl.Schema, column: str) -> pl.Expr:
    """A text, or all contents of a chat as one text."""
    if schema[column] == pl.String:
        return pl.col(column)
    said = pl.element().struct.field("content").drop_nulls()
    return pl.col(column).list.eval(said).list.join("\n\n")


def _turns(column: str, role: str) -> pl.Expr:
    message = pl.element().struct
    said = message.field("content").filter(message.field("role") == role)
    return pl.col(column).list.eval(said.drop_nulls())


def _first(names: Iterable[str], columns: Iterable[str]) -> str | None:
    there = {name.lower(): name for name in columns}
    return next((there[name] for name in names if name in there), None)
