"""ShareGPT, Alpaca, and prompts with completions: the instruction formats that many trainers read."""

from __future__ import annotations

import polars as pl

from dagster_project.operators.process.chat_formats import FormatName, write_chat
from dagster_project.release.shapes.conversations import CONVERSATION_COLUMNS, conversation
from dagster_project.release.shapes.shape import Field, Shape, Shaped
from dagster_project.release.sparse_json import sparse_json


def _sharegpt(schema: pl.Schema) -> Shaped | None:
    """With the tools as text, as LLaMA-Factory reads them."""
    shaped = _written(schema, "sharegpt")
    tools: dict[str, Field] = {}
    kind = schema.get("tools")
    if kind == pl.String:
        tools["tools"] = pl.col("tools")
    elif isinstance(kind, pl.List):
        tools["tools"] = sparse_json(pl.col("tools"), kind)
    return shaped and Shaped({**shaped.fields, **tools}, shaped.rules)


def _alpaca(schema: pl.Schema) -> Shaped | None:
    return _written(schema, "alpaca")


def _prompt_completion(schema: pl.Schema) -> Shaped | None:
    return _written(schema, "prompt_completion")


def _written(schema: pl.Schema, target: FormatName) -> Shaped | None:
    found = conversation(schema)
    return found and Shaped(write_chat(found.chats, target), (found.held_by(target),))


SHAPES = (
    Shape("sharegpt", CONVERSATION_COLUMNS, _sharegpt),
    Shape("alpaca", CONVERSATION_COLUMNS, _alpaca),
    Shape("prompt_completion", CONVERSATION_COLUMNS, _prompt_completion),
)
