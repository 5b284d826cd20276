"""What operators share that select so many rows of each value of some columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from dagster_project.operators.base import Decisions, Metric, OperatorMisuse, removed
from dagster_project.operators.curate.selection import _SelectsRows
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.operators.process.column_kinds import column_type, misuse
from dagster_project.recipe.problems import nearest

NO_SHARE = "no_share"
MOST_TOLD = 100
"""Strata of which metrics are told; the largest."""


class _SelectsByShares(_SelectsRows):
    """Selects so many rows of each stratum, at random or the best of each."""

    rule_names = (*_SelectsRows.rule_names, NO_SHARE)
    needs_budget = False

    when_short: Literal["redistribute", "leave"] = Field(
        default="redistribute",
        description="What becomes of the room of a value that has too few rows: it goes to the others, "
        "in proportion to their shares, or is left, so that fewer are selected.",
    )
    highest: str | None = Field(
        default=None,
        description="A numeric column of which each value keeps its highest; default: at random.",
    )
    seed: int = Field(default=0, ge=0, lt=2**64, description="Another seed, other random rows.")

    def _stratified(self, schema: pl.Schema, by: tuple[str, ...]) -> dict[str, pl.Expr]:
        """The narrow columns that `_by_shares` needs."""
        for name in by:
            kind = column_type(self, schema, name)
            if kind.is_nested() or kind == pl.Binary:
                raise misuse(self, name, kind, "a plain value, such as a topic")
        values = [pl.col(name).cast(pl.String).fill_null("null") for name in by]
        wanted = {"group": pl.concat_str(values, separator=" / "), **self._cost(schema)}
        if self.highest:
            kind = column_type(self, schema, self.highest)
            if not kind.is_numeric():
                raise misuse(self, self.highest, kind, "numeric")
            wanted["score"] = pl.col(self.highest).cast(pl.Float64)
        return wanted

    def _scored(self, relation: pl.DataFrame) -> pl.DataFrame:
        if self.highest:
            return relation
        drawn = numbers(start(self.operator_name(), self.seed), relation["row"])
        return relation.with_columns(score=drawn.cast(pl.Float64) / 2**64)

    def _allotted(
        self, strata: pl.DataFrame, shares: NDArray[np.float64], epochs: NDArray[np.float64]
    ) -> pl.DataFrame:
        """`strata` with how much each is to give: `share`, which adds up to 1, and `allotted`, of rows or
        tokens.

        Args:
            strata: `group`, and `size`, of its rows in rows or tokens.
            shares: of each, not all 0 unless there are none.
            epochs: how many times each may be used.
        """
        shares = shares / max(shares.sum(), np.finfo(float).tiny)
        sizes = strata["size"].to_numpy()
        available = np.floor(sizes * epochs)
        total = self._budget(int(strata["rows"].sum()))
        if total is None:
            wanted = (shares > 0) & (available > 0)
            total = int(np.min(available[wanted] / shares[wanted], initial=available.sum()) + 1e-9)
        if self.when_short == "leave":
            amounts = np.minimum(total * shares, available)
        else:
            amounts = shared_out(total, shares, available)
        whole = rounded(amounts) if self.tokens is None else np.floor(amounts + 1e-9)
        return strata.with_columns(
            share=pl.Series(shares), allotted=pl.Series(whole.astype(np.int64))
        )

    def _by_shares(
        self, relation: pl.DataFrame, strata: pl.DataFrame
    ) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows, best first, with how often each is used (`repeats`), and why the others go.

        Args:
            relation: `row`, `group`, `cost` and `score`.
            strata: from `_allotted`.
        """
        size = pl.max_horizontal("size", 1)
        told = strata.select(
            "group",
            "share",
            epochs=pl.col("allotted") // size,
            rest=pl.col("allotted") % size,
        )
        scored = relation.join(told, on="group", how="left", maintain_order="left")
        absent = scored.filter(pl.col("share") == 0)
        scored = scored.filter(pl.col("share") > 0)
        ranked = self._ranked(scored, pl.col("rest"))
        ranked = ranked.with_columns(repeats=pl.col("epochs") + pl.col("kept"))
        ranked = ranked.with_columns(kept=pl.col("repeats") > 0)
        frames = [
            self._gone(scored, ranked),
            removed(
                absent["row"],
                "dropped",
                NO_SHARE,
                measured=absent["group"],
                threshold="a value with a share",
            ),
        ]
        return ranked, pl.concat(frames)

    def _strata(self, relation: pl.DataFrame) -> pl.DataFrame:
        """`group`, `rows` and `size` of each stratum, in the order of its first row. Rows without a score
        do not count."""
        usable = pl.col("score").is_finite()
        return relation.group_by("group", maintain_order=True).agg(
            rows=usable.sum().cast(pl.Int64),
            size=pl.col("cost").filter(usable).sum(),
        )

    def _given(self, strata: pl.DataFrame, given: Mapping[str, float]) -> NDArray[np.float64]:
        """Numbers that were given by value, 0 where none was.

        Raises:
            OperatorMisuse: when there is no row of a value, naming the nearest.
        """
        values = strata["group"].to_list()
        missing = [value for value in given if value not in set(values)]
        if missing and values:
            near = nearest(missing[0], values)
            raise OperatorMisuse(
                f"{self.operator_name()}: there is no row whose value is {missing[0]!r}"
                + (f"; did you mean {near!r}?" if near else "")
            )
        return np.array([given.get(value, 0.0) for value in values])

    def _decided(self, ranked: pl.DataFrame, gone: pl.DataFrame, strata: pl.DataFrame) -> Decisions:
        """The decisions, with what was planned and what came of it."""
        kept = ranked.filter("kept").with_columns(used=pl.col("repeats") * pl.col("cost"))
        used = kept.group_by("group").agg(kept=pl.len(), used=pl.col("used").sum())
        told = strata.join(used, on="group", how="left", maintain_order="left").fill_null(0)
        whole = max(int(told["used"].sum()), 1)
        metrics = self._totals(ranked)
        if told.height > MOST_TOLD:
            metrics.append(Metric("values_not_told", None, told.height - MOST_TOLD))
            told = told.sort("size", descending=True, maintain_order=True).head(MOST_TOLD)
        for line in told.iter_rows(named=True):
            metrics += [
                Metric("share_planned", line["group"], round(line["share"], 6)),
                Metric("share_realised", line["group"], round(line["used"] / whole, 6)),
                Metric("rows_selected", line["group"], line["kept"]),
                Metric("epochs_used", line["group"], round(line["used"] / max(line["size"], 1), 6)),
            ]
        return Decisions(gone, annotations=self._annotations(ranked), metrics=metrics)


def shared_out(
    total: float, shares: NDArray[np.float64], available: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A total in shares, where none gets more than there is of it: what it cannot have goes to the
    others, in proportion."""
    amounts = np.zeros(len(shares))
    open_ = shares > 0
    left = min(float(total), float(available[open_].sum()))
    while open_.any():
        offered = np.where(open_, left * shares / shares[open_].sum(), 0.0)
        full = open_ & (offered >= available)
        if not full.any():
            return amounts + offered
        amounts[full] = available[full]
        left = max(left - float(available[full].sum()), 0.0)
        open_ &= ~full
    return amounts


def rounded(amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Whole numbers with the same sum, if that is one, each less than 1 from its amount (largest
    remainder; the first of equals)."""
    whole = np.floor(amounts + 1e-9)
    left = int(np.floor(amounts.sum() + 1e-6) - whole.sum())
    whole[np.argsort(whole - amounts, kind="stable")[:left]] += 1
    return whole


def tempered(sizes: NDArray[np.float64], temperature: float) -> NDArray[np.float64]:
    """Sizes to the power of 1/temperature."""
    largest = max(sizes.max(initial=0), 1)
    return np.where(sizes > 0, (sizes / largest) ** (1 / temperature), 0.0)
