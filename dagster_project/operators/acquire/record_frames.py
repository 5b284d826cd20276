"""Typed columns from Python records, exactly: the type of a field is the union of its values'."""

from __future__ import annotations

import datetime
import decimal
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import polars as pl
import pyarrow as pa

from dagster_project.operators.acquire.column_types import (
    MAX_FIELDS,
    arrow_type,
    check_cells,
    check_name,
    fields_of,
    inner_of,
    text_of,
    unify,
)
from dagster_project.operators.acquire.input_error import InputError

MAX_DEPTH = 16
"""Levels of lists and objects that have columns of their own; what lies deeper becomes text."""

MAX_COLUMNS = 2_048
"""Most fields that rows may have at the top level, together."""

_KINDS = {
    type(None): "null",
    bool: "bool",
    float: "float",
    str: "text",
    bytes: "binary",
    datetime.date: "date",
    datetime.time: "time",
    datetime.timedelta: "duration",
    decimal.Decimal: "decimal",
}
_TYPES: dict[str, pl.DataType] = {
    "null": pl.Null(),
    "bool": pl.Boolean(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "text": pl.String(),
    "binary": pl.Binary(),
    "date": pl.Date(),
    "time": pl.Time(),
    "duration": pl.Duration("us"),
    "datetime": pl.Datetime("us"),
    "datetime with zone": pl.Datetime("us", "UTC"),
    "decimal": pl.String(),
    "large int": pl.String(),
    "dictionary": pl.String(),
}
_PLAIN = {_TYPES[kind]: kind for kind in ("bool", "int", "float", "text")}
_BASES: tuple[type[Any], ...] = (int, float, str, bytes, dict, list, tuple)
_WRITTEN_AS_TEXT = ("decimal", "large int", "dictionary")

Kind = str | tuple
"""What type a value has: a name of `_TYPES`, `(list, *kinds of items)` or `(dict, *(field, kind))`."""


class UnusableValue(ValueError):
    """A value that no column can hold, in plain words."""


def frame_of_records(
    records: Sequence[Mapping[str, Any]],
    texts: Collection[str] = (),
    seen: Mapping[str, pl.DataType] | None = None,
) -> pl.DataFrame:
    """One row per record, one column per field in the order first seen.

    Args:
        records: the rows.
        texts: fields that become text where fractions stand beside integers that a float would
            round.
        seen: types that fields have had before; the frame's are their union with those.

    Integers beyond 64 bits, decimals, objects with more than `MAX_FIELDS` fields and what is nested
    deeper than `MAX_DEPTH` become text, as does a field whose values have no common type.

    Raises:
        UnusableValue: for a value that is neither JSON's, nor bytes, a date, a time or a decimal.
        InputError: when the records differ so much that the frame would be mostly empty, or a
            field holds both fractions and integers that a float cannot hold.
    """
    seen = seen or {}
    names = dict.fromkeys(name for record in records for name in record)
    check_columns(names)
    columns = {
        check_name(name): _column(
            name,
            [record.get(name) for record in records],
            seen.get(name, pl.Null()),
            name in texts,
        )
        for name in names
    }
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=len(records))


def check_columns(names: Collection[str]) -> None:
    """Raises InputError when rows use more than `MAX_COLUMNS` fields."""
    if len(names) > MAX_COLUMNS:
        raise InputError(
            f"the rows use more than {MAX_COLUMNS:,} different fields ({', '.join([*names][:3])}, "
            "…). If names of fields are values, put them into one field, as a list or an object"
        )


def kind_of(value: Any, depth: int = 0) -> Kind:
    """The kind of a value.

    Raises:
        UnusableValue: for a value that no column can hold.
    """
    kind = type(value)
    if kind in _KINDS:
        return _KINDS[kind]
    if kind is int:
        return "int" if -(2**63) <= value < 2**63 else "large int"
    if kind is dict or kind is list or kind is tuple:
        if depth >= MAX_DEPTH or (kind is dict and depth and len(value) > MAX_FIELDS):
            return "dictionary"
        if kind is dict:
            return (
                dict,
                *[
                    (name, _KINDS.get(type(item)) or kind_of(item, depth + 1))
                    for name, item in value.items()
                ],
            )
        return (list, *kinds_of(value, depth + 1))
    if kind is datetime.datetime:
        return "datetime with zone" if value.tzinfo else "datetime"
    for base in _BASES:
        if isinstance(value, base):
            return kind_of(base(value), depth)
    raise UnusableValue(
        f"a value of type {kind.__module__}.{kind.__qualname__}; give text, numbers, lists, dicts, "
        "bytes, dates (NumPy values: `.item()` or `.tolist()`)"
    )


def kinds_of(values: Sequence[Any], depth: int = 0) -> list[Kind]:
    """The kinds of values, each once; many values of one simple type take no loop in Python."""
    types = dict.fromkeys(map(type, values))
    if types.keys() <= _KINDS.keys():
        return [_KINDS[kind] for kind in types]
    if types.keys() == {int} and min(values) >= -(2**63) and max(values) < 2**63:
        return ["int"]
    return list(dict.fromkeys(kind_of(value, depth) for value in values))


def _column(name: str, values: list[Any], dtype: pl.DataType, may_be_text: bool) -> pl.Series:
    kinds = kinds_of(values)
    for kind in kinds:
        dtype = dtype if isinstance(dtype, pl.String) else unify(dtype, _type_of(kind))
    if not all(_is_held_as_is(kind, dtype) for kind in kinds):
        values = [_fit(value, dtype) for value in values]
    _check_room(values, dtype)
    try:
        if dtype in _PLAIN and {*kinds, "null"} == {_PLAIN[dtype], "null"}:
            return pl.Series(name, values, dtype=dtype)  # Arrow would import pandas to look at them
        array = pa.array(values, arrow_type(dtype))
    except pa.ArrowInvalid as error:
        if may_be_text:
            return pl.Series(name, [text_of(value) for value in values], dtype=pl.String)
        raise InputError(
            f"field `{name}` has a value that {dtype} does not hold exactly ({error}). Declare its "
            "type: `text` keeps every digit, `float` rounds"
        ) from error
    except UnicodeEncodeError as error:
        raise UnusableValue(f"text with half a surrogate pair in field `{name}`") from error
    return pl.Series(name, pl.from_arrow(array), dtype=dtype)


def _check_room(values: Iterable[Any], dtype: pl.DataType) -> None:
    """Raises InputError when objects in `values` would have too many fields that they lack."""
    if not dtype.is_nested():
        return
    values = [value for value in values if value is not None]
    if isinstance(dtype, pl.List):
        _check_room(chain.from_iterable(values), inner_of(dtype))
    elif isinstance(dtype, pl.Struct):
        fields = fields_of(dtype)
        check_cells(len(values), len(fields))
        for name, field in fields.items():
            _check_room((value.get(name) for value in values), field)


def _type_of(kind: Kind) -> pl.DataType:
    if isinstance(kind, str):
        return _TYPES[kind]
    if kind[0] is dict:
        wrong = next((name for name, _ in kind[1:] if not isinstance(name, str)), None)
        if wrong is not None:
            raise UnusableValue(f"an object with the field {wrong!r}; names must be text")
        return pl.Struct({check_name(name): _type_of(item) for name, item in kind[1:]})
    inner: pl.DataType = pl.Null()
    for item in kind[1:]:
        inner = unify(inner, _type_of(item))
    return pl.List(inner)


def _is_held_as_is(kind: Kind, dtype: pl.DataType) -> bool:
    """Whether values of `kind` go into a column of `dtype` without being written as text."""
    if isinstance(kind, str):
        as_text = kind != "text" and isinstance(dtype, pl.String)
        return kind == "null" or (not as_text and kind not in _WRITTEN_AS_TEXT)
    if kind[0] is dict and isinstance(dtype, pl.Struct):
        fields = fields_of(dtype)
        return all(_is_held_as_is(item, fields[name]) for name, item in kind[1:])
    if kind[0] is list and isinstance(dtype, pl.List):
        return all(_is_held_as_is(item, inner_of(dtype)) for item in kind[1:])
    return False


def _fit(value: Any, dtype: pl.DataType) -> Any:
    if value is None:
        return None
    if isinstance(dtype, pl.String):
        return text_of(value)
    if isinstance(dtype, pl.List):
        inner = inner_of(dtype)
        return [_fit(item, inner) for item in value]
    if isinstance(dtype, pl.Struct):
        return {name: _fit(value.get(name), field) for name, field in fields_of(dtype).items()}
    return value
