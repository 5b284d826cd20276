"""Turn rows that are to be used several times into as many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import SplitOperator
from dagster_project.operators.process.column_kinds import column_type, misuse, require_new


class RepeatRows(SplitOperator):
    """Turns each row into as many equal rows as a column says, such as `repeats` of `mix_rows`.

    The copies are rows of their own, with the same parent; `into` numbers them from 1, so that what is
    trained on first can be told, and no two rows are equal. Rows of 0 or null go, by `no_pieces`; of less
    than 0 or more than `most`, they are quarantined. Use it last, after every step that looks for
    duplicates, and split into train and test before.

    Example:
        - repeat_rows: {column: repeats}

    Raises:
        OperatorMisuse: when the column is not of whole numbers, or there is a column `into` already.
    """

    column: str = Field(default="repeats", description="A column of whole numbers.")
    into: str = Field(default="epoch", min_length=1, description="Name of the new column.")
    most: int = Field(default=100, ge=1, le=10_000, description="Most copies of a row.")

    def reads(self) -> Sequence[str]:
        return [self.column]

    def pieces(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        kind = column_type(self, schema, self.column)
        if not kind.is_integer():
            raise misuse(self, self.column, kind, "of whole numbers")
        require_new(self, schema, self.into, "into")
        copies = pl.col(self.column).map_batches(
            self._possible, return_dtype=pl.Int64, is_elementwise=True
        )
        return {self.into: pl.int_ranges(1, copies.fill_null(0) + 1)}

    def _possible(self, counts: pl.Series) -> pl.Series:
        wrong = counts.filter(~counts.is_between(0, self.most).fill_null(True))
        if len(wrong):
            raise ValueError(
                f"{self.column} is {wrong[0]}, but must be from 0 to {self.most}; see `most`"
            )
        return counts.cast(pl.Int64)
