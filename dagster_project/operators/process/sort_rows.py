"""Put rows in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, removed
from dagster_project.operators.process.column_kinds import column_type, misuse


class SortRows(RelationOperator):
    """Puts rows in the order of some columns; rows that are equal in them keep their order.

    Texts are ordered by their code points, in every locale the same.

    Example:
        - sort_rows: {by: [source, score], descending: [false, true]}

    Raises:
        OperatorMisuse: for a column of lists or objects.
    """

    by: tuple[str, ...] = Field(min_length=1, description="Columns, the most important first.")
    descending: bool | tuple[bool, ...] = Field(
        default=False, description="Largest first; for all columns, or for each its own."
    )
    nulls_last: bool = Field(default=True, description="Whether nulls come last, or first.")

    @model_validator(mode="after")
    def _one_each(self) -> Self:
        if isinstance(self.descending, tuple) and len(self.descending) != len(self.by):
            raise ValueError(f"`descending` has {len(self.descending)} values, `by` {len(self.by)}")
        return self

    def reads(self) -> Sequence[str]:
        return self.by

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        for name in self.by:
            found = column_type(self, schema, name)
            if found.is_nested():
                raise misuse(self, name, found, "text, a number, a date or a truth value")
        return {f"by_{place}": pl.col(name) for place, name in enumerate(self.by)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        descending = self.descending if isinstance(self.descending, bool) else [*self.descending]
        ordered = relation.sort(
            *relation.columns[1:],
            descending=descending,
            nulls_last=self.nulls_last,
            maintain_order=True,
        )
        return Decisions(removed([], "dropped", "none"), order=ordered["row"])
