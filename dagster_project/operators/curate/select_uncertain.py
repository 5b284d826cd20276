"""Select the rows that a model is least sure of, to be labelled next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch
from dagster_project.operators.curate.selection import _SelectsBest
from dagster_project.operators.process.column_kinds import column_type, misuse

NEARLY_ONE = 0.01
"""How far from 1 the sum of probabilities may be."""


class SelectUncertain(_SelectsBest):
    """Selects the rows that a model is least sure of: what to label next (uncertainty sampling; Lewis and
    Gale 1994, Settles 2009).

    Of a number, such as a score or the probability of one label, the rows nearest to `boundary` are
    selected. Of a list of probabilities of labels, those with the highest uncertainty `by`

    | measure | what it is |
    |---|---|
    | `entropy` | −Σ p ln p |
    | `margin` | −(the highest p − the second highest) |
    | `confidence` | 1 − the highest p |

    which rank alike where there are two labels. A null, a number that is not finite, and a list that is
    empty, holds something else than numbers from 0 to 1, or does not add up to 1 (to within 0.01), say
    nothing: `not_measured`.

    What a model is unsure of may be wrong, unreadable, or like nothing else, and neighbours in a ranking
    are alike: look at them, and select among more than you can label with `select_diverse`. A set that
    was labelled so is not a sample: measure on one from `sample_rows`.

    Measures `selection_score`, the measure (of a number, minus its distance from the boundary), and
    `selection_rank`, from 1. Rules and order are as in `select_top`.

    Example:
        - select_uncertain: {column: probabilities, by: margin, rows: 500}

    Raises:
        OperatorMisuse: when the column is neither numeric nor a list of numbers, or does not fit what is
            asked.
    """

    column: str = Field(description="A numeric column, or one of lists of probabilities.")
    boundary: float | None = Field(
        default=None,
        allow_inf_nan=False,
        description="Of a number: the value at which it is decided either way, such as 0.5.",
    )
    by: Literal["entropy", "margin", "confidence"] | None = Field(
        default=None, description="Of a list of probabilities: how uncertainty is measured."
    )

    @model_validator(mode="after")
    def _one_measure(self) -> Self:
        if (self.boundary is None) == (self.by is None):
            raise ValueError("give `boundary`, for numbers, or `by`, for lists of probabilities")
        return self

    def reads(self) -> Sequence[str]:
        return [self.column, *(self.tokens_of or ())]

    def _score(self, schema: pl.Schema) -> pl.Expr:
        kind = column_type(self, schema, self.column)
        if self.boundary is not None:
            if not kind.is_numeric():
                raise misuse(self, self.column, kind, "numeric, as `boundary` is given")
            return 0 - (pl.col(self.column).cast(pl.Float64) - self.boundary).abs()
        listed = isinstance(kind, pl.List | pl.Array)
        if not (listed and kind.inner.is_numeric()):  # pyright: ignore
            raise misuse(self, self.column, kind, "a list of numbers, as `by` is given")
        shares = pl.col(self.column).cast(pl.List(pl.Float64))
        p = pl.element()
        odd = shares.list.eval(~p.is_between(0, 1) | p.is_null() | p.is_nan()).list.any()
        sound = ~odd & ((shares.list.sum() - 1).abs() <= NEARLY_ONE)
        highest = shares.list.sort(descending=True, nulls_last=True)
        if self.by == "entropy":
            terms = pl.when(p > 0).then(-p * p.log()).otherwise(0.0)
            measure = shares.list.eval(terms).list.sum()
        elif self.by == "margin":
            second = highest.list.get(1, null_on_oob=True).fill_null(0.0)
            measure = second - highest.list.get(0, null_on_oob=True)
        else:
            measure = 1 - highest.list.get(0, null_on_oob=True)
        return pl.when(sound).then(measure.round(9))

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        return self._selected(relation)
