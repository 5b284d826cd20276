"""What operators share that select rows inside a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import (
    Decisions,
    Metric,
    OperatorMisuse,
    RelationOperator,
    Rule,
    removed,
)
from dagster_project.operators.process.column_kinds import kind_of
from dagster_project.operators.process.measure_length import Tokenizer, length

NOT_SELECTED, OVER_BUDGET, NOT_MEASURED = "not_selected", "over_budget", "not_measured"
SCORE, RANK = "selection_score", "selection_rank"


class _SelectsRows(RelationOperator):
    """Selects rows by a score, the highest first, until a budget is spent.

    Rows with equal scores are taken in their order. The first row that does not fit any more ends the
    selection, so that a row is never taken before one with a higher score; only a row that alone is more
    than the whole budget is passed over.
    """

    rule_names = (NOT_SELECTED, OVER_BUDGET, NOT_MEASURED)
    libraries: ClassVar[tuple[str, ...]] = ("quicktok-v1",)
    needs_budget: ClassVar[bool] = True

    rows: int | None = Field(default=None, gt=0, description="Budget: how many rows, at most.")
    tokens: int | None = Field(
        default=None,
        gt=0,
        description="Budget: how many tokens, at most, counted as by `measure_length`.",
    )
    fraction: float | None = Field(
        default=None, gt=0, le=1, description="Budget: what share of the rows, rounded."
    )
    tokens_of: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="Columns whose tokens count towards `tokens`; default: all columns of text and "
        "chat messages.",
    )
    tokenizer: Tokenizer = Field(default="o200k", description="Whose tokens are counted.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @model_validator(mode="after")
    def _one_budget(self) -> Self:
        given = sum(each is not None for each in (self.rows, self.tokens, self.fraction))
        if given > 1 or (self.needs_budget and not given):
            least = "give" if self.needs_budget else "give nothing, or"
            raise ValueError(f"{least} one of `rows`, `tokens` and `fraction`")
        if self.tokens_of and self.tokens is None:
            raise ValueError("`tokens_of` says what counts towards `tokens`: give `tokens`, too")
        return self

    def runs_with(self) -> Sequence[str]:
        counts = self.tokens is not None
        return [name for name in self.libraries if counts or name != "quicktok-v1"]

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        kinds = {self.prefix + SCORE: pl.Float64(), self.prefix + RANK: pl.Int64()}
        return pl.Schema(kinds), pl.Schema()

    def _cost(self, schema: pl.Schema) -> dict[str, pl.Expr]:
        """`cost`: what each row takes of the budget."""
        if self.tokens is None:
            return {"cost": pl.lit(1, pl.Int64)}
        names = self.tokens_of or [name for name, kind in schema.items() if kind_of(kind)]
        if not names:
            raise OperatorMisuse(
                f"{self.operator_name()}: there is no column of text or chat messages whose tokens "
                "could be counted; give `rows` or `fraction` instead"
            )
        counts = [length(self, schema, name, "tokens", self.tokenizer) for name in names]
        return {"cost": pl.sum_horizontal(count.fill_null(0) for count in counts)}

    def _budget(self, rows: int) -> int | None:
        """The budget in rows or tokens, of as many rows; None for none."""
        if self.fraction is not None:
            return int(rows * self.fraction + 0.5)
        return self.rows if self.tokens is None else self.tokens

    def _selected(
        self, scored: pl.DataFrame, budgets: pl.Expr | None = None, metrics: Sequence[Metric] = ()
    ) -> Decisions:
        """Select the rows with the highest scores.

        Args:
            scored: `row`, `cost` and `score` (Float64) of rows in order; a score that is null or not a
                number leaves a row out. With a column `group`, every group has its own budget.
            budgets: of each row's group; None for `_budget` of its number of rows.
            metrics: beside those of the selection.
        """
        ranked = self._ranked(scored, budgets)
        return Decisions(
            self._gone(scored, ranked),
            annotations=self._annotations(ranked),
            metrics=[*metrics, *self._totals(ranked)],
        )

    def _ranked(self, scored: pl.DataFrame, budgets: pl.Expr | None = None) -> pl.DataFrame:
        """The rows that have a score, best first, with `group`, `rank`, `budget`, and whether each is
        `small` enough, and `kept`."""
        if "group" not in scored.columns:
            scored = scored.with_columns(group=pl.lit(0))
        if budgets is None:
            sizes = scored.group_by("group").len()
            told = [self._budget(size) for size in sizes["len"]]
            scored = scored.join(
                sizes.select("group", pl.Series("budget", told, pl.Int64)),
                on="group",
                how="left",
                nulls_equal=True,
                maintain_order="left",
            )
        else:
            scored = scored.with_columns(budget=budgets)
        ranked = scored.filter(pl.col("score").is_finite()).sort(
            "score", descending=True, maintain_order=True
        )
        alone = pl.lit(True) if self.tokens is None else pl.col("cost") <= pl.col("budget")
        ranked = ranked.with_columns(small=alone)
        small = pl.col("small")
        spent = pl.when(small).then("cost").otherwise(0).cum_sum().over("group")
        return ranked.with_columns(
            rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64).over("group"),
            kept=small & (spent <= pl.col("budget")),
        )

    def _gone(self, scored: pl.DataFrame, ranked: pl.DataFrame) -> pl.DataFrame:
        """Why the others go."""
        lowest = pl.col("score").filter("kept").min().over("group")
        of_equals = pl.when(pl.col("score") == lowest).then(pl.lit(", the first of equals"))
        threshold = pl.concat_str(
            pl.lit(">= "), lowest.cast(pl.String), of_equals.otherwise(pl.lit(""))
        ).fill_null("none fits")
        late = ranked.with_columns(threshold=threshold).filter(~pl.col("kept"))
        large, late = late.filter(~pl.col("small")), late.filter("small")
        unmeasured = scored.filter(~pl.col("score").is_finite().fill_null(False))
        return pl.concat(
            [
                removed(
                    late["row"], "dropped", NOT_SELECTED, measured=late["score"].cast(pl.String)
                ).with_columns(late["threshold"]),
                removed(
                    large["row"], "dropped", OVER_BUDGET, measured=large["cost"].cast(pl.String)
                ).with_columns(large.select(threshold=pl.format("<= {} tokens", "budget"))),
                removed(unmeasured["row"], "dropped", NOT_MEASURED, threshold="a score"),
            ]
        )

    def _annotations(self, ranked: pl.DataFrame) -> pl.DataFrame:
        names = {"score": self.prefix + SCORE, "rank": self.prefix + RANK}
        return ranked.select("row", "score", "rank").rename(names).sort("row")

    def _totals(self, ranked: pl.DataFrame) -> list[Metric]:
        """What was selected, and how much of the budget it is."""
        kept = ranked.filter("kept")
        totals = [Metric("rows_selected", None, kept.height)]
        if self.tokens is not None:
            totals.append(Metric("tokens_selected", None, int(kept["cost"].sum())))
        return totals


class _SelectsBest(_SelectsRows):
    """Selects by a score of each row alone, so that another number of rows can be asked about."""

    decides_by = ("rows",)

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.rows is None:
            raise OperatorMisuse("only for a budget in `rows` can another be told from the ranks")
        rank = pl.col(self.prefix + RANK)
        return [Rule(NOT_SELECTED, rank <= self.rows, rank, f"<= {self.rows}")]

    def _score(self, schema: pl.Schema) -> pl.Expr:
        """What rows are selected by, the highest first."""
        raise NotImplementedError

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"score": self._score(schema).cast(pl.Float64), **self._cost(schema)}
