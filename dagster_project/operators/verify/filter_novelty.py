"""Keep rows that say something new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, PrivateAttr

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    OperatorMisuse,
    RelationOperator,
    Rule,
    removed,
)
from dagster_project.operators.process.compared_text import compared_text

RULE = "not_novel"
SIMILARITY, NEAREST = "rouge_l", "rouge_l_of"

KNOWN_SCHEMA = pl.Schema({"reference": pl.String, "row": pl.UInt64, "words": pl.List(pl.UInt64)})
"""Rows of references: which, and their words."""


class FilterNovelty(RelationOperator):
    """Keeps rows that say something new: not nearly the words, in the order, of an earlier one.

    The rule of Self-Instruct (Wang et al. 2022, arXiv 2212.10560): a row goes whose ROUGE-L (the
    F-measure of the longest common subsequence of words, without stemming) with a row of `against`, or
    with an earlier row that stays, is above `most`, 0.7 as published. It goes into the row that it is
    most like, which it names, with the similarity. Rows are decided one after the other, so that rows
    that come later change nothing: right for a generated input, whose rows grow round by round.

    Every pair above the threshold is found; nothing is approximate. Words are those of
    `deduplicate_near`: in any script, without case and punctuation, an ideograph or kana each. In texts
    of ASCII they are those of the package `rouge_score`, which sees no other letters. Rows without words
    stay.

    Measured: `rouge_l`, the highest similarity above `recorded_from` (null below), and `rouge_l_of`, with
    whom: a row's number, or `reference:row`. These pairs stand in the snapshot's `pairs` too.

    Without `within`, what another `most` would do can be told from what was measured. With it, rows that
    stay decide what later ones are compared with, so that it takes a trial.

    Example:
        - filter_novelty: {columns: [instruction], against: {seeds: [instruction]}}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    rule_names = (RULE,)
    decides_by = ("most",)
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    compared: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are compared, in columns of chat messages.",
    )
    most: float = Field(default=0.7, gt=0, lt=1, description="Highest ROUGE-L of a row that stays.")
    recorded_from: float = Field(
        default=0.6,
        gt=0,
        lt=1,
        description="Similarity above which the nearest is told; `most`, if that is lower. The lower, "
        "the slower.",
    )
    against: dict[str, tuple[str, ...]] = Field(
        default={},
        description="References of the recipe, and the columns of each that are compared, such as "
        "seeds, rows in use, or evaluation sets.",
    )
    within: bool = Field(default=True, description="Whether rows are compared with each other.")

    _known: pl.DataFrame = PrivateAttr(default=pl.DataFrame(schema=KNOWN_SCHEMA))

    def reads(self) -> Sequence[str]:
        return self.compared

    def references(self) -> Mapping[str, tuple[str, ...]]:
        return self.against

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        ready._known = pl.concat(
            [ready._known]
            + [
                rows.select(
                    pl.lit(name).alias("reference"),
                    pl.col("row").cast(pl.UInt64),
                    self._words(rows.schema, self.against[name]).alias("words"),
                )
                for name, rows in references.items()
            ]
        )
        return ready

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"words": self._words(schema, self.compared)}

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return pl.Schema({SIMILARITY: pl.Float64(), NEAREST: pl.String()}), pl.Schema()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.within:
            raise OperatorMisuse("rows that stay decide what later ones are compared with")
        if self.most < self.recorded_from:
            raise OperatorMisuse(
                f"similarities are stored above {self.recorded_from:g}; to ask about {self.most:g}, "
                f"materialize with `recorded_from: {self.most:g}`"
            )
        measured = pl.col(SIMILARITY)
        keep = measured.is_null() | (measured <= self.most)
        return [Rule(RULE, keep, measured.round(6), f"<= {self.most:g}")]

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.rouge_l import nearest_before

        own = relation.select(pl.lit(None, pl.String).alias("reference"), "row", "words")
        texts = pl.concat([self._known, own])
        known = self._known.height
        found = nearest_before(
            texts["words"],
            known,
            self.most,
            min(self.recorded_from, self.most),
            within=self.within,
        )
        who = texts.select("reference", other="row")
        alike = (found.nearest >= 0).nonzero()[0]
        told = (
            relation.select("row")[alike - known]
            .with_columns(pl.Series("similarity", found.similarity[alike]))
            .hstack(who[found.nearest[alike]])
        )
        gone = told.filter(pl.col("similarity") > self.most)
        nearest = pl.concat_str(
            pl.col("reference") + ":", pl.col("other").cast(pl.String), ignore_nulls=True
        )
        return Decisions(
            removed(
                gone["row"],
                "merged",
                RULE,
                measured=gone["similarity"].round(6).cast(pl.String),
                threshold=f"<= {self.most:g}",
                survivor=gone["other"],
                similarity=gone["similarity"],
                reference=gone["reference"],
            ),
            annotations=told.select(
                "row", pl.col("similarity").alias(SIMILARITY), nearest.alias(NEAREST)
            ),
            pairs=told,
        )

    def _words(self, schema: pl.Schema, columns: Sequence[str]) -> pl.Expr:
        def words(texts: pl.Series) -> pl.Series:
            from dagster_project.operators.kernels.rouge_l import words

            return words(texts)

        return compared_text(self, schema, columns, self.roles).map_batches(
            words, return_dtype=pl.List(pl.UInt64), is_elementwise=True
        )
