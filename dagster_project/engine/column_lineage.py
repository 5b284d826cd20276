"""Which input columns each published column was computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dagster_project.engine.plan import Plan, PlannedStep
from dagster_project.engine.schema_flow import flow, joined_schema
from dagster_project.operators.base import RelationOperator, RowOperator, SplitOperator
from dagster_project.operators.calling import CallingOperator

Sources = dict[str, frozenset[tuple[str, str]]]
"""By column: the (input, column) pairs it was computed from."""


def column_lineage(plan: Plan, schemas: Mapping[str, pl.Schema]) -> dict[str, list[list[str]]]:
    """By published column: `[input, column]` pairs, sorted.

    Args:
        plan: of the version.
        schemas: columns of each input, by input name.
    """
    after: dict[str, pl.Schema] = {}
    joined: Sources = {}
    measured: frozenset[str] = frozenset()
    for name, schema in schemas.items():
        sources: Sources = {column: frozenset({(name, column)}) for column in schema}
        after[name], annotations, sources = _through(
            plan.own_steps(name), schema, frozenset(), sources
        )
        measured |= annotations
        for column, origins in sources.items():
            joined[column] = joined.get(column, frozenset()) | origins
    schema = joined_schema(after)
    for stage in plan.stages:
        schema, measured, joined = _through(stage.steps, schema, measured, joined)
    return {
        column: [list(origin) for origin in sorted(joined.get(column, ()))]
        for column in schema
        if column not in measured
    }


def _through(
    steps: Sequence[PlannedStep], schema: pl.Schema, measured: frozenset[str], sources: Sources
) -> tuple[pl.Schema, frozenset[str], Sources]:
    for step in steps:
        for expressions in _computed(step, schema):
            computed = {
                name: frozenset().union(
                    *(sources.get(root, frozenset()) for root in expression.meta.root_names())
                )
                for name, expression in expressions.items()
            }
            sources = {**sources, **computed}
        schema, measured = flow(schema, measured, [step])
        sources = {name: origins for name, origins in sources.items() if name in schema}
    return schema, measured, sources


def _computed(step: PlannedStep, schema: pl.Schema) -> list[Mapping[str, pl.Expr]]:
    """What a step computes, in turn: expressions by column."""
    operator = step.operator
    if isinstance(operator, RelationOperator):
        seen = list(operator.columns(schema).values())
        measured, added = operator.adds(schema)
        return [{name: pl.struct(seen) if seen else pl.lit(0) for name in (*measured, *added)}]
    if isinstance(operator, SplitOperator):
        return [operator.pieces(schema)]
    assert isinstance(operator, RowOperator)
    brought: Mapping[str, pl.Expr] = {}
    if isinstance(operator, CallingOperator):
        seen = [pl.col(name) for name in operator.reads()]
        brought = {name: pl.struct(seen) for name in operator.brings(schema)}
        schema = pl.Schema({**schema, **operator.brings(schema)})
    annotations = operator.annotations(schema)
    annotated = pl.LazyFrame(schema=schema).with_columns(**annotations).collect_schema()
    return [brought, annotations, operator.edits(annotated)]
