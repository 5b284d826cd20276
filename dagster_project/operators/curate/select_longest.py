"""Select the longest rows: the baseline that other selections have to beat."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Decisions, Fetch
from dagster_project.operators.curate.selection import _SelectsBest
from dagster_project.operators.process.measure_length import Unit, length


class SelectLongest(_SelectsBest):
    """Selects the longest rows, inside a budget of rows or tokens.

    It is the baseline that every other selection has to beat, beside `sample_rows`: the longest 1,000
    answers of Alpaca do as well as sets that models selected (Zhao et al. 2024, arXiv 2402.04833), and at
    a million rows hardly any method beats a random sample, while selection by length helps (Xia et al.
    2024, arXiv 2410.09335). Compare at equal tokens, not only at equal rows: a longer set is more to
    train on.

    The length of several columns is the sum of theirs, of chat messages that of their contents, as in
    `measure_length`. The highest go first, equals in their order, until the budget is spent: the first
    row that does not fit any more ends it. Dropped are the others by `not_selected`, rows of more tokens
    than the whole budget by `over_budget`, and rows in which all columns are null by `not_measured`.

    Measures `selection_score`, the length, and `selection_rank`, from 1. Metrics: `rows_selected`, and
    with `tokens` `tokens_selected`.

    Example:
        - select_longest: {columns: [answer], unit: tokens, rows: 1000}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    measured: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages."
    )
    unit: Unit = Field(default="tokens", description="What the length is counted in.")

    def runs_with(self) -> Sequence[str]:
        return self.libraries if self.unit == "tokens" else super().runs_with()

    def reads(self) -> Sequence[str]:
        return [*self.measured, *(self.tokens_of or ())]

    def _score(self, schema: pl.Schema) -> pl.Expr:
        lengths = [length(self, schema, name, self.unit, self.tokenizer) for name in self.measured]
        return pl.sum_horizontal(lengths, ignore_nulls=True) + pl.when(
            pl.any_horizontal(each.is_not_null() for each in map(pl.col, self.measured))
        ).then(0)

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        return self._selected(relation)
