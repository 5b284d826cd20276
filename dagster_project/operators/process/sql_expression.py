"""SQL expressions over the columns of one row, as Polars expressions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache

import polars as pl
from polars.exceptions import ColumnNotFoundError, PolarsError

from dagster_project.operators.base import Operator, OperatorMisuse
from dagster_project.operators.process.column_kinds import column_type

QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
CLOCK = re.compile(r"(?i)\b(?:now\s*\(|current_(?:date|time|timestamp)\b|localtime(?:stamp)?\b)")
ROW_WISE_KINDS = ("Function", "BinaryExpr", "Ternary", "Cast", "Alias")
"""Kinds of expressions that are row-wise when their parts are; the others aggregate."""


@cache
def compiled(sql: str) -> pl.Expr:
    """The Polars expression of a SQL expression that looks at one row at a time.

    Raises:
        ValueError: when it is no expression, looks at other rows, or reads the clock.
    """
    try:
        expression = pl.sql_expr(sql)
    except PolarsError as error:
        raise ValueError(f"`{sql}` is not a SQL expression: {_first_line(error)}") from error
    if expression.meta.has_multiple_outputs() or not all(map(_row_wise, _nodes(expression))):
        raise ValueError(
            f"`{sql}` looks at more than one row (an aggregate, a window or `unnest`); a row "
            "expression gives one value from the columns of its own row"
        )
    if clock := CLOCK.search(QUOTED.sub("''", sql)):
        raise ValueError(
            f"`{sql}` reads the clock (`{clock[0]}`), so that a second run would give other rows; "
            "write the date instead"
        )
    return expression


def columns_of(sql: str) -> list[str]:
    """The columns an expression names, each once, in their order."""
    return list(dict.fromkeys(compiled(sql).meta.root_names()))


def result_type(operator: Operator, schema: pl.Schema, sql: str) -> pl.DataType:
    """What an expression gives over columns of these types.

    Raises:
        OperatorMisuse: naming the expression and what does not fit, with the nearest column.
    """
    try:
        for column in columns_of(sql):
            column_type(operator, schema, column)
        return pl.DataFrame(schema=schema).select(compiled(sql)).dtypes[0]
    except OperatorMisuse as error:
        raise OperatorMisuse(f"{error}; in `{sql}`") from error
    except PolarsError as error:
        raise OperatorMisuse(
            f"{operator.operator_name()}: `{sql}` does not fit the columns: {_first_line(error)}"
        ) from error


def _nodes(expression: pl.Expr) -> Iterator[pl.Expr]:
    yield expression
    for part in expression.meta.pop():
        yield from _nodes(part)


def _row_wise(node: pl.Expr) -> bool:
    if node.meta.is_literal():
        return True
    try:
        separable = node.meta.is_row_separable()
        return separable and (node.meta.is_length_preserving() or not node.meta.root_names())
    except ColumnNotFoundError:  # `IN` asks for the type of its column, which is not known here
        return next(iter(json.loads(node.meta.serialize(format="json")))) in ROW_WISE_KINDS
    except PolarsError:  # a subquery
        return False


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
