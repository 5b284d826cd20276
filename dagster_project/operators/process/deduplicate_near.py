"""Merge rows whose texts are nearly the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Literal, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import Decisions, Fetch, Metric, RelationOperator, removed
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.measure_length import length


class DeduplicateNear(RelationOperator):
    """Merges rows whose texts are nearly the same into one of them, their survivor.

    Texts are alike by the Jaccard similarity of their sets of shingles: overlapping runs of `size`
    words, without case and punctuation, in any script. Rows that may be alike are found by MinHash
    and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
    Datasets, chapter 3), with as few bands as find 98 % of the pairs just at `recorded_from`, out of
    at most 128 hashes. Then every candidate is **verified**: its true similarity is computed from the
    whole sets.

    A row is merged, by the rule `near_duplicate`, only into a row that stays and to which it is itself
    alike enough: similarity does not chain. Of a row and its survivor the similarity is stored; of all
    pairs from `recorded_from` on, in the snapshot's `pairs`.

    A text of fewer than `size` words is one shingle, and so only merged with its equals; for short
    texts take `shingles: characters`. A row without any letter or digit is never merged. Of chat
    messages, those of `roles` are compared, so that a system prompt that all rows share makes no
    duplicates. Where more than 256 rows that stay agree in a band, as texts made from one template
    do, only the first 256 of them are compared; the metric `rows_not_compared_with_all` counts the
    rows to which that happened.

    With `against`, rows are merged into rows of references too, such as those of a version that is in
    use already, and into these first; no row of a reference comes into the version.

    The defaults follow FineWeb (5 words; Penedo et al. 2024, arXiv 2406.17557) and Lee et al. 2022
    (arXiv 2107.06499: a similarity of 0.8, verified).

    Example:
        - deduplicate_near: {columns: [messages], threshold: 0.8, keep: longest}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    rule_names = ("near_duplicate",)
    least_similarity = "threshold"
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    compared: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are compared, in columns of chat messages.",
    )
    threshold: float = Field(
        default=0.8, gt=0, le=1, description="Least similarity of rows that are merged, 0 to 1."
    )
    recorded_from: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Least similarity of pairs that are stored; default: 0.1 below `threshold`.",
    )
    shingles: Literal["words", "characters"] = Field(
        default="words", description="What a shingle is made of."
    )
    size: int = Field(default=5, ge=1, le=64, description="Words or characters of a shingle.")
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
        return round(max(self.threshold - 0.1, 0.05), 6)

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

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        wanted = {"keys": self._keys(self._text(schema))}
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

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        import numpy as np

        from dagster_project.operators.kernels.leaders import buckets_of, find_leaders

        others = self._others()
        keyed = relation.filter(pl.col("keys").is_not_null())
        keys = pl.concat([keyed["keys"], others["keys"]])
        buckets = buckets_of(keys.to_numpy())
        candidates = pl.Series(np.any(buckets >= 0, axis=1))
        buckets = buckets[candidates.to_numpy()]
        keyed = keyed.filter(candidates.head(keyed.height))
        others = others.filter(candidates.tail(others.height))
        rows = keyed["row"]
        if rows.is_empty():
            return Decisions(removed([], "merged", "near_duplicate"))
        sets = pl.concat(
            [fetch(rows, self._sets)["sets"], others.select(self._set(pl.col("text")))["text"]]
        )
        ends = np.concatenate([[0], sets.list.len().cum_sum().to_numpy()]).astype(np.int64)
        leader, similarity, pairs, similarities, skipped = find_leaders(
            np.concatenate([np.arange(len(rows), len(sets)), self._order(keyed)]),
            buckets,
            sets.explode(empty_as_null=False).to_numpy(),
            ends,
            self.threshold,
            self.pairs_told_from(),
            others.height,
        )
        found = pl.DataFrame(
            {
                "row": rows.gather(pairs[:, 0]),
                "position": pairs[:, 1],
                "similarity": np.round(similarities, 6),
            }
        )
        merged = np.flatnonzero(leader >= 0)
        gone = pl.DataFrame(
            {
                "row": rows.gather(merged),
                "position": leader[merged],
                "similarity": np.round(similarity[merged], 6),
            }
        )
        who = pl.concat(
            [
                rows.to_frame("other").with_columns(pl.lit(None, pl.String).alias("reference")),
                others.select(pl.col("row").cast(pl.UInt64).alias("other"), "reference"),
            ]
        ).with_row_index("position")
        who = who.cast({"position": pl.Int64})
        gone = gone.join(who, on="position", how="left", maintain_order="left")
        return Decisions(
            removed(
                gone["row"],
                "merged",
                "near_duplicate",
                measured=gone["similarity"].cast(pl.String),
                threshold=f"< {self.threshold:g}",
                survivor=gone["other"],
                similarity=gone["similarity"],
                reference=gone["reference"],
            ),
            pairs=found.join(who, on="position", how="left", maintain_order="left"),
            metrics=[Metric("rows_not_compared_with_all", None, skipped)],
        )

    def _others(self) -> pl.DataFrame:
        """The rows of references that have something to compare: `reference`, `row`, `text`, `keys`."""
        text = pl.col("text")
        frames = [
            rows.with_columns(pl.lit(name).alias("reference"), self._keys(text).alias("keys"))
            for name, rows in self._compared_with.items()
        ]
        empty = pl.DataFrame(schema={"row": pl.Int64, "text": pl.String, "reference": pl.String})
        frames.append(empty.with_columns(self._keys(text).alias("keys")))
        return pl.concat(frames).filter(pl.col("keys").is_not_null())

    def _order(self, relation: pl.DataFrame):
        """Positions of the rows, those that should rather stay first."""
        by, descending = [], []
        if self.prefer:
            by.append("place")
            descending.append(False)
        if self.keep in ("longest", "highest"):
            by.append("value")
            descending.append(True)
        numbered = relation.with_columns(position=pl.int_range(pl.len(), dtype=pl.Int64))
        ordered = numbered.sort(
            [*by, "position"],
            descending=[*descending, self.keep == "last"],
            nulls_last=True,
        )
        return ordered["position"].to_numpy()

    def _keys(self, text: pl.Expr) -> pl.Expr:
        from dagster_project.operators.kernels.minhash import band_keys, bands_for

        bands, rows = bands_for(self.pairs_told_from())
        return text.map_batches(
            lambda texts: band_keys(texts, self.shingles, self.size, bands, rows),
            return_dtype=pl.Array(pl.UInt64, bands),
            is_elementwise=True,
        )

    def _sets(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"sets": self._set(self._text(schema))}

    def _set(self, text: pl.Expr) -> pl.Expr:
        from dagster_project.operators.kernels.minhash import shingle_sets

        return text.map_batches(
            lambda texts: shingle_sets(texts, self.shingles, self.size),
            return_dtype=pl.List(pl.UInt32),
            is_elementwise=True,
        )

    def _text(self, schema: pl.Schema) -> pl.Expr:
        return compared_text(self, schema, self.compared, self.roles)
