"""What operators share that find values in texts, count them, and write something else instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import text_or_messages

ROW = "__row"


class _Redacts(RowOperator):
    """Counts values of some kinds in texts and messages, and replaces them.

    Its methods are given the texts of some rows, one below the other: the row (`ROW`), the number of
    the column (`column`), the place among all (`place`), and the `text`, which may be null.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    replacement: Literal["placeholder", "consistent"] = Field(
        default="placeholder",
        description="`placeholder` writes a kind, such as `<EMAIL>`; `consistent` numbers the values "
        "of a row, in all columns together.",
    )
    allow: tuple[str, ...] = Field(
        default=(), description="Rust regular expressions of whole values that stay."
    )
    max_found: int | None = Field(
        default=None, ge=0, description="Most values in a row; rows with more are removed."
    )
    prefix: str = Field(default="pii_", description="Put before the names of the annotations.")

    @field_validator("allow")
    @classmethod
    def _regular(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                pl.Series([""]).str.contains(pattern)
            except PolarsError as error:
                what = str(error).split("\n\nThis error occurred")[0].strip()
                raise ValueError(f"{pattern!r} is not a regular expression: {what}") from error
        return value

    def reads(self) -> Sequence[str]:
        return self.columns

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        for name in self.columns:
            text_or_messages(self, schema, name)
        return {
            f"{self.prefix}{kind}": pl.map_batches(
                self.columns, partial(self._count, kind), return_dtype=pl.Int64
            )
            for kind in self._ordered()
        }

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            name: pl.map_batches(
                [*self.columns, *self._counts()],
                partial(self._redacted, name),
                return_dtype=schema[name],
            )
            for name in self.columns
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.max_found is None:
            return []
        return [Rule("pii", self._found() <= self.max_found, self._found(), f"<= {self.max_found}")]

    def _ordered(self) -> Sequence[str]:
        """The kinds, in the order in which they are looked for."""
        raise NotImplementedError

    def _rows_of(self, texts: pl.DataFrame, kind: str) -> pl.Series:
        """The row of each value of a kind in texts, as often as there are values."""
        raise NotImplementedError

    def _replaced(self, texts: pl.DataFrame, kind: str) -> pl.DataFrame:
        """`texts` with the values of a kind replaced."""
        raise NotImplementedError

    def _allowed(self, value: pl.Expr) -> pl.Expr:
        """Whether a value stays."""
        if not self.allow:
            return pl.lit(False)
        return value.str.contains(f"^(?:{'|'.join(f'(?:{each})' for each in self.allow)})$")

    def _counts(self) -> list[str]:
        """The annotations, in the order of the kinds."""
        return [f"{self.prefix}{kind}" for kind in self._ordered()]

    def _found(self) -> pl.Expr:
        return pl.sum_horizontal(self._counts())

    def _count(self, kind: str, columns: Sequence[pl.Series]) -> pl.Series:
        """How many values of a kind are in each row."""
        rows = pl.DataFrame(columns).with_row_index(ROW)
        values = self._rows_of(_texts(rows, self.columns), kind).to_frame(ROW)
        if values.is_empty():
            return pl.Series(kind, [0], pl.Int64).new_from_index(0, rows.height)
        found = rows.select(ROW).join(
            values.group_by(ROW).len("found"), on=ROW, how="left", maintain_order="left"
        )
        return found["found"].fill_null(0).cast(pl.Int64)

    def _redacted(self, column: str, columns: Sequence[pl.Series]) -> pl.Series:
        """A column without the values that were counted."""
        rows = pl.DataFrame(columns).with_row_index(ROW)
        hit = rows.filter(self._found() > 0)
        texts = _texts(hit, self.columns)
        for kind, count in zip(self._ordered(), self._counts(), strict=True):
            holding = texts[ROW].is_in(hit.filter(pl.col(count) > 0)[ROW].implode())
            done = self._replaced(texts.filter(holding), kind)
            texts = pl.concat([done, texts.filter(~holding)]).sort("place")
        new = texts.filter(column=self.columns.index(column))["text"]
        if rows.schema[column] == pl.String:
            edited = hit.select(ROW, new.alias("edited"))
        else:
            message = pl.col(column)
            with_content = message.struct.with_fields(pl.lit(new).alias("content"))
            edited = (
                hit.select(ROW, column)
                .filter(message.list.len() > 0)
                .explode(column)
                .select(ROW, pl.when(message.is_not_null()).then(with_content).alias("edited"))
                .group_by(ROW, maintain_order=True)
                .all()
            )
        joined = rows.join(edited, on=ROW, how="left", maintain_order="left")
        return joined.select(pl.coalesce("edited", column))["edited"]


def _texts(rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    """All texts and contents of messages one below the other: row, number of the column, place."""
    content = pl.element().struct.field("content")
    parts = []
    for number, name in enumerate(columns):
        part = rows.select(ROW, pl.lit(number).alias("column"), pl.col(name).alias("text"))
        if part.schema["text"] != pl.String:
            part = part.filter(pl.col("text").list.len() > 0)
            part = part.with_columns(pl.col("text").list.eval(content)).explode("text")
        parts.append(part)
    return pl.concat(parts).with_row_index("place")
