"""One operator applied to rows by the engine, as a step of a recipe is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from dagster_project.engine.batch import CUTS, PAIRS, identified, user_schema
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import Compared, PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.row_stage import run_steps
from dagster_project.engine.schema_flow import flow
from dagster_project.operators.base import RelationOperator
from dagster_project.operators.registry import built_in_operators


@dataclass(frozen=True)
class Applied:
    """What became of rows; each is told by its position, from 0.

    Attributes:
        kept: the rows that stay, as they are then, with what was measured; their position in `at`.
        removed: `row`, `rule`, `survivor` and `similarity` of the others.
        pairs: `row`, `other` and `similarity` of those found alike.
        cuts: `row`, `start` and `length`, in bytes.
    """

    kept: pl.DataFrame
    removed: pl.DataFrame
    pairs: pl.DataFrame
    cuts: pl.DataFrame

    @property
    def gone(self) -> set[int]:
        """The rows that do not stay."""
        return set(self.removed["row"])


def apply(
    name: str,
    parameters: Mapping[str, Any],
    rows: pl.DataFrame,
    references: Mapping[str, pl.DataFrame] | None = None,
) -> Applied:
    """Apply an operator.

    Args:
        name: as in recipes.
        parameters: as in recipes.
        rows: without a column `at`.
        references: rows of the recipe's references, by name.
    """
    operator = built_in_operators()[name].model_validate(parameters)
    rows = rows.with_columns(at=pl.int_range(pl.len()))
    if references:
        numbered = {
            known: frame.select(pl.int_range(pl.len()).cast(pl.Int64).alias("row"), pl.all())
            for known, frame in references.items()
        }
        operator = operator.prepared(numbered, {})
    compared = tuple(
        Compared(known, number, "") for number, known in enumerate(references or {}, 1)
    )
    step = PlannedStep(0, name, operator, None, "", compared)
    _, annotations = flow(rows.schema, frozenset(), [step])
    batch = identified(rows, 0, 0)
    pairs, cuts = PAIRS.to_frame(), CUTS.to_frame()
    if isinstance(operator, RelationOperator):
        result = run_relation_step(
            [Chunk("rows", 0, rows.height, lambda: batch)], step, annotations
        )
        kept = pl.concat([chunk.load() for chunk in result.chunks])
        pairs, cuts = result.pairs, result.cuts
    else:
        result = run_steps(batch, [step], annotations)
        kept = result.rows
    row = pl.col("parent_row_id").alias("row")
    return Applied(
        kept.select(list(user_schema(kept.schema))).sort("at"),
        result.removed.select(
            row, "rule", pl.col("survivor_row_id").alias("survivor"), "similarity"
        ),
        pairs.select(row, pl.col("other_row_id").alias("other"), "similarity"),
        cuts.select(row, "start", "length"),
    )
