"""What columns rows have after each step, told from the recipe before a row is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
from polars.exceptions import PolarsError

from dagster_project.engine.plan import PlannedStep, RunStopped
from dagster_project.engine.row_stage import check_reads
from dagster_project.operators.acquire.column_types import unify
from dagster_project.operators.base import (
    SYSTEM_PREFIX,
    OperatorMisuse,
    RelationOperator,
    RowOperator,
    SplitOperator,
)
from dagster_project.operators.calling import CallingOperator


def flow(
    schema: pl.Schema, annotations: frozenset[str], steps: Sequence[PlannedStep]
) -> tuple[pl.Schema, frozenset[str]]:
    """The columns after `steps`, and which of them are annotations.

    Args:
        schema: data and annotation columns before.
        annotations: names of those that are annotations.

    Raises:
        RunStopped: when a step cannot work on these columns, naming step and column.
    """
    for step in steps:
        try:
            check_reads(step.operator, schema, step)
            before = set(schema)
            schema, measured = _after(step, schema, annotations)
        except OperatorMisuse as error:
            message = str(error).removeprefix(f"{step.operator.operator_name()}: ")
            raise RunStopped(f"step {step.name}: {message}") from error
        except PolarsError as error:
            message = str(error).splitlines()[0]
            raise RunStopped(
                f"step {step.name}: {message}. Columns here: "
                + ", ".join(f"{name}: {kind}" for name, kind in schema.items())
            ) from error
        for name in set(schema) - before:
            if name.startswith(SYSTEM_PREFIX):
                raise RunStopped(
                    f"step {step.name}: {name!r}: names that begin with {SYSTEM_PREFIX!r} are the "
                    "engine's own; choose another"
                )
        clash = measured & (set(schema) - measured - annotations)
        if clash:
            raise RunStopped(
                f"step {step.name}: it measures {sorted(clash)[0]!r}, which is a data column "
                "already; rename one of them"
            )
        annotations = (annotations | measured) & frozenset(schema)
    return schema, annotations


def _after(
    step: PlannedStep, schema: pl.Schema, annotations: frozenset[str]
) -> tuple[pl.Schema, frozenset[str]]:
    operator = step.operator
    if isinstance(operator, RelationOperator):
        _resolve(schema, operator.columns(schema))
        measured, added = operator.adds(schema)
        _refuse_overwriting(step, schema, list(measured))
        return pl.Schema({**schema, **measured, **added}), frozenset(measured)
    if isinstance(operator, SplitOperator):
        listed = _resolve(schema, operator.pieces(schema))
        pieces = {}
        for name in operator.pieces(schema):
            kind = listed[name]
            if not isinstance(kind, pl.List):
                raise RunStopped(f"step {step.name}: pieces of {name!r} must be lists, not {kind}")
            pieces[name] = kind.inner
        return pl.Schema({**schema, **pieces}), frozenset()
    assert isinstance(operator, RowOperator)
    brought = operator.brings(schema) if isinstance(operator, CallingOperator) else pl.Schema()
    _refuse_overwriting(step, schema, list(brought))
    schema = pl.Schema({**schema, **brought})
    measured = operator.annotations(schema)
    _refuse_overwriting(step, schema, list(measured))
    schema = _resolve(schema, measured)
    schema = _resolve(schema, operator.edits(schema))
    out = set(operator.removes(schema)) - annotations - {*brought, *measured}
    schema = pl.Schema({name: kind for name, kind in schema.items() if name not in out})
    for rule in operator.rules(schema):
        checked = _resolve(schema, {"__keep": rule.keep, "__measured": rule.measured})
        if checked["__keep"] != pl.Boolean:
            raise RunStopped(f"step {step.name}: rule {rule.name} is not true or false")
    return schema, frozenset((*brought, *measured))


def _resolve(schema: pl.Schema, expressions: Mapping[str, pl.Expr]) -> pl.Schema:
    for name, expression in expressions.items():
        if not _looks_at_one_row(expression):
            raise OperatorMisuse(
                f"{name!r} is computed from more than its own row, so its value would depend on how "
                "rows are batched; only relation operators may look at all rows"
            )
    return pl.LazyFrame(schema=schema).with_columns(**expressions).collect_schema()


def _looks_at_one_row(expression: pl.Expr) -> bool:
    """Whether an expression gives one value for each row, from that row. Polars cannot tell for
    every expression before it sees rows; the benefit of the doubt is the operator's."""
    meta = expression.meta
    try:
        constant = not meta.root_names()
        return meta.is_literal() or (
            meta.is_row_separable() and (constant or meta.is_length_preserving())
        )
    except PolarsError:
        return True


def _refuse_overwriting(step: PlannedStep, schema: pl.Schema, measured: list[str]) -> None:
    for name in measured:
        if name in schema:
            has_prefix = "prefix" in type(step.operator).model_fields
            mend = "`prefix: second_` puts `second_` before it" if has_prefix else "rename that one"
            raise RunStopped(
                f"step {step.name}: it measures {name!r}, but there is such a column already; {mend}"
            )


def joined_schema(schemas: Mapping[str, pl.Schema]) -> pl.Schema:
    """The columns of joined inputs: all of theirs, in the order of first appearance; null where an
    input has none.

    Raises:
        RunStopped: when a column has types that cannot be joined, naming the inputs.
    """
    joined: dict[str, pl.DataType] = {}
    first: dict[str, str] = {}
    for source, schema in schemas.items():
        for name, kind in schema.items():
            if name not in joined:
                joined[name], first[name] = kind, source
                continue
            both = unify(joined[name], kind)
            if both == pl.String and pl.String not in (joined[name], kind):
                raise RunStopped(
                    f"column {name!r} is {joined[name]} in input {first[name]} but {kind} in input "
                    f"{source}; convert it in that input's own `steps`"
                )
            joined[name] = both
    return pl.Schema(joined)
