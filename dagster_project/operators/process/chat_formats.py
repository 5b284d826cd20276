"""Chat formats: the columns each has, what conversations it can hold, how to read and write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from dagster_project.operators.base import Operator
from dagster_project.operators.process.column_kinds import (
    column_type,
    message_fields,
    misuse,
    require_text,
)

FormatName = Literal[
    "alpaca",
    "sharegpt",
    "messages",
    "prompt_completion",
    "prompt_completion_messages",
    "preference",
    "preference_messages",
    "preference_implicit",
]

FROM_SHAREGPT = {
    "human": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "function_call": "tool_call",
    "observation": "tool",
}
TO_SHAREGPT = {
    "user": "human",
    "assistant": "gpt",
    "tool_call": "function_call",
    "tool": "observation",
}

MESSAGE = r"(?:system|user|assistant|tool_call|tool)(?:\+[^\s|-]+(?:-content)?)?"
MESSAGES = f"{MESSAGE}(?: {MESSAGE})*"
ROLES_TEXT = "messages with the roles system, user, assistant, tool_call, tool"


@dataclass(frozen=True)
class ChatFormat:
    """A format.

    Attributes:
        columns: that it has.
        optional: those of them that may be missing where it is read.
        written: those of them that are written.
        holds: the shapes of conversations it can hold, as a regular expression.
        holds_text: the same for people.
        pairs: whether it holds a chosen and a rejected answer.
    """

    columns: tuple[str, ...]
    holds: str
    holds_text: str
    optional: tuple[str, ...] = ()
    pairs: bool = False

    @property
    def written(self) -> tuple[str, ...]:
        """The columns that are written."""
        return tuple(column for column in self.columns if column != "history")


@dataclass(frozen=True)
class Chat:
    """Messages: a list of `role`, `content` and further fields, whose types are `extras`."""

    messages: pl.Expr
    extras: Mapping[str, pl.DataType] = field(default_factory=dict)

    def shape(self) -> pl.Expr:
        """The roles in order, each with `+name` for a further field that is set, and `-content`
        for content that is missing; `?` where there are no messages."""
        message = pl.element().struct
        role = message.field("role").str.replace_all(r"[\s|+-]+", "?").fill_null("?")
        marks = [
            pl.when(_is_set(message.field(name), dtype)).then(
                pl.lit("+" + re.sub(r"[\s|-]", "_", name))
            )
            for name, dtype in self.extras.items()
        ]
        missing = pl.when(message.field("content").is_null()).then(pl.lit("-content"))
        shape = pl.concat_str([role, *marks, missing], ignore_nulls=True)
        return self.messages.list.eval(shape).list.join(" ").fill_null("?")

    def with_fields(self, extras: Mapping[str, pl.DataType]) -> Chat:
        """The same messages with these further fields, null where they have none."""
        message = pl.element().struct
        further = (
            message.field(name) if name in self.extras else pl.lit(None, dtype).alias(name)
            for name, dtype in extras.items()
        )
        turn = pl.struct(message.field("role"), message.field("content"), *further)
        return Chat(self.messages.list.eval(turn), extras)

    def content(self, role: str) -> pl.Expr:
        """The content of the first message of a role."""
        message = pl.element().struct
        contents = message.field("content").filter(message.field("role") == role)
        return self.messages.list.eval(contents).list.first()


Chats = tuple[Chat, ...]
"""One conversation; or prompt, chosen and rejected."""

FORMATS: Mapping[FormatName, ChatFormat] = {
    "alpaca": ChatFormat(
        ("instruction", "input", "output", "system", "history"),
        "(?:system )?user assistant",
        "[system] user assistant",
        optional=("input", "system", "history"),
    ),
    "sharegpt": ChatFormat(("conversations",), MESSAGES, ROLES_TEXT),
    "messages": ChatFormat(("messages",), MESSAGES, ROLES_TEXT),
    "prompt_completion": ChatFormat(("prompt", "completion"), "user assistant", "user assistant"),
    "prompt_completion_messages": ChatFormat(
        ("prompt", "completion"), rf"{MESSAGES} assistant(?:\+[^\s|]+)?", "… assistant"
    ),
    "preference": ChatFormat(
        ("prompt", "chosen", "rejected"),
        r"user \| assistant \| assistant",
        "user | assistant | assistant",
        pairs=True,
    ),
    "preference_messages": ChatFormat(
        ("prompt", "chosen", "rejected"),
        rf"{MESSAGES} \| {MESSAGES} \| {MESSAGES}",
        f"prompt and answers: {ROLES_TEXT}",
        pairs=True,
    ),
    "preference_implicit": ChatFormat(
        ("chosen", "rejected"),
        rf"{MESSAGES} \| {MESSAGE} \| {MESSAGE}",
        "a prompt and two answers of one message",
        pairs=True,
    ),
}


def read_chat(
    operator: Operator, schema: pl.Schema, name: FormatName, columns: Mapping[str, str]
) -> Chats:
    """The chats that columns of a format hold.

    Args:
        operator: that reads.
        schema: of the rows.
        name: of the format.
        columns: names of columns by the format's own names.

    Raises:
        OperatorMisuse: when a column has the wrong type.
    """
    found = {own: column for own, column in columns.items() if column in schema}
    if name == "alpaca":
        return (_read_alpaca(operator, schema, found),)
    if name in ("prompt_completion", "preference"):
        for column in found.values():
            require_text(operator, schema, column)
        prompt, *answers = (pl.col(columns[own]) for own in FORMATS[name].columns)
        chats = (_said(user=prompt), *(_said(assistant=answer) for answer in answers))
    else:
        role, content = ("from", "value") if name == "sharegpt" else ("role", "content")
        chats = tuple(
            _read_list(operator, schema, columns[own], role, content)
            for own in FORMATS[name].columns
        )
    if name == "preference_implicit":
        return _without_common_prompt(*chats)
    return (_joined(*chats),) if not FORMATS[name].pairs and len(chats) == 2 else chats


def write_chat(chats: Chats, name: FormatName) -> dict[str, pl.Expr]:
    """The columns of a format that holds these chats, by the format's own names."""
    first, *others = chats
    messages = first.messages
    match name:
        case "alpaca":
            return {
                "instruction": first.content("user"),
                "input": pl.lit(""),
                "output": first.content("assistant"),
                "system": first.content("system"),
            }
        case "sharegpt":
            message = pl.element().struct
            turn = pl.struct(
                message.field("role").replace(TO_SHAREGPT).alias("from"),
                message.field("content").alias("value"),
                *(message.field(extra) for extra in first.extras),
            )
            return {"conversations": messages.list.eval(turn)}
        case "messages":
            return {"messages": messages}
        case "prompt_completion":
            return {"prompt": first.content("user"), "completion": first.content("assistant")}
        case "prompt_completion_messages":
            prompt = messages.list.head(messages.list.len() - 1)
            return {"prompt": prompt, "completion": messages.list.tail(1)}
        case "preference":
            chosen, rejected = (answer.content("assistant") for answer in others)
            return {"prompt": first.content("user"), "chosen": chosen, "rejected": rejected}
        case "preference_messages":
            chosen, rejected = (answer.messages for answer in others)
            return {"prompt": messages, "chosen": chosen, "rejected": rejected}
        case "preference_implicit":
            chosen, rejected = (_joined(first, answer).messages for answer in others)
            return {"chosen": chosen, "rejected": rejected}


def _read_alpaca(operator: Operator, schema: pl.Schema, found: Mapping[str, str]) -> Chat:
    """`input` follows the instruction on a new line; `history` holds earlier pairs of turns."""
    for own in ("instruction", "input", "output", "system"):
        if own in found:
            require_text(operator, schema, found[own])
    user = pl.col(found["instruction"])
    if "input" in found:
        context = pl.col(found["input"])
        user = pl.when(context.str.len_chars() > 0).then(user + "\n" + context).otherwise(user)
    turns = _said(user=user, assistant=pl.col(found["output"])).messages
    if "history" in found:
        dtype = column_type(operator, schema, found["history"])
        if dtype != pl.List(pl.List(pl.String)):
            raise misuse(operator, found["history"], dtype, "a list of pairs of texts")
        said = pl.element().list
        answer = pl.when(said.len() == 2).then(said.get(1, null_on_oob=True))
        pair = _said(user=said.get(0, null_on_oob=True), assistant=answer)
        earlier = pl.col(found["history"]).list.eval(pair.messages.explode())
        turns = pl.concat_list(earlier.fill_null([]), turns)
    if "system" in found:
        system = pl.col(found["system"])
        with_system = pl.concat_list(_said(system=system).messages, turns)
        turns = pl.when(system.str.len_chars() > 0).then(with_system).otherwise(turns)
    return Chat(turns)


def _read_list(operator: Operator, schema: pl.Schema, column: str, role: str, content: str) -> Chat:
    dtype = column_type(operator, schema, column)
    fields = message_fields(dtype)
    if fields.get(role) != pl.String or fields.get(content) != pl.String:
        raise misuse(
            operator, column, dtype, f"a list of objects with text fields `{role}` and `{content}`"
        )
    extras = {name: kind for name, kind in fields.items() if name not in (role, content)}
    message = pl.element().struct
    who = message.field(role).replace(FROM_SHAREGPT) if role == "from" else message.field(role)
    turn = pl.struct(
        who.alias("role"), message.field(content).alias("content"), *map(message.field, extras)
    )
    return Chat(pl.col(column).list.eval(turn), extras)


def _said(**said: pl.Expr) -> Chat:
    """Messages by role."""
    return Chat(
        pl.concat_list(
            pl.struct(pl.lit(role).alias("role"), content.cast(pl.String).alias("content"))
            for role, content in said.items()
        )
    )


def _alike(first: Chat, second: Chat) -> tuple[Chat, Chat]:
    """Both with the further fields of both."""
    extras = {**first.extras, **second.extras}
    return first.with_fields(extras), second.with_fields(extras)


def _joined(first: Chat, second: Chat) -> Chat:
    first, second = _alike(first, second)
    return Chat(pl.concat_list(first.messages, second.messages), first.extras)


def _without_common_prompt(chosen: Chat, rejected: Chat) -> Chats:
    """All but the last message of both is the prompt; null where it differs."""
    chosen, rejected = _alike(chosen, rejected)
    one, other = chosen.messages, rejected.messages
    prompt = one.list.head(one.list.len() - 1)
    same = prompt == other.list.head(other.list.len() - 1)
    return (
        Chat(pl.when(same).then(prompt), chosen.extras),
        Chat(one.list.tail(1), chosen.extras),
        Chat(other.list.tail(1), rejected.extras),
    )


def _is_set(value: pl.Expr, dtype: pl.DataType) -> pl.Expr:
    if isinstance(dtype, pl.List):
        return value.list.len() > 0
    return value.is_not_null()
