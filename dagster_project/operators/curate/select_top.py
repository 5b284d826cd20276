"""Select the rows with the highest values of a column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Decisions, Fetch
from dagster_project.operators.curate.selection import _SelectsBest
from dagster_project.operators.process.column_kinds import column_type, misuse


class SelectTop(_SelectsBest):
    """Selects the rows with the highest values of a column, inside a budget of rows or tokens.

    The column is data or was measured by an earlier step, such as the score of a judge. With `per`, every
    value of that column (null is one) has the whole budget for itself: `rows: 100, per: topic` keeps the
    best hundred of each topic.

    The highest go first, equals in their order, until the budget is spent: the first row that does not
    fit any more ends it. Dropped are the others by `not_selected`, rows of more tokens than the whole
    budget by `over_budget`, and rows whose value is null, NaN or infinite by `not_measured`.

    The best rows are often much alike: take more than are needed, and select among them with
    `select_diverse`; its method `deita` does both at once.

    Measures `selection_score`, the value, negated if the `lowest` are wanted, and `selection_rank`, from
    1, within a group. Metrics: `rows_selected`, and with `tokens` `tokens_selected`.

    Example:
        - select_top: {column: quality, fraction: 0.1, per: source}

    Raises:
        OperatorMisuse: when the column is not numeric, or `per` is of lists or objects.
    """

    column: str = Field(description="A numeric column, measured or data.")
    lowest: bool = Field(default=False, description="Whether the lowest values are wanted.")
    per: str | None = Field(
        default=None, description="A column each of whose values has its own budget."
    )

    def reads(self) -> Sequence[str]:
        return [self.column, *([self.per] if self.per else []), *(self.tokens_of or ())]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        wanted = dict(super().columns(schema))
        if self.per:
            kind = column_type(self, schema, self.per)
            if kind.is_nested():
                raise misuse(self, self.per, kind, "a plain value, such as a topic")
            wanted["group"] = pl.col(self.per)
        return wanted

    def _score(self, schema: pl.Schema) -> pl.Expr:
        kind = column_type(self, schema, self.column)
        if not kind.is_numeric():
            raise misuse(self, self.column, kind, "numeric")
        value = pl.col(self.column).cast(pl.Float64)
        return -value if self.lowest else value

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        return self._selected(relation)
