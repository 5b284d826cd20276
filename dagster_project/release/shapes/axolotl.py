"""Datasets as Axolotl reads them, with the part of its configuration that names them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl
import yaml

from dagster_project.operators.process.chat_formats import write_chat
from dagster_project.release.shapes.conversations import (
    CONVERSATION_COLUMNS,
    PREFERENCE_COLUMNS,
    conversation,
    preference,
    shape_rule,
    tools_in,
)
from dagster_project.release.shapes.shape import (
    EVALUATION_SPLITS,
    Contents,
    Shape,
    Shaped,
    required,
)

KEYS = {"message_property_mappings": {"role": "role", "content": "content"}}
TURN = r"(?:system|user|assistant|tool)"

HEAD = """\
# Paste this into an Axolotl configuration. Paths are relative to this folder: start Axolotl here, or
# write the folder's path before them.
"""


def _chat_template(schema: pl.Schema) -> Shaped | None:
    found = conversation(schema)
    if found is None:
        return None
    tools, rules = tools_in(schema)
    turn = rf"{TURN}(?:\+[^\s|-]+(?:-content)?)?"
    held = shape_rule(
        found.chats, f"{turn}(?: {turn})*", "messages with the roles system, user, assistant, tool"
    )
    return Shaped({**write_chat(found.chats, "messages"), **tools}, (held, *rules))


def _alpaca(schema: pl.Schema) -> Shaped | None:
    found = conversation(schema)
    if found is None:
        return None
    fields = write_chat(found.chats, "alpaca")
    fields.pop("system")
    return Shaped(fields, (shape_rule(found.chats, "user assistant", "user assistant"),))


def _completion(schema: pl.Schema) -> Shaped | None:
    if schema.get("text") != pl.String:
        return None
    return Shaped({"text": pl.col("text")}, (required("text"),))


def _dpo(schema: pl.Schema) -> Shaped | None:
    """The prompt, and each answer as one message; Axolotl reads no field but role and content."""
    found = preference(schema)
    if found is None:
        return None
    prompt, chosen, rejected = (chat.with_fields({}).messages for chat in found.chats)
    held = shape_rule(
        found.chats,
        rf"{TURN}(?: {TURN})* \| assistant \| assistant",
        "messages with the roles system, user, assistant, tool and no further fields, and two "
        "answers of one message",
    )
    fields = {"messages": prompt, "chosen": chosen.list.first(), "rejected": rejected.list.first()}
    return Shaped(fields, (held,))


def _configured(
    what: Mapping[str, Any], whole: Mapping[str, Any] = {}
) -> Callable[[Contents], Mapping[str, str]]:
    """Writes `axolotl.yaml`: each file of rows with its keys, splits to validate on apart, and a
    split `test` nowhere."""

    def configuration(contents: Contents) -> Mapping[str, str]:
        listed: dict[str, list] = {"datasets": [], "test_datasets": []}
        for file in contents.files:
            if file.split == "test":
                continue
            entry = {"path": str(file.path), "ds_type": "json", "split": "train", **what}
            if "tools" in contents.fields and what["type"] == "chat_template":
                entry["field_tools"] = "tools"
            held_out = file.split in EVALUATION_SPLITS
            listed["test_datasets" if held_out else "datasets"].append(entry)
        stanza = {**whole, **{name: entries for name, entries in listed.items() if entries}}
        return {"axolotl.yaml": HEAD + yaml.dump(stanza, Dumper=_Plain, sort_keys=False)}

    return configuration


class _Plain(yaml.SafeDumper):
    """Writes a mapping that is used twice, twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


SHAPES = (
    Shape(
        "axolotl:chat_template",
        CONVERSATION_COLUMNS,
        _chat_template,
        beside=_configured(
            {
                "type": "chat_template",
                "field_messages": "messages",
                **KEYS,
                "roles_to_train": ["assistant"],
                "train_on_eos": "turn",
            }
        ),
    ),
    Shape("axolotl:alpaca", CONVERSATION_COLUMNS, _alpaca, beside=_configured({"type": "alpaca"})),
    Shape("axolotl:completion", "`text`", _completion, beside=_configured({"type": "completion"})),
    Shape(
        "axolotl:dpo",
        PREFERENCE_COLUMNS,
        _dpo,
        beside=_configured(
            {
                "type": "chat_template.default",
                "field_messages": "messages",
                "field_chosen": "chosen",
                "field_rejected": "rejected",
                **KEYS,
            },
            {"rl": "dpo"},
        ),
    ),
)
