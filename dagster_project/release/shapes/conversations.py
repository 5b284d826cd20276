"""The conversations that a version's columns hold, whichever chat format they are in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dagster_project.operators.base import Rule
from dagster_project.operators.process.chat_formats import (
    FORMATS,
    Chats,
    FormatName,
    read_chat,
)
from dagster_project.operators.process.column_kinds import message_fields
from dagster_project.operators.process.convert_chat import ConvertChat
from dagster_project.release.shapes.shape import Field, Json

CONVERSATIONS: tuple[FormatName, ...] = (
    "messages",
    "sharegpt",
    "prompt_completion_messages",
    "prompt_completion",
    "alpaca",
)
PREFERENCES: tuple[FormatName, ...] = ("preference_messages", "preference", "preference_implicit")

CONVERSATION_COLUMNS = (
    "`messages`, `conversations`, `prompt` and `completion`, or `instruction` and `output`"
)
PREFERENCE_COLUMNS = "`chosen` and `rejected`, both with the prompt in them or beside a `prompt`"
TEXTS = ("prompt_completion", "preference", "alpaca")


@dataclass(frozen=True)
class Found:
    """Conversations, and the format of the columns they are in."""

    name: FormatName
    chats: Chats

    def held_by(self, target: FormatName) -> Rule:
        """That a row's conversation fits a format, as `convert_chat` decides it."""
        return shape_rule(self.chats, FORMATS[target].holds, FORMATS[target].holds_text)


def shape_rule(chats: Chats, holds: str, holds_text: str, name: str = "chat_shape") -> Rule:
    """That the roles of a row's messages, in order, match a pattern."""
    roles = pl.concat_str([chat.shape() for chat in chats], separator=" | ")
    return Rule(name, roles.str.contains(f"^(?:{holds})$"), roles, holds_text)


def conversation(schema: pl.Schema) -> Found | None:
    """The conversation that each row holds; None where there is none."""
    return _first(schema, CONVERSATIONS)


def preference(schema: pl.Schema) -> Found | None:
    """The prompt, the chosen and the rejected answer that each row holds; None where there are
    none."""
    return _first(schema, PREFERENCES)


def messages_in(schema: pl.Schema, column: str) -> Chats | None:
    """The messages in a column; None where there are none."""
    if not _is_chat(schema, column, "role", "content"):
        return None
    return read_chat(_reader("messages"), schema, "messages", {"messages": column})


def tools_in(schema: pl.Schema) -> tuple[Mapping[str, Field], tuple[Rule, ...]]:
    """The field `tools`, from a column of that name that is a list or a text with JSON in it."""
    kind = schema.get("tools")
    if kind == pl.String:
        tools = pl.col("tools")
        rule = Rule(
            "tools",
            tools.is_null() | tools.str.starts_with("["),
            pl.lit("other text"),
            "a JSON list",
        )
        return {"tools": Json("tools")}, (rule,)
    return ({"tools": pl.col("tools")} if isinstance(kind, pl.List) else {}), ()


def _first(schema: pl.Schema, names: tuple[FormatName, ...]) -> Found | None:
    for name in names:
        if _fits(schema, name):
            columns = {own: own for own in FORMATS[name].columns}
            return Found(name, read_chat(_reader(name), schema, name, columns))
    return None


def _fits(schema: pl.Schema, name: FormatName) -> bool:
    columns = FORMATS[name].columns
    if name in TEXTS:
        kinds = {"history": pl.List(pl.List(pl.String))}
        return all(
            column in FORMATS[name].optional
            if column not in schema
            else schema[column] == kinds.get(column, pl.String)
            for column in columns
        )
    role, content = ("from", "value") if name == "sharegpt" else ("role", "content")
    return all(_is_chat(schema, column, role, content) for column in columns)


def _is_chat(schema: pl.Schema, column: str, role: str, content: str) -> bool:
    fields = message_fields(schema[column]) if column in schema else {}
    return fields.get(role) == pl.String and fields.get(content) == pl.String


def _reader(name: FormatName) -> ConvertChat:
    """The operator in whose name columns are read."""
    peers = PREFERENCES if FORMATS[name].pairs else CONVERSATIONS
    other = next(peer for peer in peers if peer != name)
    return ConvertChat.model_validate({"from": name, "to": other})
