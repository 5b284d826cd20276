"""Columns that a snapshot can hold, and what to do about those that it cannot."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from dagster_project.engine.plan import RunStopped
from dagster_project.operators.base import SYSTEM_PREFIX

UNITS = {"ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}


def require_own_names(source: str, schema: Mapping[str, pl.DataType]) -> None:
    """Refuse an input's columns whose names the engine would take for its own.

    Raises:
        RunStopped: naming input and column.
    """
    for name in schema:
        if name.startswith(SYSTEM_PREFIX):
            raise RunStopped(
                f"input {source}: column {name!r}: names that begin with {SYSTEM_PREFIX!r} are the "
                "engine's own, and the column would be lost; rename it where the rows come from"
            )


def require_publishable(
    version: object,
    data: Mapping[str, pl.DataType],
    measured: Mapping[str, pl.DataType],
    *,
    has_rows: bool,
) -> None:
    """Refuse columns that a snapshot cannot hold.

    Args:
        version: what is built.
        data: the columns of its rows.
        measured: its annotations.
        has_rows: whether its inputs have any.

    Raises:
        RunStopped: where no column is left, or naming a column without a name, a name that is
            taken, or durations, and what to do about it.
    """
    if has_rows and not data:
        raise RunStopped(
            f"{version}: its rows have no columns, so that there is nothing to publish"
        )
    if "row_id" in data:
        raise RunStopped(
            f"{version}: `row_id` is the name of the snapshot's own row number; rename that "
            "column with `map_columns`, or leave it out of a query: `SELECT * EXCLUDE (row_id)`"
        )
    for columns in (data, measured):
        folded: dict[str, str] = {}
        for name, kind in columns.items():
            if not name or "\0" in name:
                raise RunStopped(f"{version}: a column is called {name!r}; give it a name")
            if (other := folded.setdefault(name.casefold(), name)) != name:
                raise RunStopped(
                    f"{version}: the columns {other!r} and {name!r} differ only in upper and lower "
                    "case, which a table cannot tell apart; rename one with `map_columns`"
                )
            if unit := _duration(kind):
                raise RunStopped(
                    f"{version}: column {name!r} holds durations, which a snapshot cannot hold. "
                    + _instead(name, kind, unit)
                )


def _instead(name: str, kind: pl.DataType, unit: str) -> str:
    if kind.is_nested():
        return f"Leave it out: `map_columns: {{drop: [{name}]}}`"
    return (
        f"`map_columns: {{cast: {{{name}: text}}}}` writes them as in P1DT2H; for a number of "
        f"{UNITS[unit]}, `map_columns: {{add: {{{name}: 'CAST(\"{name}\" AS BIGINT)'}}}}`"
    )


def _duration(kind: Any) -> str | None:
    """The unit of the durations in a type or below it; None if there are none."""
    if isinstance(kind, pl.Duration):
        return kind.time_unit
    if isinstance(kind, pl.List | pl.Array):
        return _duration(kind.inner)
    if isinstance(kind, pl.Struct):
        return next(filter(None, (_duration(field.dtype) for field in kind.fields)), None)
    return None
