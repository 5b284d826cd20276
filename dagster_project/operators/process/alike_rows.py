"""What operators share that merge rows into alike ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import Decisions, Metric, RelationOperator, removed
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.measure_length import length

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dagster_project.operators.kernels.leaders import Leaders


class _MergesAlike(RelationOperator):
    """Merges rows whose texts are alike into one of them, or into rows of references."""

    least_similarity = "threshold"
    recorded_below: ClassVar[float]
    """How far below `threshold` the similarity of pairs is that are stored, by default."""

    compared: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are compared, in columns of chat messages.",
    )
    threshold: float = Field(
        gt=0, le=1, description="Least similarity of rows that are merged, 0 to 1."
    )
    recorded_from: float | None = Field(
        default=None, gt=0, le=1, description="Least similarity of pairs that are stored."
    )
    keep: Literal["first", "last", "longest", "highest"] = Field(
        default="first",
        description="Which row stays: the `first`, the `last`, the one with most characters, or the "
        "one with the `highest` value in the column `by`; the first of equals.",
    )
    by: str | None = Field(default=None, description="The column of `keep: highest`.")
    prefer: dict[str, tuple[str, ...]] = Field(
        default={},
        max_length=1,
        description="Before `keep`: a column and its values, best first, such as "
        "`{source: [manual, forum]}`; other values come last.",
    )
    against: tuple[str, ...] = Field(
        default=(),
        description="References of the recipe, with the same columns: a row that is alike to one of "
        "theirs is merged into that.",
    )

    _compared_with: dict[str, pl.DataFrame] = PrivateAttr(default={})

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.keep == "highest") != (self.by is not None):
            raise ValueError("`keep: highest`, and only that, needs a column in `by`")
        if self.recorded_from is not None and self.recorded_from > self.threshold:
            raise ValueError("`recorded_from` is above `threshold`: merged pairs are always stored")
        return self

    def pairs_told_from(self) -> float:
        if self.recorded_from is not None:
            return self.recorded_from
        return round(max(self.threshold - self.recorded_below, 0.05), 6)

    def reads(self) -> Sequence[str]:
        return [*self.compared, *self.prefer, *([self.by] if self.by else [])]

    def references(self) -> Mapping[str, Sequence[str]]:
        return dict.fromkeys(self.against, self.compared)

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        ready._compared_with = {
            name: rows.select("row", text=self._text(rows.schema))
            for name, rows in references.items()
        }
        return ready

    def _text(self, schema: pl.Schema) -> pl.Expr:
        return compared_text(self, schema, self.compared, self.roles)

    def _others(self) -> pl.DataFrame:
        """The rows of all references: `reference`, `row` and `text`."""
        empty = pl.DataFrame(schema={"row": pl.Int64, "text": pl.String, "reference": pl.String})
        named = [
            rows.with_columns(pl.lit(name).alias("reference"))
            for name, rows in self._compared_with.items()
        ]
        return pl.concat([*named, empty])

    def _standing(self, schema: pl.Schema) -> dict[str, pl.Expr]:
        """What says which row should rather stay, for `_order`: `place` and `value`, as needed."""
        wanted = {}
        for column, values in self.prefer.items():
            places = {value: place for place, value in enumerate(values)}
            wanted["place"] = (
                pl.col(column).cast(pl.String).replace_strict(places, default=len(places))
            )
        if self.keep == "longest":
            wanted["value"] = pl.sum_horizontal(
                length(self, schema, name, "characters", "o200k") for name in self.compared
            )
        elif self.by:
            wanted["value"] = pl.col(self.by)
        return wanted

    def _order(self, rows: pl.DataFrame, others: int) -> NDArray[np.int64]:
        """Positions of the rows, and of `others` that come after them: these first, then those that
        should rather stay."""
        by, descending = [], []
        if self.prefer:
            by.append("place")
            descending.append(False)
        if self.keep in ("longest", "highest"):
            by.append("value")
            descending.append(True)
        numbered = rows.with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64))
        ordered = numbered.sort(
            [*by, "position"],
            descending=[*descending, self.keep == "last"],
            nulls_last=True,
        )
        fixed = pl.int_range(rows.height, rows.height + others, dtype=pl.Int64, eager=True)
        return pl.concat([fixed, ordered["position"]]).to_numpy()

    def _merged(
        self, rows: pl.Series, others: pl.DataFrame, leaders: Leaders, metrics: Sequence[Metric]
    ) -> Decisions:
        """The decisions that follow from who leads whom.

        Args:
            rows: their numbers, by position.
            others: `reference` and `row` of those of references, at the positions after them.
            leaders: by position.
            metrics: of the whole.
        """
        who = pl.concat(
            [
                rows.to_frame("other").with_columns(pl.lit(None, pl.String).alias("reference")),
                others.select(pl.col("row").cast(pl.UInt64).alias("other"), "reference"),
            ]
        )

        def named(row: NDArray[np.int64], other: NDArray[np.int64], similarity) -> pl.DataFrame:
            alike = pl.DataFrame({"row": rows.gather(row), "similarity": similarity.round(6)})
            return alike.hstack(who[other])

        merged = (leaders.leader >= 0).nonzero()[0]
        gone = named(merged, leaders.leader[merged], leaders.similarity[merged])
        (rule,) = self.rule_names
        return Decisions(
            removed(
                gone["row"],
                "merged",
                rule,
                measured=gone["similarity"].cast(pl.String),
                threshold=f"< {self.threshold:g}",
                survivor=gone["other"],
                similarity=gone["similarity"],
                reference=gone["reference"],
            ),
            pairs=named(leaders.pairs[:, 0], leaders.pairs[:, 1], leaders.similarities),
            metrics=metrics,
        )
