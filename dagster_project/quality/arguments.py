"""Which expectations there are, and what is wrong with the arguments that one is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic import ValidationError

from dagster_project.quality.budget_kept import BudgetKept
from dagster_project.quality.contamination import Contamination
from dagster_project.quality.core_expectations import CORE, NOT_ON_DUCKDB
from dagster_project.quality.duckdb_expectations import IN_DUCKDB_SQL
from dagster_project.quality.expectation import SqlExpectation
from dagster_project.quality.generated_rows import (
    BenchmarkTaint,
    Diversity,
    GenerationDepth,
    RealRowsReplaced,
    RowsAsked,
    SliceDrift,
    SyntheticShare,
    TeacherLicence,
)
from dagster_project.quality.no_regression import NoRegression
from dagster_project.quality.phase_schema import PhaseSchema
from dagster_project.quality.pipeline_expectations import Drift, QuarantinedShare, RemovedShare
from dagster_project.quality.preference_pairs import ChosenLongerShare, PreferenceMargin
from dagster_project.quality.reasoning import ReasoningValid
from dagster_project.quality.row_expectations import ChatStructure, DuplicateShare, Sql
from dagster_project.quality.source_loss import SourceLoss
from dagster_project.quality.step_metric import StepMetric
from dagster_project.quality.tool_calls import ToolCallsValid
from dagster_project.recipe.problems import Problem, nearest

IN_SQL: dict[str, type[SqlExpectation]] = {
    "sql": Sql,
    "duplicate_share": DuplicateShare,
    "chat_structure": ChatStructure,
    "removed_share": RemovedShare,
    "quarantined_share": QuarantinedShare,
    "drift": Drift,
    "metric": StepMetric,
    "source_loss": SourceLoss,
    "contamination": Contamination,
    "rows_asked": RowsAsked,
    "synthetic_share": SyntheticShare,
    "generation_depth": GenerationDepth,
    "teacher_licence": TeacherLicence,
    "real_rows_replaced": RealRowsReplaced,
    "benchmark_taint": BenchmarkTaint,
    "slice_drift": SliceDrift,
    "diversity": Diversity,
    "budget_kept": BudgetKept,
    "no_regression": NoRegression,
    "phase_schema": PhaseSchema,
    "tool_calls_valid": ToolCallsValid,
    "reasoning_valid": ReasoningValid,
    "chosen_longer_share": ChosenLongerShare,
    "preference_margin": PreferenceMargin,
    **IN_DUCKDB_SQL,
}
"""Expectations that Seedbed measures itself. All others are Great Expectations'."""

Location = tuple[str | int, ...]


class Locate(Protocol):
    """Makes a problem at a place in a file; both YAML sources and declared versions have it."""

    def __call__(
        self, location: Location, message: str, /, *, found: Any = ..., allowed: Sequence[str] = ...
    ) -> Problem: ...


def argument_problems(
    expectation: str, arguments: Mapping[str, Any], at: Location, locate: Locate
) -> list[Problem]:
    """What is wrong with an expectation's name or arguments.

    Args:
        expectation: its name.
        arguments: what it is given.
        at: where the arguments stand.
        locate: makes problems.
    """
    if expectation in IN_SQL:
        return _of_model(IN_SQL[expectation], arguments, at, locate)
    if expectation in NOT_ON_DUCKDB:
        return [locate(at, f"{expectation}: {NOT_ON_DUCKDB[expectation]}")]
    if expectation in CORE:
        return _of_core(CORE[expectation].split(), arguments, at, locate)
    near = nearest(expectation, [*IN_SQL, *CORE])
    message = "there is no such expectation" + (f"; did you mean {near!r}?" if near else "")
    return [locate(at, message, found=expectation)]


def _of_model(
    model: type[SqlExpectation], arguments: Mapping[str, Any], at: Location, locate: Locate
) -> list[Problem]:
    try:
        model.model_validate(arguments)
    except ValidationError as error:
        problems = []
        for item in error.errors(include_url=False):
            where = tuple(part for part in item["loc"] if isinstance(part, str | int))
            message, found, allowed = item["msg"].removeprefix("Value error, "), item["input"], ()
            if item["type"] == "extra_forbidden":
                message, found, allowed = "unknown argument", where[-1], tuple(model.model_fields)
            elif item["type"] == "missing":
                message, found = "is required", None
            shown = found if isinstance(found, str | int | float | bool) else None
            problems.append(locate((*at, *where), message, found=shown, allowed=allowed))
        return problems
    return []


def _of_core(
    signature: Sequence[str], arguments: Mapping[str, Any], at: Location, locate: Locate
) -> list[Problem]:
    allowed = [argument.rstrip("*") for argument in signature]
    problems = []
    for name, value in arguments.items():
        if name in ("row_condition", "condition_parser"):
            message = "use `where: <SQL condition>` beside the expectation"
            problems.append(locate((*at, name), message))
        elif name not in allowed:
            problems.append(locate((*at, name), "unknown argument", found=name, allowed=allowed))
        elif name == "mostly" and not (isinstance(value, int | float) and 0 <= value <= 1):
            problems.append(locate((*at, name), "must be a share from 0 to 1", found=value))
        elif name in ("column", "column_A", "column_B") and not isinstance(value, str):
            problems.append(locate((*at, name), "must be a column's name", found=value))
    required = [argument.rstrip("*") for argument in signature if argument.endswith("*")]
    problems += [locate((*at, n), "is required") for n in required if n not in arguments]
    if {"min_value", "max_value"} <= set(allowed) and "partition_object" not in allowed:
        bounds = (arguments.get("min_value"), arguments.get("max_value"))
        if bounds == (None, None):
            problems.append(locate(at, "needs `min_value` or `max_value`"))
    return problems
