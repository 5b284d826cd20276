"""Measure how far a judge's grades agree with those that people gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl
from pydantic import Field

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Metric,
    RelationOperator,
    removed,
)
from dagster_project.operators.process.column_kinds import column_type, misuse
from dagster_project.operators.verify.agreement import (
    Coefficient,
    Level,
    bootstrap,
    cohen_kappa,
    krippendorff_alpha,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RULE = "canary"
GOOD, BAD = "good", "bad"


class CalibrateJudge(RelationOperator):
    """Measures how far a judge's grades agree with those that people gave; for checks, and for people.

    `gold` pairs a column of a judge's grades with a column of people's. Only rows that have both count.
    With `good_from`, a grade from which a row is good, the metrics of each pair, with the judge's
    column as their subject, are:

    | metric | is |
    |---|---|
    | `gold_rows` | rows that both graded |
    | `gold_accuracy` | share of them that both call good, or both not |
    | `gold_kappa` | Cohen's kappa of the same |
    | `gold_alpha` | Krippendorff's alpha of the grades themselves, at `level` |
    | `gold_auc` | chance that the judge grades a good row above one that is not; 0.5 is a guess |
    | `judges_alpha` | Krippendorff's alpha between the judges alone, where there are several (the \
column with `_each` that `judge_rows` brings) |

    Accuracy, kappa and both alphas come with `_low` and `_high`: 95 % of `draws` bootstrap samples of
    rows. What is not defined, such as a kappa where everything is good, is left out. Accuracy alone says
    little where most rows are good: a judge that passes everything has it too, with a kappa of 0. No
    bound is universal: 0.8 of alpha is asked for where decisions hang on it, and 0.667 is the least for
    tentative ones (Krippendorff 2004); two people seldom reach 0.8 on the quality of answers.

    **Canaries** are rows known to be good or bad, mixed in to see whether the judge notices: bad ones are
    made by degrading good ones. `canary` names a column with `good` or `bad` in it, null for all other
    rows. `canaries_bad_passed` and `canaries_good_failed` are shares of them that the judge gets wrong,
    and `canaries` how many there are. Canaries are then removed by the rule `canary`.

    Put it after `judge_rows` without `least`, and the rows to remove by a `filter_rows` after it: the
    rule would leave only rows that the judge likes.

    Example:
        - calibrate_judge: {gold: {judged_helpful: helpful_by_people}, good_from: 4}

    Raises:
        OperatorMisuse: when a column does not hold numbers, or `canary` no text.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    rule_names: ClassVar[tuple[str, ...]] = (RULE,)

    gold: dict[str, str] = Field(
        description="Columns of a judge's grades, each with the column of people's.", min_length=1
    )
    good_from: float = Field(description="The grade from which a row is good.")
    level: Level = Field(
        default="ordinal",
        description="What grades are to alpha: ordinal (ranks) or interval (equal steps), or nominal "
        "or ratio.",
    )
    canary: str | None = Field(
        default=None, description="A column with `good` or `bad` for rows mixed in."
    )
    draws: int = Field(default=1_000, ge=0, le=10_000, description="Bootstrap samples; 0 for none.")

    def reads(self) -> Sequence[str]:
        named = [*self.gold, *self.gold.values()]
        return [*dict.fromkeys(named), *([self.canary] if self.canary else [])]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        wanted: dict[str, pl.Expr] = {}
        for number, (graded, gold) in enumerate(self.gold.items()):
            for kind, column in (("graded", graded), ("gold", gold)):
                found = column_type(self, schema, column)
                if not (found.is_numeric() or found == pl.Boolean):
                    raise misuse(self, column, found, "numeric, or true and false")
                grade = pl.col(column).cast(pl.Float64)
                wanted[f"{kind}_{number}"] = pl.when(grade.is_finite()).then(grade)
            each = f"{graded}_each"
            if schema.get(each) == pl.List(pl.Int64):
                wanted[f"each_{number}"] = pl.col(each)
        wanted["canary"] = pl.lit(None, pl.String)
        if self.canary:
            found = column_type(self, schema, self.canary)
            if found != pl.String:
                raise misuse(self, self.canary, found, "text: `good`, `bad` or null")
            wanted["canary"] = pl.col(self.canary)
        return wanted

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        canary = relation["canary"].is_in([GOOD, BAD]).fill_null(False)
        rows, planted = relation.filter(~canary), relation.filter(canary)
        metrics = [
            Metric(name, graded, value)
            for number, graded in enumerate(self.gold)
            for name, value in [
                *self._of_gold(rows, number),
                *self._of_canaries(planted, number),
            ]
            if value is not None
        ]
        gone = removed(
            planted["row"],
            "dropped",
            RULE,
            measured=planted["canary"],
            threshold="no canary",
        )
        return Decisions(gone, metrics=metrics)

    def _of_gold(self, rows: pl.DataFrame, number: int) -> Iterator[tuple[str, float | None]]:
        pairs = _both(rows, number)
        good = np.where(np.isnan(pairs), np.nan, pairs >= self.good_from)
        yield "gold_rows", float(len(pairs))
        yield from self._with_interval("gold_accuracy", _accuracy, good)
        yield from self._with_interval("gold_kappa", cohen_kappa, good)
        yield from self._with_interval("gold_alpha", self._alpha, pairs)
        yield "gold_auc", _auc(pairs[:, 0], good[:, 1] > 0)
        if f"each_{number}" in rows.columns:
            judges = _matrix(rows[f"each_{number}"])
            yield from self._with_interval("judges_alpha", self._alpha, judges)

    def _of_canaries(self, planted: pl.DataFrame, number: int) -> Iterator[tuple[str, float]]:
        if not self.canary:
            return
        told = planted.select("canary", grade=f"graded_{number}").drop_nulls()
        yield "canaries", float(told.height)
        passed = pl.col("grade") >= self.good_from
        wrong = {
            "canaries_bad_passed": told.filter(canary=BAD).select(passed).to_series(),
            "canaries_good_failed": told.filter(canary=GOOD).select(~passed).to_series(),
        }
        for name, missed in wrong.items():
            if len(missed):
                yield name, float(missed.to_numpy().mean())

    def _with_interval(
        self, name: str, coefficient: Coefficient, ratings: NDArray[np.float64]
    ) -> Iterator[tuple[str, float | None]]:
        yield name, coefficient(ratings)
        bounds = bootstrap(coefficient, ratings, draws=self.draws)
        if bounds is not None:
            yield f"{name}_low", bounds.low
            yield f"{name}_high", bounds.high

    def _alpha(self, ratings: NDArray[np.float64]) -> float | None:
        return krippendorff_alpha(ratings, self.level)


def _both(rows: pl.DataFrame, number: int) -> NDArray[np.float64]:
    """The judge's grades and people's, of rows that have both."""
    pairs = rows.select(f"graded_{number}", f"gold_{number}").drop_nulls()
    return pairs.to_numpy().reshape(-1, 2)


def _matrix(lists: pl.Series) -> NDArray[np.float64]:
    """Lists as rows of a table, NaN where one is shorter."""
    lists = lists.drop_nulls()
    width = int(lists.list.len().max() or 0)  # pyright: ignore[reportArgumentType]
    padded = [lists.list.get(at, null_on_oob=True).cast(pl.Float64) for at in range(width)]
    return np.column_stack([c.to_numpy() for c in padded]) if width else np.zeros((0, 2))


def _accuracy(sides: NDArray[np.float64]) -> float | None:
    return float((sides[:, 0] == sides[:, 1]).mean()) if len(sides) else None


def _auc(grades: NDArray[np.float64], good: NDArray[np.bool_]) -> float | None:
    """The chance that a good row is graded above another, ties counting half (Mann and Whitney)."""
    above, below = int(good.sum()), int((~good).sum())
    if not above or not below:
        return None
    ranks = pl.Series(grades).rank("average").to_numpy()
    return float((ranks[good].sum() - above * (above + 1) / 2) / (above * below))
