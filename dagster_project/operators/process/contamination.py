"""What is said of rows that hold items of evaluation sets, however they were found."""

from __future__ import annotations

import polars as pl

from dagster_project.operators.base import Decisions, Metric, OperatorMisuse, Rule, removed

MEASURED = {
    "contamination": pl.Float64(),
    "contaminated_by": pl.String(),
    "contaminated": pl.Boolean(),
}
"""Annotations of each row: the largest share of an item that it holds, which item that is, as
`reference:row`, and whether it is too large."""

RULE = "contaminated"

MATCHED_CHARACTERS = 300
"""Longest text of a match that is stored."""


def contamination_schema(prefix: str) -> pl.Schema:
    """The annotations, under a prefix."""
    return pl.Schema({prefix + name: kind for name, kind in MEASURED.items()})


def contamination_rule(prefix: str, limit: float, inclusive: bool, recorded_from: float) -> Rule:
    """What lets a row stay, from its annotations.

    Args:
        prefix: of the annotations.
        limit: share of an item above which a row goes; from which on, if `inclusive`.
        inclusive: see there.
        recorded_from: least share that is annotated.

    Raises:
        OperatorMisuse: when shares as low as the limit are not annotated.
    """
    if limit < recorded_from:
        raise OperatorMisuse(
            f"shares are stored from {recorded_from:g} on; to ask about {limit:g}, materialize with "
            f"`recorded_from: {limit:g}`"
        )
    share = pl.col(prefix + "contamination")
    keep, threshold = (share < limit, "<") if inclusive else (share <= limit, "<=")
    return Rule(RULE, keep, share, f"{threshold} {limit:g}")


def contamination_decisions(
    rows: pl.Series,
    found: pl.DataFrame,
    checked: pl.DataFrame,
    *,
    stays: str,
    remove: bool,
    prefix: str,
) -> Decisions:
    """Decide about rows.

    Args:
        rows: all of them, `row`.
        found: `row`, `reference` and `other` (the item's row there), `share`, `over` (whether it is too
            large) and `matched` (text of the row that shows it): each row and item worth telling.
        checked: `reference` and, for each of its items, whether it could be looked for (`checkable`).
        stays: what share lets a row stay, as a person would write it.
        remove: whether rows go, or are marked only.
        prefix: of the annotations.
    """
    best = (
        found.sort("share", "reference", "other", descending=[True, False, False])
        .unique("row", keep="first", maintain_order=True)
        .sort("row")
    )
    gone = best.filter("over") if remove else best.clear()
    marks = best.select(
        "row",
        pl.col("share").alias(prefix + "contamination"),
        pl.format("{}:{}", "reference", "other").alias(prefix + "contaminated_by"),
        pl.col("over").alias(prefix + "contaminated"),
    )
    annotations = (
        rows.to_frame("row")
        .join(marks, on="row", how="left", maintain_order="left")
        .with_columns(
            pl.col(prefix + "contamination").fill_null(0.0),
            pl.col(prefix + "contaminated").fill_null(False),
        )
    )
    return Decisions(
        removed(
            gone["row"],
            "dropped",
            RULE,
            measured=gone["share"].cast(pl.String),
            threshold=stays,
            survivor=gone["other"],
            similarity=gone["share"],
            reference=gone["reference"],
        ),
        annotations=annotations,
        pairs=found.rename({"share": "similarity"}),
        metrics=_metrics(found.filter("over"), checked),
    )


def _metrics(over: pl.DataFrame, checked: pl.DataFrame) -> list[Metric]:
    """Of each reference: its items, those that could not be looked for, those that were found, and the
    rows that hold them."""
    counts = (
        checked.group_by("reference", maintain_order=True)
        .agg(items=pl.len(), items_not_checked=(~pl.col("checkable")).sum())
        .join(
            over.group_by("reference").agg(
                items_found=pl.col("other").n_unique(), rows_found=pl.col("row").n_unique()
            ),
            on="reference",
            how="left",
            maintain_order="left",
        )
        .fill_null(0)
    )
    return [
        Metric(name, line["reference"], line[name])
        for line in counts.iter_rows(named=True)
        for name in ("items", "items_not_checked", "items_found", "rows_found")
    ]
