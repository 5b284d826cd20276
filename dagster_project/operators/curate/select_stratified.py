"""Select so many rows of each value of some columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch
from dagster_project.operators.curate.strata import _SelectsByShares, tempered


class SelectStratified(_SelectsByShares):
    """Selects rows of each value of one or several columns, such as topic and difficulty, inside a budget
    of rows or tokens.

    The shares are

    - `equal`: every value the same, so that rare ones are covered (the default);
    - `proportional`: as they are; with `temperature` T, p^(1/T) of the share p of each, which is between:
      1 changes nothing, higher ones help the rare (Devlin et al. 2019 take 1/0.7, Conneau and Lample 2019
      2 for languages);
    - or given by value, as weights: `{easy: 1, hard: 3}`. Values without a share are dropped, by
      `no_share`. The value of several columns is theirs joined by ` / `; null is `null`.

    Without a budget as many rows are selected as the shares allow: a value is used up then, and the
    others are in proportion. With one, a value that has too few rows leaves its room to the others
    (`when_short`). Rows of a value are taken at random by their position (SplitMix64), or the `highest`
    of a column, until its part of the budget is spent. Dropped are the others by `not_selected`, rows of
    more tokens than the whole part by `over_budget`, and, with `highest`, rows without a value by
    `not_measured`.

    Measures `selection_score`, what rows of a value are ordered by, and `selection_rank` within the
    value, from 1. Metrics, of the 100 largest values: `share_planned`, `share_realised`, `rows_selected`
    and `epochs_used`, how much of the value that is; of all, `rows_selected`, `tokens_selected` and
    `values_not_told`. Shares are of rows, or of tokens where these are the budget.

    Example:
        - select_stratified: {by: [topic, difficulty], shares: equal, rows: 5000}

    Raises:
        OperatorMisuse: when a column does not fit, or there is no row of a value that has a share.
    """

    by: tuple[str, ...] = Field(min_length=1, description="Columns of plain values.")
    shares: Literal["equal", "proportional"] | dict[str, float] = Field(
        default="equal", description="The share of each value, or its weight by value."
    )
    temperature: float = Field(
        default=1.0, ge=0.1, le=1000, description="T, with `shares: proportional`."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.temperature != 1 and self.shares != "proportional":
            raise ValueError("`temperature` goes with `shares: proportional`")
        if isinstance(self.shares, dict):
            require_weights("shares", self.shares)
        return self

    def reads(self) -> Sequence[str]:
        return [*self.by, *([self.highest] if self.highest else []), *(self.tokens_of or ())]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return self._stratified(schema, self.by)

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        scored = self._scored(relation)
        strata = self._strata(scored)
        sizes = strata["size"].to_numpy().astype(np.float64)
        if isinstance(self.shares, dict):
            shares = self._given(strata, self.shares)
        else:
            shares = tempered(sizes, self.temperature if self.shares == "proportional" else np.inf)
        strata = self._allotted(strata, shares, np.ones(len(sizes)))
        return self._decided(*self._by_shares(scored, strata), strata)


def require_weights(field: str, weights: Mapping[str, float]) -> None:
    """Refuse weights that say nothing.

    Raises:
        ValueError: naming the field.
    """
    if any(not 0 <= weight < np.inf for weight in weights.values()):
        raise ValueError(f"`{field}` must be finite and not negative")
    if not any(weights.values()):
        raise ValueError(f"one of `{field}` must be above 0")
