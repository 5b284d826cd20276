"""What is compared of a row, as one text."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dagster_project.operators.base import Operator
from dagster_project.operators.process.column_kinds import message_fields, text_or_messages

SEPARATOR = "\n"


def compared_text(
    operator: Operator, schema: pl.Schema, columns: Sequence[str], roles: Sequence[str]
) -> pl.Expr:
    """The texts of columns, one after the other; of chat messages, what `roles` say. A null says
    nothing.

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    def part(column: str) -> pl.Expr:
        if text_or_messages(operator, schema, column) == "text":
            return pl.col(column)
        content = pl.element().struct.field("content")
        if "role" in message_fields(schema[column]):
            content = pl.when(pl.element().struct.field("role").is_in(list(roles))).then(content)
        return pl.col(column).list.eval(content).list.join(SEPARATOR, ignore_nulls=True)

    return pl.concat_str(map(part, columns), separator=SEPARATOR, ignore_nulls=True)
