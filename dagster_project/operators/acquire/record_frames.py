"""Typed columns from Python records, exactly: the type of a field is the union of its values'."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl
import pyarrow as pa

from dagster_project.operators.acquire.column_types import (
    MAX_CELLS,
    MAX_FIELDS,
    text_of,
    unify,
)
from dagster_project.operators.acquire.input_error import InputError

MAX_DEPTH = 16
"""Levels of lists and objects that have columns of their own; what lies deeper becomes text."""

_INT64 = range(-(2**63), 2**63)
_SCALARS: dict[type, pl.DataType] = {
    type(None): pl.Null(),
    bool: pl.Boolean(),
    float: pl.Float64(),
    str: pl.String(),
    bytes: pl.Binary(),
    datetime.date: pl.Date(),
    datetime.time: pl.Time(),
    datetime.timedelta: pl.Duration("us"),
    decimal.Decimal: pl.String(),
}


class UnusableValue(ValueError):
    """A value that no column can hold, in plain words."""


def frame_of_records(records: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """One row per record, one column per field in the order first seen.

    Integers beyond 64 bits, decimals, objects with more than `MAX_FIELDS` fields and what is nested
    deeper than `MAX_DEPTH` become text, as does a field whose values have no common type.

    Raises:
        UnusableValue: for a value that is none of JSON's, bytes, a date, a time or a decimal.
        InputError: when the records differ so much that the frame would be mostly empty, or a
            field holds both fractions and integers that a float cannot hold.
    """
    records = list(records)
    names = dict.fromkeys(name for record in records for name in record)
    if len(names) * len(records) > MAX_CELLS:
        raise InputError(
            f"{len(records):,} rows use {len(names):,} different fields; if names of fields are "
            "values, put them in one field and declare it as `json`"
        )
    columns = [_column(name, [record.get(name) for record in records]) for name in names]
    return pl.DataFrame(columns, height=len(records))


def kind_of(value: Any, depth: int = 0) -> Any:
    """What type a value has, as something that can be counted: a scalar's Polars type, or the
    kinds inside a list or an object.

    Raises:
        UnusableValue: for a value that no column can hold.
    """
    kind = type(value)
    if kind is int:
        return pl.Int64() if value in _INT64 else pl.String()
    if kind is dict or kind is list or kind is tuple:
        if depth >= MAX_DEPTH or (kind is dict and depth and len(value) > MAX_FIELDS):
            return pl.String()
        if kind is dict:
            return (dict, *((name, kind_of(item, depth + 1)) for name, item in value.items()))
        return (list, *dict.fromkeys(kind_of(item, depth + 1) for item in value))
    if kind in _SCALARS:
        return _SCALARS[kind]
    if kind is datetime.datetime:
        return pl.Datetime("us", "UTC" if value.tzinfo else None)
    raise UnusableValue(f"a value of type {kind.__name__}")


def _column(name: str, values: list[Any]) -> pl.Series:
    dtype: pl.DataType = pl.Null()
    for kind in dict.fromkeys(map(kind_of, values)):
        dtype = unify(dtype, _type_of_kind(kind))
    ...
