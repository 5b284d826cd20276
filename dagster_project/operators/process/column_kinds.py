"""What a column holds, for operators that work on texts and on the texts inside chat messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import polars as pl

from dagster_project.operators.base import Operator, OperatorMisuse
from dagster_project.recipe.problems import nearest

Kind = Literal["text", "messages"]

TEXT = "text"
MESSAGES = "chat messages (a list of objects with a text field `content`)"


def kind_of(dtype: pl.DataType) -> Kind | None:
    """`text` for String, `messages` for a list of structs with a String field `content`."""
    if dtype == pl.String:
        return "text"
    return "messages" if message_fields(dtype).get("content") == pl.String else None


def message_fields(dtype: pl.DataType) -> dict[str, pl.DataType]:
    """The fields of a list of structs by name; empty for any other type."""
    if isinstance(dtype, pl.List) and isinstance(dtype.inner, pl.Struct):
        return {field.name: _instance(field.dtype) for field in dtype.inner.fields}
    return {}


def text_or_messages(operator: Operator, schema: pl.Schema, column: str) -> Kind:
    """Which of the two a column holds.

    Raises:
        OperatorMisuse: when it is neither.
    """
    found = column_type(operator, schema, column)
    kind = kind_of(found)
    if kind is None:
        raise misuse(operator, column, found, f"{TEXT} or {MESSAGES}")
    return kind


def require_text(operator: Operator, schema: pl.Schema, column: str) -> None:
    """Refuse a column that does not hold text.

    Raises:
        OperatorMisuse: naming operator, column and what was found.
    """
    found = column_type(operator, schema, column)
    if found != pl.String:
        raise misuse(operator, column, found, TEXT)


def column_type(operator: Operator, schema: pl.Schema, column: str) -> pl.DataType:
    """The type of a column.

    Raises:
        OperatorMisuse: when there is no such column, naming the nearest.
    """
    if column not in schema:
        near = nearest(column, schema)
        raise OperatorMisuse(
            f"{operator.operator_name()}: there is no column {column!r}"
            + (f"; did you mean {near!r}?" if near else "")
        )
    return schema[column]


def require_new(operator: Operator, schema: pl.Schema, column: str, field: str) -> None:
    """Refuse to write over a column that is there already.

    Raises:
        OperatorMisuse: saying which field names the new column.
    """
    if column in schema:
        raise OperatorMisuse(
            f"{operator.operator_name()}: there is a column {column!r} already; give another name "
            f"in `{field}`, or drop the old one first with `map_columns`"
        )


def misuse(operator: Operator, column: str, found: pl.DataType, wanted: str) -> OperatorMisuse:
    """A column of the wrong type."""
    return OperatorMisuse(
        f"{operator.operator_name()}: column {column!r} is {found}, but must be {wanted}"
    )


def edited(
    operator: Operator, schema: pl.Schema, column: str, edit: Callable[[pl.Expr], pl.Expr]
) -> pl.Expr:
    """`edit` applied to a column of texts, or to the `content` of each message of a chat column.

    Raises:
        OperatorMisuse: when the column is neither.
    """
    if text_or_messages(operator, schema, column) == "text":
        return edit(pl.col(column))
    content = edit(pl.field("content")).alias("content")
    return pl.col(column).list.eval(pl.element().struct.with_fields(content))


def summed(
    operator: Operator, schema: pl.Schema, column: str, measure: Callable[[pl.Expr], pl.Expr]
) -> pl.Expr:
    """`measure` of a column of texts, or its sum over the contents of a chat column's messages.

    Null for null; a message without content counts nothing.

    Raises:
        OperatorMisuse: when the column is neither.
    """
    if text_or_messages(operator, schema, column) == "text":
        return measure(pl.col(column)).cast(pl.Int64)
    measured = measure(pl.element().struct.field("content")).cast(pl.Int64)
    return pl.col(column).list.eval(measured).list.sum()


def holds_binary(dtype: pl.DataType) -> bool:
    """Whether there is binary in a type or below it, for which JSON has no word."""
    if isinstance(dtype, pl.List | pl.Array):
        return holds_binary(_instance(dtype.inner))
    if isinstance(dtype, pl.Struct):
        return any(holds_binary(_instance(field.dtype)) for field in dtype.fields)
    return dtype == pl.Binary


def json_text(nested: pl.Expr) -> pl.Expr:
    """Lists and objects without binary as JSON; null for null."""
    wrapped = pl.struct(nested.alias("v")).struct.json_encode()
    return pl.when(nested.is_not_null()).then(wrapped.str.strip_prefix('{"v":').str.head(-1))


def _instance(dtype: Any) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype
