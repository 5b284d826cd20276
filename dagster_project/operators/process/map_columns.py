"""Rename, add, convert and leave out columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import polars as pl
from pydantic import Field, field_validator, model_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator
from dagster_project.operators.process.column_kinds import (
    column_type,
    holds_binary,
    json_text,
    misuse,
)
from dagster_project.operators.process.sql_expression import columns_of, compiled, result_type

ColumnType = Literal["text", "int", "float", "bool"]


class MapColumns(RowOperator):
    """Renames, adds, converts and leaves out columns.

    In this order: `rename` and `add` look at the columns as they come in, so that two columns can
    swap names; `cast` converts columns as they are then named; `keep` or `drop` says which of
    these go on. An added column may replace one of the same name.

    `add` takes SQL expressions as Polars speaks them, each over the columns of one row: a text is
    written `'in single quotes'`, a column bare or `"in double quotes"`.

    `cast` is strict: a row whose value cannot be converted, as `abc` to `int`, is quarantined. To
    `text` it writes lists and objects as JSON, and durations as in `P1DT2H`; to `bool` it reads the
    texts `true` and `false` in any case; numbers with fractions become integers only by
    `CAST(round(x) AS BIGINT)` in `add`.

    Example:
        - map_columns: {add: {text: "title || ': ' || body"}, keep: [text]}

    Raises:
        OperatorMisuse: when an expression does not fit the columns, a new name is taken, `keep`
            names no column, or a type cannot be converted.
    """

    rename: dict[str, str] = Field(default_factory=dict, description="New names by old name.")
    add: dict[str, str] = Field(
        default_factory=dict, description="SQL expressions by the name of the column they give."
    )
    cast: dict[str, ColumnType] = Field(
        default_factory=dict, description="Types by name, after `rename` and `add`."
    )
    keep: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="The columns that go on; no others do."
    )
    drop: tuple[str, ...] = Field(default=(), description="Columns that do not go on.")

    @field_validator("add")
    @classmethod
    def _add(cls, value: dict[str, str]) -> dict[str, str]:
        for sql in value.values():
            compiled(sql)
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.keep is not None and self.drop:
            raise ValueError("give `keep` or `drop`, not both")
        named = [*self.rename.values(), *self.add]
        if twice := [name for name in named if named.count(name) > 1]:
            raise ValueError(f"two columns would be called {twice[0]!r}")
        return self

    def reads(self) -> Sequence[str]:
        made = {*self.rename.values(), *self.add}
        seen = [*self.rename, *(name for sql in self.add.values() for name in columns_of(sql))]
        late = [name for name in (*self.cast, *(self.keep or ()), *self.drop) if name not in made]
        return list(dict.fromkeys([*seen, *late]))

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        made: dict[str, tuple[pl.Expr, pl.DataType]] = {}
        for old, new in self.rename.items():
            if new in schema and new not in (*self.rename, *self.drop):
                raise OperatorMisuse(
                    f"{self.operator_name()}: {old!r} cannot be renamed {new!r}, there is such a "
                    "column already; drop or rename that one too"
                )
            made[new] = (pl.col(old), column_type(self, schema, old))
        for name, sql in self.add.items():
            made[name] = (compiled(sql), result_type(self, schema, sql))
        for name, target in self.cast.items():
            value, found = made.get(name) or (pl.col(name), column_type(self, schema, name))
            made[name] = (self._converted(name, value, found, target), found)
        return {name: value for name, (value, _) in made.items()}

    def removes(self, schema: pl.Schema) -> Sequence[str]:
        left = [name for name in self.rename if name not in {*self.rename.values(), *self.add}]
        if self.keep is None:
            return [*left, *self.drop]
        for name in self.keep:
            column_type(self, schema, name)
        return [name for name in schema if name not in self.keep]

    def _converted(
        self, name: str, value: pl.Expr, found: pl.DataType, target: ColumnType
    ) -> pl.Expr:
        has_fractions = found.is_float() or found.is_decimal()
        simple = found.is_numeric() or found in (pl.String, pl.Boolean, pl.Null)
        if target == "text":
            if isinstance(found, pl.Duration):
                return value.dt.to_string("iso")
            if not holds_binary(found):
                return json_text(value) if found.is_nested() else value.cast(pl.String)
        elif target == "bool" and found == pl.String:
            truth = {"true": True, "false": False}
            return value.str.to_lowercase().replace_strict(truth, return_dtype=pl.Boolean)
        elif simple and not (target == "int" and has_fractions):
            types = {"int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
            return value.cast(types[target])
        hint = "; `CAST(round(x) AS BIGINT)` in `add` does" if has_fractions else ""
        raise misuse(self, name, found, f"of a type that can be converted to {target}{hint}")
