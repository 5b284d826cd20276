"""Make preference pairs of scored answers to the same prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Metric,
    OperatorMisuse,
    RelationOperator,
    removed,
)
from dagster_project.operators.process.column_kinds import (
    column_type,
    misuse,
    require_new,
    text_or_messages,
)
from dagster_project.operators.process.content_hashes import HASHES, Normalize, content_hashes

ADDED = ("chosen", "rejected", "score_chosen", "score_rejected", "margin")

CANNOT_PAIR = "cannot_pair"
NO_OTHER_ANSWER = "no_other_answer"
SMALL_MARGIN = "small_margin"
REJECTED = "rejected"
NOT_PAIRED = "not_paired"


class ToPreferencePairs(RelationOperator):
    """Makes preference pairs of scored answers to the same prompt: one pair for each prompt.

    Rows whose `prompt` is the same are answers to one prompt. The best of them is the row that stays,
    and gains `chosen` (its answer), `rejected` (that of another row), `score_chosen`, `score_rejected`
    and `margin`, how much better it is. The other row is merged into it, so that a pair names both of
    the rows it is made of. Against which one `against` says: the `worst`, for the clearest choice, or
    the `next` best that is worse, for the hardest. Equals count in the order of the rows; an answer that
    is the same as the best is no other answer.

    | rule | a row |
    |---|---|
    | `cannot_pair` | has no prompt, no answer, or a score that is null, NaN or infinite; dropped |
    | `no_other_answer` | of a prompt without two answers that differ in text and score; dropped |
    | `small_margin` | of a prompt whose pair would have a margin below `min_margin`; dropped |
    | `rejected` | is the rejected answer; merged into the chosen one |
    | `not_paired` | is a further answer to a prompt that has its pair; dropped |

    The metric `pairs` counts them. Columns of the answer and its score stay; leave them out with
    `map_columns`.

    Example:
        - to_preference_pairs: {prompt: prompt, answer: answer, score: rank, lowest: true}

    Raises:
        OperatorMisuse: when answers are neither text nor chat messages, scores are not numbers, or there
            is a column of one of the new names already.
    """

    rule_names: ClassVar[tuple[str, ...]] = (
        *(CANNOT_PAIR, NO_OTHER_ANSWER, SMALL_MARGIN),
        *(REJECTED, NOT_PAIRED),
    )

    prompt: str = Field(default="prompt", description="A column of texts or chat messages.")
    answer: str = Field(default="answer", description="A column of texts or chat messages.")
    score: str = Field(default="score", description="A numeric column, measured or data.")
    lowest: bool = Field(
        default=False, description="Whether the lowest is the best, as of ranks from 0."
    )
    against: Literal["worst", "next"] = Field(
        default="worst", description="Which answer is the rejected one."
    )
    min_margin: float = Field(
        default=0.0, ge=0, description="Least difference of the scores, in their unit."
    )
    normalize: Normalize = Field(
        default="whitespace_case", description="What makes no difference to prompts and answers."
    )

    def reads(self) -> Sequence[str]:
        return [self.prompt, self.answer, self.score]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        self._checked(schema)
        answer = content_hashes(self, schema, [self.answer], self.normalize)[HASHES[0]]
        return {
            **content_hashes(self, schema, [self.prompt], self.normalize),
            "answer": answer,
            "score": pl.col(self.score).cast(pl.Float64),
        }

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        said = self._checked(schema)
        numbers = dict.fromkeys(ADDED[2:], pl.Float64())
        return pl.Schema(), pl.Schema({"chosen": said, "rejected": said, **numbers})

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        usable = pl.col("score").is_finite().fill_null(False) & pl.col("answer").is_not_null()
        usable &= pl.col(HASHES[0]).is_not_null()
        answers = relation.filter(usable).sort(
            ["score", "row"], descending=[not self.lowest, False]
        )
        best = answers.unique(list(HASHES), keep="first", maintain_order=True)
        best = best.select(*HASHES, chosen="row", best_answer="answer", score_chosen="score")
        others = answers.join(best, on=list(HASHES), maintain_order="left").filter(
            pl.col("answer") != pl.col("best_answer"), pl.col("score") != pl.col("score_chosen")
        )
        if self.against == "worst":  # of equals the first
            others = others.sort(["score", "row"], descending=[self.lowest, False])
        pairs = others.unique(list(HASHES), keep="first", maintain_order=True).select(
            *(*HASHES, "chosen", "score_chosen"),
            rejected="row",
            score_rejected="score",
            margin=(pl.col("score_chosen") - pl.col("score")).abs(),
        )
        told = relation.select("row", *HASHES, "score").join(
            pairs, on=list(HASHES), how="left", maintain_order="left"
        )
        gone = self._gone(told.with_columns(usable=relation.select(usable).to_series()))
        pairs = pairs.filter(pl.col("margin") >= self.min_margin).sort("chosen")
        return Decisions(
            gone,
            columns=self._columns(pairs, fetch),
            metrics=[Metric("pairs", None, float(pairs.height))],
        )

    def _gone(self, told: pl.DataFrame) -> pl.DataFrame:
        """The rows that do not stay, each by the first rule that it breaks."""
        row, margin = pl.col("row"), pl.col("margin")
        rule = (
            pl.when(~pl.col("usable"))
            .then(pl.lit(CANNOT_PAIR))
            .when(margin.is_null())
            .then(pl.lit(NO_OTHER_ANSWER))
            .when(margin < self.min_margin)
            .then(pl.lit(SMALL_MARGIN))
            .when(row == pl.col("rejected"))
            .then(pl.lit(REJECTED))
            .when(row != pl.col("chosen"))
            .then(pl.lit(NOT_PAIRED))
        )
        measured = pl.when(pl.col("rule") == SMALL_MARGIN).then(margin).otherwise(pl.col("score"))
        gone = told.with_columns(rule=rule).with_columns(measured=measured.cast(pl.String))
        thresholds = {
            CANNOT_PAIR: "a prompt, an answer and a score",
            NO_OTHER_ANSWER: "another answer with another score",
            SMALL_MARGIN: f">= {self.min_margin:g}",
            REJECTED: "the best score",
            NOT_PAIRED: f"the best or the {self.against} score",
        }
        parts = []
        for name in self.rule_names:
            rows = gone.filter(pl.col("rule") == name)
            merged = name == REJECTED
            parts.append(
                removed(
                    rows["row"],
                    "merged" if merged else "dropped",
                    name,
                    measured=rows["measured"],
                    threshold=thresholds[name],
                    survivor=rows["chosen"] if merged else None,
                )
            )
        return pl.concat(parts)

    def _columns(self, pairs: pl.DataFrame, fetch: Fetch) -> pl.DataFrame:
        """The new columns of the rows that stay."""

        def said(rows: pl.Series, name: str) -> pl.DataFrame:
            rows = rows.unique().sort()
            return fetch(rows, lambda _: {name: pl.col(self.answer)}).rename({"row": f"{name}_row"})

        chosen, rejected = said(pairs["chosen"], "chosen"), said(pairs["rejected"], "rejected")
        rows = pairs.rename({"chosen": "chosen_row", "rejected": "rejected_row"})
        for texts, key in ((chosen, "chosen_row"), (rejected, "rejected_row")):
            rows = rows.join(texts, on=key, how="left", maintain_order="left")
        return rows.select(pl.col("chosen_row").alias("row"), *ADDED)

    def _checked(self, schema: pl.Schema) -> pl.DataType:
        """The type of answers."""
        column_type(self, schema, self.prompt)
        text_or_messages(self, schema, self.answer)
        kind = column_type(self, schema, self.score)
        if not kind.is_numeric():
            raise misuse(self, self.score, kind, "numeric")
        for name in ADDED:
            if name in (self.prompt, self.answer, self.score):
                raise OperatorMisuse(
                    f"{self.operator_name()}: column {name!r} gets a new meaning here; rename it first "
                    "with `map_columns`"
                )
            require_new(self, schema, name, "map_columns")
        return schema[self.answer]
