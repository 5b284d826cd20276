"""Texts of references that a model is fitted on, and the texts that it judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from dagster_project.operators.base import Operator, OperatorMisuse
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.text_units import bounds


def reference_texts(
    operator: Operator,
    references: Mapping[str, pl.DataFrame],
    wanted: Mapping[str, Sequence[str]],
    roles: Sequence[str],
) -> pl.Series:
    """A text for each row of some references, of the columns that are wanted of each.

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """
    return pl.concat(
        references[name].select(
            compared_text(operator, references[name].schema, columns, roles).alias("text")
        )
        for name, columns in wanted.items()
    )["text"]


def no_words(operator: Operator, wanted: Mapping[str, Sequence[str]]) -> OperatorMisuse:
    """References that say nothing."""
    columns = ", ".join(f"{name}.{column}" for name, of in wanted.items() for column in of)
    return OperatorMisuse(
        f"{operator.operator_name()}: there is no word to learn from in {columns}; is it the right "
        "column, and do `roles` say something there?"
    )


def check_bounds(operator: Operator, names: str, mark_only: bool) -> None:
    """Refuse a filter that would silently keep every row, or is told to keep and not to keep them.

    Args:
        operator: with fields `min_…` and `max_…`.
        names: of these fields, for a person.
        mark_only: whether rows are to be marked only.

    Raises:
        ValueError: saying what to give.
    """
    if not mark_only and not bounds(operator):
        raise ValueError(f"give {names}, or `mark_only: true` to measure without removing rows")
    if mark_only and bounds(operator):
        raise ValueError(f"`mark_only: true` removes no row: leave out {names}, or `mark_only`")
