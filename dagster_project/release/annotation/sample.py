"""Which rows of a version are handed to annotators, and the tasks made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.recipe.problems import no_such
from dagster_project.release.annotation.guideline import Guideline
from dagster_project.release.annotation.task import Task, TasksRefused, shown_text, task_of
from dagster_project.release.rows import ROWS, SnapshotRows
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import identifier
from dagster_project.warehouse.reading import one_of
from dagster_project.warehouse.store import Store

KEY = ("parent_input", "parent_row_id", "ordinal", "row_id")


@dataclass(frozen=True)
class Choosing:
    """How rows are chosen.

    Attributes:
        rows: how many.
        by: a column of the rows, or one that a step measured; the highest come first. Of lists of
            probabilities, the most uncertain (by entropy) come first. None chooses at random.
        lowest: the lowest come first.
        nearest: those nearest to this number come first, such as the 0.5 of a probability.
        seed: of chance.
    """

    rows: int
    by: str | None = None
    lowest: bool = False
    nearest: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Sampled:
    """Tasks, and the snapshot they are of; and what their labels cost at most, US dollars, where the
    guideline tells the price of a label."""

    snapshot: SnapshotAddress
    content_id: str
    rows: int
    tasks: list[Task]
    dollars_at_most: float | None = None


def sample_tasks(
    store: Store,
    address: SnapshotAddress,
    guideline: Guideline,
    choosing: Choosing,
    annotators_each: int = 1,
) -> Sampled:
    """Choose rows and make tasks of them. The same snapshot and choice give the same tasks.

    Raises:
        RowsRefused: when the snapshot is not published, or lacks a column that is shown.
        TasksRefused: when the column to choose by will not do.
        NotPublished, SnapshotDamaged, ManifestDamaged: when there is no snapshot to read.
    """
    with SnapshotRows(store, address) as rows:
        rows.require(guideline.asks.shown)
        content_id = rows.manifest.content_id
        chosen = _chosen(rows, choosing, content_id)
        columns = ", ".join(identifier(column) for column in guideline.asks.shown)
        found = {
            row_id: values
            for row_id, *values in rows.connection.execute(
                f"SELECT row_id, {columns} FROM {ROWS} WHERE {one_of('row_id', chosen)}"
            ).fetchall()
        }
        version = str(rows.address.version)
        tasks = [
            task_of(
                version,
                content_id,
                row_id,
                guideline.citation,
                shown_fields(guideline.asks.shown, found[row_id]),
                annotators_each,
            )
            for row_id in chosen
        ]
        price = guideline.asks.price
        paid = price.label * len(tasks) * annotators_each if price and price.label else None
        return Sampled(
            rows.address,
            content_id,
            rows.manifest.rows,
            tasks,
            None if paid is None else round(paid, 6),
        )


def shown_fields(columns: Sequence[str], values: Sequence[Any]) -> dict[str, str]:
    """What annotators see of a row, by column."""
    return {column: shown_text(value) for column, value in zip(columns, values, strict=True)}


def _chosen(rows: SnapshotRows, choosing: Choosing, content_id: str) -> list[int]:
    """Row ids, in the order in which they are handed out."""
    row_id = pl.col("row_id")
    if choosing.by is None:
        if choosing.lowest or choosing.nearest is not None:
            raise TasksRefused("--lowest and --nearest say how to choose by a column: give --by")
        found = rows.connection.sql("SELECT row_id FROM snapshot.rows ORDER BY row_id").pl()
        ids = found["row_id"].cast(pl.Int64)
        drawn = numbers(start(f"annotate {content_id}", choosing.seed), ids)
        order = pl.DataFrame({"row_id": ids, "drawn": drawn}).sort("drawn")
        return order["row_id"].head(choosing.rows).to_list()
    frame = _column(rows, choosing.by)
    ranked = (
        frame.with_columns(rank=_rank(frame.schema["value"], choosing))
        .filter(pl.col("rank").is_finite())
        .sort(pl.col("rank"), row_id, descending=[True, False])
    )
    if ranked.is_empty():
        raise TasksRefused(f"{rows.address}: column {choosing.by!r} has no number to choose by")
    return ranked["row_id"].head(choosing.rows).to_list()


def _column(rows: SnapshotRows, column: str) -> pl.DataFrame:
    """`row_id` and `value` of a column of the rows, or of one that was measured."""
    described = rows.connection.execute("DESCRIBE snapshot.scores").fetchall()
    measured = [name for name, *_ in described if name not in KEY]
    data = [name for name in rows.schema if name != "row_id"]
    if column not in (*data, *measured):
        message = no_such("column", column, [*data, *measured], f" in {rows.address}")
        raise TasksRefused(message)
    table = ROWS if column in data else "snapshot.scores"
    return rows.connection.sql(
        f"SELECT row_id, {identifier(column)} AS value FROM {table} WHERE row_id IS NOT NULL"
    ).pl()


def _rank(kind: pl.DataType, choosing: Choosing) -> pl.Expr:
    """What rows are chosen by, the highest first."""
    value = pl.col("value")
    if isinstance(kind, pl.List | pl.Array) and kind.inner.is_numeric():  # pyright: ignore
        p = pl.element().cast(pl.Float64)
        terms = pl.when(p > 0).then(-p * p.log()).otherwise(0.0)
        value = value.cast(pl.List(pl.Float64)).list.eval(terms).list.sum()
    elif kind.is_numeric() or kind == pl.Boolean:
        value = value.cast(pl.Float64)
    else:
        raise TasksRefused(
            f"column {choosing.by!r} holds {kind}; rows are chosen by numbers, or by lists of "
            "probabilities"
        )
    if choosing.nearest is not None:
        value = 0 - (value - choosing.nearest).abs()
    return 0 - value if choosing.lowest else value
