"""The files that OpenAI finetunes on: chats, and preferences.

Constraints are those of its guides on supervised finetuning and direct preference optimization, of
its API reference, and of the checks in its cookbook on preparing chat data. It refuses a file for
one wrong row, so rows that break a constraint are left out, each with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dagster_project.operators.base import Rule
from dagster_project.operators.process.chat_formats import Chat, Chats
from dagster_project.release.shapes.conversations import (
    CONVERSATION_COLUMNS,
    PREFERENCE_COLUMNS,
    conversation,
    preference,
    shape_rule,
    tools_in,
)
from dagster_project.release.shapes.shape import Field, Shape, Shaped
from dagster_project.release.sparse_json import sparse_json

LEAST = 10
"""Examples that a training file must have."""

ASIDE = ("name", "refusal", "tool_calls", "tool_call_id")
"""Fields of a message beside `role` and `content`."""

ROLES = "system|developer|user|assistant|tool"


def _chat(schema: pl.Schema) -> Shaped | None:
    found = conversation(schema)
    chats = _set_somewhere(found.chats) if found else ()
    if not chats or not _callable(chats):
        return None
    (chat,) = chats
    known = (*ASIDE, "weight")
    tools, rules = _tools(schema)
    last = shape_rule(chats, r"(?:.* )?assistant\S*", "an assistant's message at the end", "last")
    return Shaped(
        {"messages": _messages(chat, known), **tools},
        (*_message_rules(chats, known), last, *_weight_rules(chat), *rules),
    )


def _preference(schema: pl.Schema) -> Shaped | None:
    found = preference(schema)
    chats = _set_somewhere(found.chats) if found else ()
    if not chats or not _callable(chats):
        return None
    prompt, chosen, rejected = chats
    tools, rules = _tools(schema)
    answer = r"(?:(?:assistant|tool)\S* )*assistant\S*"
    answers = shape_rule(
        chats,
        rf"[^|]+ \| {answer} \| {answer}",
        "a prompt, and two answers that end with an assistant's message",
        "answers",
    )
    return Shaped(
        {
            "input": {"messages": _messages(prompt, ASIDE), **tools},
            "preferred_output": _messages(chosen, ASIDE),
            "non_preferred_output": _messages(rejected, ASIDE),
        },
        (answers, *_message_rules(chats, ASIDE), *rules),
    )


def _tools(schema: pl.Schema) -> tuple[Mapping[str, Field], tuple[Rule, ...]]:
    tools, rules = tools_in(schema)
    if schema.get("parallel_tool_calls") == pl.Boolean:
        return {**tools, "parallel_tool_calls": pl.col("parallel_tool_calls")}, rules
    return tools, rules


def _set_somewhere(chats: Chats) -> Chats:
    """Chats without the further fields that are null in every row."""
    return tuple(
        Chat(chat.messages, {name: kind for name, kind in chat.extras.items() if kind != pl.Null})
        for chat in chats
    )


def _callable(chats: Chats) -> bool:
    """Whether tool calls, where there are any, are lists of objects, not texts."""
    return all(
        isinstance(chat.extras.get("tool_calls", pl.List(pl.Null)), pl.List) for chat in chats
    )


def _messages(chat: Chat, known: tuple[str, ...]) -> pl.Expr:
    """Messages with the known fields, weights as whole numbers and the arguments of calls as text."""
    message = pl.element().struct
    fields = {name: message.field(name) for name in known if name in chat.extras}
    if "weight" in fields:
        fields["weight"] = fields["weight"].cast(pl.Int64, strict=False)
    if "tool_calls" in fields:
        fields["tool_calls"] = _calls(fields["tool_calls"], chat.extras["tool_calls"])
    turn = pl.struct(
        message.field("role"),
        message.field("content"),
        *(value.alias(name) for name, value in fields.items()),
    )
    return chat.messages.list.eval(turn)


def _calls(calls: pl.Expr, kind: pl.DataType) -> pl.Expr:
    """Calls whose `function.arguments` are JSON in a text."""
    function = _field(_inner(kind), "function")
    kind = _field(function, "arguments")
    if kind in (None, pl.String):
        return calls
    element = pl.element().struct
    arguments = sparse_json(element.field("function").struct.field("arguments"), kind)
    written = element.field("function").struct.with_fields(arguments.alias("arguments"))
    none = calls.is_null()
    changed = calls.list.eval(pl.element().struct.with_fields(written.alias("function")))
    return pl.when(~none).then(changed)


def _inner(kind: Any) -> Any:
    return kind.inner if isinstance(kind, pl.List) else None


def _field(kind: Any, name: str) -> Any:
    fields = (
        {field.name: field.dtype for field in kind.fields} if isinstance(kind, pl.Struct) else {}
    )
    return fields.get(name)


def _message_rules(chats: Chats, known: tuple[str, ...]) -> tuple[Rule, ...]:
    aside = rf"(?:\+(?:{'|'.join(known)}))*"
    anything = r"(?:\+[^\s|+-]+)*(?:-content)?"
    calling = rf"assistant{aside}\+(?:tool_calls|refusal){aside}-content"
    bare = rf"(?:{ROLES}){aside}"
    turn = {
        "roles": (rf"(?:{ROLES}){anything}", f"messages with the roles {ROLES.replace('|', ', ')}"),
        "fields": (
            rf"[^\s|+-]+{aside}(?:-content)?",
            f"messages with no fields but role, content, {', '.join(known)}",
        ),
        "tool_call_id": (
            rf"(?:(?:system|developer|user|assistant){anything}|tool{aside}\+tool_call_id{aside}"
            "(?:-content)?)",
            "a tool_call_id in each message of a tool",
        ),
        "content": (
            rf"(?:{calling}|{bare})",
            "content in each message but an assistant's with tool_calls",
        ),
    }
    rules = (
        shape_rule(chats, rf"{one}(?:(?: | \| ){one})*", text, name)
        for name, (one, text) in turn.items()
    )
    empty = pl.any_horizontal(_empty(chat) for chat in chats)
    return (
        *rules,
        Rule("content", ~empty, pl.lit("an empty content"), "content in each message"),
    )


def _empty(chat: Chat) -> pl.Expr:
    message = pl.element().struct
    empty = message.field("content") == ""
    if "tool_calls" in chat.extras:
        empty &= message.field("tool_calls").list.len().fill_null(0) == 0
    return chat.messages.list.eval(empty).list.any().fill_null(False)


def _weight_rules(chat: Chat) -> tuple[Rule, ...]:
    if "weight" not in chat.extras:
        return ()
    weight = pl.element().struct.field("weight").cast(pl.Float64, strict=False)
    odd = chat.messages.list.eval(
        pl.element().struct.field("weight").is_not_null()
        & ~weight.is_in([0.0, 1.0]).fill_null(False)
    )
    other = pl.lit("another weight")
    return (Rule("weight", ~odd.list.any().fill_null(False), other, "a weight of 0 or 1"),)


SHAPES = (
    Shape("openai:chat", CONVERSATION_COLUMNS, _chat, further=False, least=LEAST),
    Shape("openai:preference", PREFERENCE_COLUMNS, _preference, further=False, least=LEAST),
)
