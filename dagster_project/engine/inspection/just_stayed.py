"""Rows of the snapshot that a rule would have removed, had its threshold been a little stricter."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dagster_project.engine.inspection.row_texts import Found
from dagster_project.engine.inspection.source_rows import SourceRows, measured_columns
from dagster_project.engine.inspection.step_operators import StepOperator
from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.warehouse.connect import identifier

BOUND = r"^(?:>=|<=|<|>|=) (-?[0-9.]+(?:e[-+]?[0-9]+)?)$"
"""Thresholds that are a number: the distance to it can be told."""

RuleKey = tuple[int, str]
"""A step's number and the name of a rule of it."""


@dataclass(frozen=True)
class AskedAgain:
    """A rule that can be asked again of rows that stayed.

    Attributes:
        rule: as its operator has it.
        bound: the number that it compares a measured value with.
        input: to whose rows alone it applies; None for all.
    """

    rule: Rule
    bound: float
    input: str | None

    @property
    def needs(self) -> set[str]:
        """The measured columns that it looks at."""
        return {*self.rule.keep.meta.root_names(), *self.rule.measured.meta.root_names()}


def rules_asked_again(
    sources: SourceRows, steps: Sequence[StepOperator], step: str | None
) -> dict[RuleKey, AskedAgain]:
    """The rules that can be asked again of the rows that stayed: they compare what was measured with
    a number.

    Args:
        sources: the snapshot and its inputs.
        steps: its steps.
        step: only rules of this one.
    """
    snapshot = sources.snapshot
    scores = measured_columns(sources.reader, snapshot)
    inputs = {k: v for number in snapshot.inputs for k, v in sources.schema(number).items()}
    schema = pl.Schema({**inputs, **sources.own_schema, **scores})
    found: dict[RuleKey, AskedAgain] = {}
    for each in steps:
        if step not in (None, each.name) or not isinstance(each.operator, RowOperator):
            continue
        try:
            rules = each.operator.rules(schema)
        except OperatorMisuse:
            continue
        for rule in rules:
            if bound := re.match(BOUND, rule.threshold):
                again = AskedAgain(rule, float(bound[1]), each.input)
                if again.needs and again.needs <= set(scores):
                    found[each.number, rule.name] = again
    return found


def just_stayed(
    sources: SourceRows, rules: Mapping[RuleKey, AskedAgain], count: int, seed: int
) -> dict[RuleKey, list[Found]]:
    """Rows of the snapshot with the measured values nearest to the threshold of each rule.

    Args:
        sources: the snapshot.
        rules: that are asked.
        count: rows for each.
        seed: of the order of those that are equally near.
    """
    if not rules:
        return {}
    snapshot = sources.snapshot
    needed = sorted({name for again in rules.values() for name in again.needs})
    rows = sources.reader.connection.sql(
        f"SELECT row_id AS __row, parent_input AS __input, {', '.join(map(identifier, needed))} "
        f"FROM {snapshot.table('scores')} WHERE row_id IS NOT NULL ORDER BY row_id"
    ).pl()
    rows = rows.with_columns(numbers(start("inspect", seed), rows["__row"]).alias("__draw"))
    own = {item.name: number for number, item in snapshot.inputs.items()}
    nearest: dict[RuleKey, list[Found]] = {}
    for (step, name), again in rules.items():
        measured = again.rule.measured
        reached = pl.lit(True) if again.input is None else pl.col("__input") == own[again.input]
        far = (measured.cast(pl.Float64, strict=False) - again.bound).abs()
        near = (
            rows.lazy()
            .filter(reached & again.rule.keep.fill_null(False))
            .select(
                "__input",
                "__row",
                measured.cast(pl.String).alias("__measured"),
                far.alias("__far"),
                "__draw",
            )
            .filter(pl.col("__far").is_finite())
            .bottom_k(count, by=["__far", "__draw"])
            .sort("__far", "__draw")
            .select("__input", "__row", "__measured")
            .collect()
        )
        nearest[step, name] = [Found(step, *row) for row in near.iter_rows()]
    return nearest
