"""Keep rows for which a SQL condition is true."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.process.column_kinds import holds_binary, json_text
from dagster_project.operators.process.sql_expression import columns_of, compiled, result_type

SHOWN_CHARACTERS = 200


class FilterRows(RowOperator):
    """Keeps rows for which a SQL condition is true; false and null remove a row.

    The condition may name data columns and measured ones (annotations of earlier steps), and is
    SQL as Polars speaks it: comparisons, `AND`, `OR`, `NOT`, `IN`, `LIKE`, `BETWEEN`, `IS NULL`,
    `CASE`, `CAST`, and functions such as `length`, `lower`, `coalesce`, `regexp_like`,
    `array_length`. It looks at one row at a time.

    For a removed row the values of the columns in the condition are kept as JSON, each text cut to
    200 characters.

    Example:
        - filter_rows: {keep: "kind <> 'module' AND length(docstring) >= 20", rule: documented}

    Raises:
        OperatorMisuse: when the condition does not fit the columns, or is not true or false.
    """

    keep: str = Field(min_length=1, description="SQL condition over the columns of a row.")
    rule: str = Field(
        default="condition", min_length=1, description="What the rule is called in dispositions."
    )

    @field_validator("keep")
    @classmethod
    def _keep(cls, value: str) -> str:
        if not columns_of(value):
            raise ValueError(f"`{value}` names no column")
        return value

    def reads(self) -> Sequence[str]:
        return columns_of(self.keep)

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        found = result_type(self, schema, self.keep)
        if found != pl.Boolean:
            raise OperatorMisuse(
                f"{self.operator_name()}: `{self.keep}` gives {found}, but must be true or false"
            )
        shown = pl.struct(_shown(name, schema[name]) for name in columns_of(self.keep))
        return [Rule(self.rule, compiled(self.keep), shown.struct.json_encode(), self.keep)]


def _shown(name: str, dtype: pl.DataType) -> pl.Expr:
    """A column as it is shown in JSON."""
    if holds_binary(dtype):
        return pl.when(pl.col(name).is_not_null()).then(pl.lit("(binary)")).alias(name)
    if dtype.is_nested():
        return json_text(pl.col(name)).str.head(SHOWN_CHARACTERS).alias(name)
    return pl.col(name).str.head(SHOWN_CHARACTERS) if dtype == pl.String else pl.col(name)
