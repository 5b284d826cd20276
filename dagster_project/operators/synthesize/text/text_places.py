"""Where the texts of a row stand: in columns of text, and in messages of chats."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from dagster_project.operators.base import Operator
from dagster_project.operators.generator import Row
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import text_or_messages


class Place(NamedTuple):
    """A column of text, or the content of a message in it."""

    column: str
    message: int | None = None


def require_texts(operator: Operator, schema: pl.Schema, columns: Iterable[str]) -> None:
    """Refuse columns that hold neither text nor chat messages with roles.

    Raises:
        OperatorMisuse: naming operator, column and what was found.
    """
    for column in columns:
        if text_or_messages(operator, schema, column) == "messages":
            require_roles(operator, schema, column)


def texts_in(
    row: Row, columns: Iterable[str], roles: Collection[str] | None = None
) -> dict[Place, str]:
    """The texts of a row that say something, by place: columns of text, and messages of these
    roles, or of all."""
    found: dict[Place, str] = {}
    for column in dict.fromkeys(columns):
        value = row.get(column)
        if isinstance(value, str):
            found[Place(column)] = value
        for at, message in enumerate(value if isinstance(value, list) else ()):
            said = message.get("content") if isinstance(message, Mapping) else None
            if isinstance(said, str) and (roles is None or message["role"] in roles):
                found[Place(column, at)] = said
    return {place: text for place, text in found.items() if text.strip()}


def with_texts(row: Row, texts: Mapping[Place, str]) -> dict[str, Any]:
    """A row with other texts in these places."""
    changed = dict(row)
    for place, text in texts.items():
        if place.message is None:
            changed[place.column] = text
        else:
            messages = list(changed[place.column])
            messages[place.message] = messages[place.message] | {"content": text}
            changed[place.column] = messages
    return changed
