"""Keep rows that are not far out in measured values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import (
    Decisions,
    Fetch,
    Metric,
    RelationOperator,
    Rule,
    removed,
)
from dagster_project.operators.process.column_kinds import column_type, misuse

RULE = "outlier"
FEWEST = 20
"""Values of a group that is judged by itself."""

MEDIAN_DEVIATION, MEAN_DEVIATION = 1.4826, 1.2533
"""What makes a deviation of normal data its standard deviation."""


class FilterOutliers(RelationOperator):
    """Keeps rows that are not far out in numbers, such as lengths and perplexities that were measured
    before.

    How far out a value is, its robust z, is its distance from the median in units of 1.4826 times the
    median absolute deviation, which is the standard deviation where data are normal (Iglewicz and
    Hoaglin 1993, who call a value an outlier from 3.5 on). Outliers move neither. Lengths and
    perplexities have a long tail to the right, of which 3.5 takes several percent; hence the default of
    6, which takes what is far out of that tail too. Both sides count, but what cannot be negative and
    varies much is never far out to the left: give it a bound, with `filter_rows`.

    With `by`, a value is compared with those of its own group, such as its language or source, if the
    group has 20 of them, and else with all. **Give `by` where rows come from several sources**: of a
    mixture, a whole source that is not like the largest is far out.

    Where more than half of the values are equal, the median deviation is 0, and 1.2533 times the mean
    absolute deviation stands for it; where all are equal nothing is told. Null, NaN and infinite values
    are never outliers and count in nothing.

    Measures `outlier_z`, the greatest over the columns, and `outlier_column`, which that is; null where
    no column has a value to judge. Rule `outlier`, unless `remove: false`. Metrics, for each column:
    `outliers`, values beyond `max_z`; `values_missing`, null or not finite; `values_without_spread`, not
    judged because all are equal; `values_by_mean_deviation`.

    Example:
        - filter_outliers: {columns: [characters, perplexity], by: language, max_z: 8}

    Raises:
        OperatorMisuse: when a column is not numeric.
    """

    rule_names = (RULE,)
    decides_by = ("max_z",)

    measured: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Numeric columns, measured ones or data."
    )
    by: str | None = Field(
        default=None, description="Column of groups within which values are compared."
    )
    max_z: float = Field(
        default=6.0, gt=0, description="Greatest robust z, in standard deviations of normal data."
    )
    remove: bool = Field(default=True, description="Whether outliers go, or are marked.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @field_validator("measured")
    @classmethod
    def _distinct(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("a column is named twice")
        return value

    def reads(self) -> Sequence[str]:
        return [*self.measured, *([self.by] if self.by else [])]

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        wanted: dict[str, pl.Expr] = {}
        for number, name in enumerate(self.measured):
            kind = column_type(self, schema, name)
            if not kind.is_numeric():
                raise misuse(self, name, kind, "numeric")
            value = pl.col(name).cast(pl.Float64)
            wanted[_value(number)] = pl.when(value.is_finite()).then(value)
        wanted["group"] = pl.lit(None, pl.Boolean)
        if self.by:
            kind = column_type(self, schema, self.by)
            if kind.is_nested():
                raise misuse(self, self.by, kind, "a plain value, such as a language")
            wanted["group"] = pl.col(self.by)
        return wanted

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        kinds = {"outlier_z": pl.Float64, "outlier_column": pl.String}
        return pl.Schema({self.prefix + name: kind for name, kind in kinds.items()}), pl.Schema()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if not self.remove:
            return ()
        z = pl.col(f"{self.prefix}outlier_z")
        return [Rule(RULE, z.is_null() | (z <= self.max_z), z, f"<= {self.max_z:g}")]

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        judged, metrics = [], []
        for number, name in enumerate(self.measured):
            told = _robust_z(relation["row"], relation[_value(number)], relation["group"])
            counts = {
                "outliers": (told["z"] > self.max_z).sum(),
                "values_missing": told["value"].null_count(),
                "values_without_spread": (told["value"].is_not_null() & told["z"].is_null()).sum(),
                "values_by_mean_deviation": told["by_mean"].sum(),
            }
            metrics += [Metric(what, name, count) for what, count in counts.items()]
            judged.append(told.select("row", "z", pl.lit(name).alias("column")))
        worst = (
            pl.concat(judged)
            .drop_nulls("z")
            .sort("z", descending=True, maintain_order=True)
            .unique("row", keep="first", maintain_order=True)
            .sort("row")
        )
        gone = worst.filter(pl.col("z") > self.max_z) if self.remove else worst.clear()
        names = {"z": f"{self.prefix}outlier_z", "column": f"{self.prefix}outlier_column"}
        return Decisions(
            removed(
                gone["row"],
                "dropped",
                RULE,
                measured=gone["z"].cast(pl.String),
                threshold=f"<= {self.max_z:g}",
            ),
            annotations=worst.rename(names),
            metrics=metrics,
        )


def _value(number: int) -> str:
    return f"value_{number}"


def _robust_z(row: pl.Series, value: pl.Series, group: pl.Series) -> pl.DataFrame:
    """`row`, `value`, `z`, which is null for a null and where there is no spread, and `by_mean`, whether
    it was told from the mean deviation."""
    of = pl.col("value")
    distance = (of - of.median()).abs()
    median, mean = distance.median(), distance.mean()
    spread = pl.when(median > 0).then(median * MEDIAN_DEVIATION)
    spread = spread.when(mean > 0).then(mean * MEAN_DEVIATION)
    told = pl.struct(
        z=(distance / spread).fill_nan(None).round(4),
        by_mean=of.is_not_null() & (median == 0) & (mean > 0),
    )
    enough = of.count().over("group") >= FEWEST
    frame = pl.DataFrame({"row": row, "value": value, "group": group})
    chosen = pl.when(enough).then(told.over("group")).otherwise(told)
    return frame.select("row", "value", chosen.alias("told")).unnest("told")
