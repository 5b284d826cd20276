"""Lines of texts, shares and bounds of what is measured, and what is measured in one pass."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl

from dagster_project.operators.base import Operator, Rule
from dagster_project.operators.process.once import Once

LINE_ENDS = "\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
"""What ends a line in Python's `str.splitlines`; `\\r\\n` does once."""

LINE_END = f"(?:\r\n|[{LINE_ENDS}])"
INDENT = f"[^\\S{LINE_ENDS}]*"
"""White space within a line."""


def line_count(text: pl.Expr) -> pl.Expr:
    """How many lines a text has; one that is ended by nothing counts if there is anything in it."""
    unended = text.str.contains(f"[^{LINE_ENDS}]\\z")
    return text.str.count_matches(LINE_END) + unended.cast(pl.UInt32)


def lines_starting_with(text: pl.Expr, pattern: str) -> pl.Expr:
    """How many lines start with a pattern, after white space."""
    return text.str.count_matches(f"(?:\\A|[{LINE_ENDS}]){INDENT}{pattern}")


def lines_ending_with(text: pl.Expr, pattern: str) -> pl.Expr:
    """How many lines end with a pattern, before white space."""
    return text.str.count_matches(f"{pattern}{INDENT}(?:[{LINE_ENDS}]|\\z)")


def share(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    """A part of a whole; null where there is nothing to be a part of."""
    return pl.when(whole > 0).then(part / whole)


def measured_together(
    text: pl.Expr, measure: Callable[[pl.Series], pl.DataFrame], names: Sequence[str]
) -> Mapping[str, pl.Expr]:
    """An expression for each column of `measure(texts)`, which is called once for all of them.

    Args:
        text: what is measured.
        measure: gives Int64 columns, with a value for every text, null or not.
        names: of its columns.

    Returns:
        By name; null where the text is.
    """
    once = Once(measure)

    def column(name: str) -> pl.Expr:
        return text.map_batches(
            lambda texts: once(texts)[name].alias(texts.name),
            return_dtype=pl.Int64,  # not `is_elementwise`: all texts are to come at once
        )

    return {name: pl.when(text.is_not_null()).then(column(name)) for name in names}


def bounds(operator: Operator) -> list[tuple[str, str, str, float]]:
    """Field, name of the measured value, sign and bound of each rule of an operator that is on: its
    fields `min_…` and `max_…` that are not null, in order."""
    return [
        (field, field[4:], ">=" if field.startswith("min_") else "<=", bound)
        for field in type(operator).model_fields
        if field.startswith(("min_", "max_")) and (bound := getattr(operator, field)) is not None
    ]


def bound_rules(operator: Operator, prefix: str) -> list[Rule]:
    """A rule for each of `bounds`, named after the field, on the annotation `<prefix><name>`."""
    rules = []
    for field, name, sign, bound in bounds(operator):
        measured = pl.col(f"{prefix}{name}")
        keep = measured >= bound if sign == ">=" else measured <= bound
        rules.append(Rule(field, keep, measured, f"{sign} {bound:g}"))
    return rules
