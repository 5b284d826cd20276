"""Assign rows to train, validation and test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Self

import numpy as np
import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    OperatorMisuse,
    RelationOperator,
    removed,
)
from dagster_project.operators.curate.splitmix64 import last_number, numbers, start
from dagster_project.operators.process.column_kinds import kind_of, require_new
from dagster_project.operators.process.content_hashes import HASHES, content_hashes


class AssignSplits(RelationOperator):
    """Assigns each row to a split, such as train, validation and test, at random.

    Rows that are equal in the columns of `group_by`, but for case and white space, stay together,
    so that nothing in a test split was trained on word by word. A row in which they are all null
    stands alone. The splits' sizes are therefore about, not exactly, their shares.

    Where a group goes is decided by the seed and the position of its first row (SplitMix64), the
    same on every machine, so that rows appended later leave it where it is.

    Example:
        - assign_splits: {splits: {train: 0.98, test: 0.02}, group_by: [question]}

    Raises:
        OperatorMisuse: when there is a column `into` already, or no column to group by.
    """

    splits: dict[str, float] = Field(
        default={"train": 0.9, "validation": 0.05, "test": 0.05},
        min_length=1,
        description="Shares by name, in any order; they add up to 1.",
    )
    group_by: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Columns in which rows are equal that stay together; default: all columns of "
        "text and chat messages.",
    )
    seed: int = Field(default=0, ge=0, lt=2**64, description="Another seed, another assignment.")
    into: str = Field(default="split", min_length=1, description="Name of the new column.")

    @model_validator(mode="after")
    def _shares(self) -> Self:
        if any(share <= 0 for share in self.splits.values()):
            raise ValueError("every share must be above 0; leave the split out otherwise")
        if abs(sum(self.splits.values()) - 1) > 1e-9:
            raise ValueError(f"the shares add up to {sum(self.splits.values()):g}, not to 1")
        return self

    def reads(self) -> Sequence[str]:
        return self.group_by or ()

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_new(self, schema, self.into, "into")
        names = self.group_by or [name for name, kind in schema.items() if kind_of(kind)]
        if not names:
            raise OperatorMisuse(
                f"{self.operator_name()}: there is no column of text or chat messages; say in "
                "`group_by` which rows stay together"
            )
        return content_hashes(self, schema, names, "whitespace_case")

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return pl.Schema(), pl.Schema({self.into: pl.String})

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        row = pl.col("row")
        alone = pl.any_horizontal(pl.col(name).is_null() for name in HASHES)
        first = relation.select(pl.when(alone).then(row).otherwise(row.first().over(HASHES)))
        shares = sorted(self.splits.items(), key=lambda split: (-split[1], split[0]))
        last = [last_number(total) for total in accumulate(share for _, share in shares)]
        last[-1] = 2**64 - 1
        place = np.searchsorted(
            np.array(last, dtype=np.uint64),
            numbers(start("assign_splits", self.seed), first["row"]),
        )
        split = pl.Series(self.into, [name for name, _ in shares]).gather(place)
        return Decisions(removed([], "dropped", "none"), columns=relation.select("row", split))
