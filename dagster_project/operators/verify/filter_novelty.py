"""Keep rows that say something new."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import (
    REMOVED_SCHEMA,
    Decisions,
    Fetch,
    RelationOperator,
    removed,
)
from dagster_project.operators.process.compared_text import compared_text

RULE = "not_novel"
SIMILARITY, NEAREST = "rouge_l", "rouge_l_of"


class FilterNovelty(RelationOperator):
    """Keeps rows that say something new: not nearly the words, in the order, of an earlier one.

    The rule of Self-Instruct (Wang et al. 2022, arXiv 2212.10560): a row goes whose ROUGE-L (the
    F-measure of the longest common subsequence of words, without stemming) with a row of `against`, or
    with an earlier row that stays, is above `most`, 0.7 as published. It goes into the row that it is
    most like, which it names, with the similarity. Rows are decided one after the other, so that rows
    that come later change nothing: right for a generated input, whose rows grow round by round.

    Every pair above the threshold is found; nothing is approximate. Words are letters and digits of any
    script, in lower case; for ASCII they are those of the package `rouge_score`, which sees no others.
    Scripts without spaces are one word a run: use `deduplicate_near` there. Rows without words stay.

    Measured: `rouge_l`, the highest similarity above `recorded_from` (null below), and `rouge_l_of`, with
    whom: a row's number, or `reference:row`.

    Example:
        - filter_novelty: {columns: [instruction], against: {seeds: [instruction]}}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    rule_names = (RULE,)
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
    recorded_from: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Similarity above which the nearest is told; default: `most`. Lower costs time.",
    )
    against: dict[str, tuple[str, ...]] = Field(
        default={},
        description="References of the recipe, and the columns of each that are compared, such as "
        "seeds, rows in use, or evaluation sets.",
    )
    within: bool = Field(default=True, description="Whether rows are compared with each other.")

    _known: pl.DataFrame | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _floor(self) -> Self:
        if self.recorded_from is not None and self.recorded_from > self.most:
            raise ValueError("`recorded_from` must not be above `most`")
        return self

    def references(self) -> Mapping[str, tuple[str, ...]]:
        return self.against

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping) -> Self:
        from dagster_project.operators.kernels.rouge_l import words

        told = [
            rows.select(
                pl.lit(name).alias("reference"),
                pl.col("row").cast(pl.UInt64),
                words(compared_text(self, rows.schema, self.against[name], self.roles)).alias(
                    "words"
                ),
            )
            for name, rows in references.items()
        ]
        ready = self.model_copy()
        ready._known = pl.concat(told) if told else None
        return ready

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        from dagster_project.operators.kernels.rouge_l import words

        return {"words": words(compared_text(self, schema, self.compared, self.roles))}

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return pl.Schema({SIMILARITY: pl.Float64(), NEAREST: pl.String()}), pl.Schema()

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.rouge_l import nearest_before

        none = pl.DataFrame(
            schema={"reference": pl.String, "row": pl.UInt64, "words": pl.List(pl.String)}
        )
        known = none if self._known is None else self._known
        own = relation.select(pl.lit(None, pl.String).alias("reference"), "row", "words")
        whole = pl.concat([known, own])
        floor = self.most if self.recorded_from is None else self.recorded_from
        found = nearest_before(whole["words"], known.height, self.most, floor, within=self.within)
        told = (
            whole.select("row")
            .with_columns(pl.Series("at", found.nearest), pl.Series(SIMILARITY, found.similarity))
            .slice(known.height)
            .filter(pl.col("at") >= 0)
        )
        other = whole[told["at"]]
        told = told.with_columns(other["reference"], other["row"].alias("survivor"))
        gone = told.filter(pl.col(SIMILARITY) > self.most)
        told = told.with_columns(
            pl.concat_str(
                pl.col("reference") + ":", pl.col("survivor").cast(pl.String), ignore_nulls=True
            ).alias(NEAREST)
        )
        frame = removed(
            gone["row"],
            "merged",
            RULE,
            measured=gone[SIMILARITY].round(4).cast(pl.String),
            threshold=f"<= {self.most:g}",
            survivor=gone["survivor"],
            similarity=gone[SIMILARITY],
            reference=gone["reference"],
        )
        return Decisions(
            frame if gone.height else pl.DataFrame(schema=REMOVED_SCHEMA),
            annotations=told.select("row", SIMILARITY, NEAREST),
        )
