"""What each side of a chat says."""

from __future__ import annotations

from typing import Literal

import polars as pl

from dagster_project.operators.base import Operator
from dagster_project.operators.process.column_kinds import (
    column_type,
    message_fields,
    misuse,
    text_or_messages,
)


def require_roles(operator: Operator, schema: pl.Schema, column: str) -> None:
    """Refuse a column that does not hold chat messages with roles.

    Raises:
        OperatorMisuse: naming operator, column and what was found.
    """
    found = column_type(operator, schema, column)
    fields = message_fields(found)
    if fields.get("role") != pl.String or fields.get("content") != pl.String:
        wanted = "chat messages (a list of objects with text fields `role` and `content`)"
        raise misuse(operator, column, found, wanted)


def turns(
    operator: Operator, schema: pl.Schema, column: str, role: Literal["user", "assistant"]
) -> pl.Expr:
    """What a role says in a column of chat messages: a list of texts, without nulls. A column of
    text is one turn of that role. Null for null.

    Raises:
        OperatorMisuse: when it is neither.
    """
    text = pl.col(column)
    if text_or_messages(operator, schema, column) == "text":
        return pl.when(text.is_not_null()).then(pl.concat_list([text]))
    require_roles(operator, schema, column)
    message = pl.element().struct
    said = message.field("content").filter(message.field("role") == role)
    return text.list.eval(said.drop_nulls())
