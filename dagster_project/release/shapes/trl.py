"""The dataset types of TRL, each in its standard form (texts) and its conversational one (lists of
messages), as its guide "Dataset formats and types" has them."""

from __future__ import annotations

from typing import Literal

import polars as pl

from dagster_project.operators.base import Rule
from dagster_project.operators.process.chat_formats import (
    MESSAGES,
    ROLES_TEXT,
    FormatName,
    write_chat,
)
from dagster_project.operators.process.column_kinds import message_fields
from dagster_project.release.shapes.conversations import (
    CONVERSATION_COLUMNS,
    PREFERENCE_COLUMNS,
    Found,
    conversation,
    messages_in,
    preference,
    shape_rule,
    tools_in,
)
from dagster_project.release.shapes.shape import Shape, Shaped, required

Form = Literal["standard", "conversational"]


def form_of(schema: pl.Schema) -> Form:
    """The form that a version's columns are in already."""
    chats = ("messages", "conversations", "prompt", "completion", "chosen", "rejected")
    nested = any(message_fields(schema[column]) for column in chats if column in schema)
    plain = "text" in schema or "prompt" in schema or "chosen" in schema
    return "standard" if plain and not nested else "conversational"


def _language_modeling(schema: pl.Schema) -> Shaped | None:
    if schema.get("text") != pl.String:
        return None
    return Shaped({"text": pl.col("text")}, (required("text"),))


def _conversational_language_modeling(schema: pl.Schema) -> Shaped | None:
    return _written(conversation(schema), "messages", schema)


def _prompt_only(schema: pl.Schema) -> Shaped | None:
    if schema.get("prompt") == pl.String:
        return Shaped({"prompt": pl.col("prompt")}, (required("prompt"),))
    found = conversation(schema)
    if found is None:
        return None
    (chat,) = found.chats
    held = "user(?: assistant)?"
    return Shaped(
        {"prompt": chat.content("user")}, (shape_rule(found.chats, held, "user [assistant]"),)
    )


def _conversational_prompt_only(schema: pl.Schema) -> Shaped | None:
    """The prompt as it is, or else what comes before the last answer."""
    pair = preference(schema)
    chats = messages_in(schema, "prompt") or (pair.chats[:1] if pair else None)
    if chats is not None:
        prompt = chats[0].messages
    else:
        found = conversation(schema)
        if found is None:
            return None
        chats, prompt = found.chats, _unanswered(found.chats[0].messages)
    tools, rules = tools_in(schema)
    rule = shape_rule(chats, MESSAGES, ROLES_TEXT)
    said = Rule(
        "prompt", prompt.list.len() > 0, pl.lit("no message"), "a message before the answer"
    )
    return Shaped({"prompt": prompt, **tools}, (rule, said, *rules))


def _unanswered(messages: pl.Expr) -> pl.Expr:
    answered = messages.list.last().struct.field("role") == "assistant"
    before = messages.list.head(messages.list.len() - 1)
    return pl.when(answered).then(before).otherwise(messages)


def _prompt_completion(schema: pl.Schema) -> Shaped | None:
    return _written(conversation(schema), "prompt_completion", schema)


def _conversational_prompt_completion(schema: pl.Schema) -> Shaped | None:
    return _written(conversation(schema), "prompt_completion_messages", schema)


def _preference(schema: pl.Schema) -> Shaped | None:
    return _written(preference(schema), "preference", schema)


def _conversational_preference(schema: pl.Schema) -> Shaped | None:
    return _written(preference(schema), "preference_messages", schema)


def _implicit_preference(schema: pl.Schema) -> Shaped | None:
    """The prompt and each answer as one text."""
    if any(schema.get(column) != pl.String for column in ("chosen", "rejected")):
        return None
    chosen, rejected = pl.col("chosen"), pl.col("rejected")
    rules = (required("chosen"), required("rejected"))
    if "prompt" not in schema:
        return Shaped({"chosen": chosen, "rejected": rejected}, rules)
    if schema["prompt"] != pl.String:
        return None
    prompt = pl.col("prompt")
    fields = {"chosen": prompt + chosen, "rejected": prompt + rejected}
    return Shaped(fields, (required("prompt"), *rules))


def _conversational_implicit_preference(schema: pl.Schema) -> Shaped | None:
    return _written(preference(schema), "preference_implicit", schema)


def _unpaired(schema: pl.Schema, target: FormatName) -> Shaped | None:
    shaped = _written(conversation(schema), target, schema)
    if shaped is None or schema.get("label") != pl.Boolean:
        return None
    fields = {**shaped.fields, "label": pl.col("label")}
    known = Rule("label", pl.col("label").is_not_null(), pl.lit("no label"), "true or false")
    return Shaped(fields, (*shaped.rules, known))


def _unpaired_preference(schema: pl.Schema) -> Shaped | None:
    return _unpaired(schema, "prompt_completion")


def _conversational_unpaired_preference(schema: pl.Schema) -> Shaped | None:
    return _unpaired(schema, "prompt_completion_messages")


def _stepwise_supervision(schema: pl.Schema) -> Shaped | None:
    kinds = {
        "prompt": pl.String,
        "completions": pl.List(pl.String),
        "labels": pl.List(pl.Boolean),
    }
    if any(schema.get(column) != kind for column, kind in kinds.items()):
        return None
    steps, labels = pl.col("completions").list, pl.col("labels").list
    counts = pl.format("{} completions and {} labels", steps.len(), labels.len())
    whole = (
        (steps.len() == labels.len())
        & (steps.drop_nulls().list.len() == steps.len())
        & (labels.drop_nulls().list.len() == labels.len())
    )
    labelled = Rule("labels", whole, counts, "one label for each completion, and no nulls")
    return Shaped({column: pl.col(column) for column in kinds}, (required("prompt"), labelled))


def _written(found: Found | None, target: FormatName, schema: pl.Schema) -> Shaped | None:
    """Conversations in a format; beside lists of messages, the tools they may call."""
    if found is None:
        return None
    fields = write_chat(found.chats, target)
    tools, rules = ({}, ()) if target in ("prompt_completion", "preference") else tools_in(schema)
    return Shaped({**fields, **tools}, (found.held_by(target), *rules))


SHAPES = (
    Shape("trl:language_modeling:standard", "`text`", _language_modeling),
    Shape(
        "trl:language_modeling:conversational",
        CONVERSATION_COLUMNS,
        _conversational_language_modeling,
    ),
    Shape("trl:prompt_only:standard", "`prompt`, or a conversation", _prompt_only),
    Shape(
        "trl:prompt_only:conversational",
        "`prompt`, or a conversation",
        _conversational_prompt_only,
    ),
    Shape("trl:prompt_completion:standard", CONVERSATION_COLUMNS, _prompt_completion),
    Shape(
        "trl:prompt_completion:conversational",
        CONVERSATION_COLUMNS,
        _conversational_prompt_completion,
    ),
    Shape("trl:preference:standard", PREFERENCE_COLUMNS, _preference),
    Shape("trl:preference:conversational", PREFERENCE_COLUMNS, _conversational_preference),
    Shape("trl:preference_implicit:standard", PREFERENCE_COLUMNS, _implicit_preference),
    Shape(
        "trl:preference_implicit:conversational",
        PREFERENCE_COLUMNS,
        _conversational_implicit_preference,
    ),
    Shape(
        "trl:unpaired_preference:standard",
        f"{CONVERSATION_COLUMNS}, beside a true or false `label`",
        _unpaired_preference,
    ),
    Shape(
        "trl:unpaired_preference:conversational",
        f"{CONVERSATION_COLUMNS}, beside a true or false `label`",
        _conversational_unpaired_preference,
    ),
    Shape(
        "trl:stepwise_supervision:standard",
        "`prompt`, `completions` (list of texts) and `labels` (list of true or false)",
        _stepwise_supervision,
    ),
)
