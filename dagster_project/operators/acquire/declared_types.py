"""Types that a recipe declares for fields: columns converted to them, and the rows that do not fit.

A conversion keeps the value: `"5"` and `5.0` are the int 5, `5.5` is not. In columns of text, empty
text is null for every type but `text`.

- `text`: anything; numbers, objects and lists as JSON writes them
- `int`: 64 bits; `float`: finite when read from text; both also from text
- `bool`: true and false, 1 and 0, in any case when text
- `json`: any value, as JSON text; what is text already must be valid JSON
- `list[text]`: a list, or text that is a JSON list; its items become text
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from typing import Any

import polars as pl

from dagster_project.operators.acquire.column_types import conform, text_of

TYPES: dict[str, pl.DataType] = {
    "text": pl.String(),
    "int": pl.Int64(),
    "float": pl.Float64(),
    "bool": pl.Boolean(),
    "json": pl.String(),
    "list[text]": pl.List(pl.String()),
}
"""The column type of each declared type."""


def declare(
    frame: pl.DataFrame, schema: Mapping[str, str]
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """Convert the columns of `frame` to their declared types.

    Args:
        frame: rows with the types they were found with.
        schema: declared type by field; a field that no row has becomes a column of nulls.

    Returns:
        The frame, and row number and field of every value that does not convert (null in it).
    """
    misfits: list[tuple[int, str]] = []
    for name, declared in schema.items():
        if name not in frame.columns:
            column = pl.Series(name, [None], dtype=TYPES[declared])
            frame = frame.with_columns(column.new_from_index(0, frame.height))
            continue
        found = frame[name]
        column = _CONVERSIONS[declared](found).cast(TYPES[declared]).rename(name)
        lost = found.is_not_null() & column.is_null()
        if found.dtype == pl.String:
            lost &= found.str.strip_chars() != ""
        misfits.extend((row, name) for row in lost.arg_true())
        frame = frame.with_columns(column)
    return frame, misfits


def misfit(field: str, found: Any, declared: str) -> str:
    """What is wrong with a value that does not convert."""
    shown = text_of(found) or ""
    shown = shown if len(shown) <= 60 else shown[:57] + "…"
    return f"field `{field}`: found {json_kind(found)}, {shown!r}, declared {declared}"


def json_kind(value: Any) -> str:
    """What JSON calls a value."""
    if value is None:
        return "null"
    return _JSON_KINDS.get(type(value), f"a {type(value).__name__}")


_JSON_KINDS = {
    bool: "a truth value",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "an object",
}


def blank(frame: pl.DataFrame, rows: Collection[int]) -> pl.DataFrame:
    """`frame` with null in every column of the given rows."""
    if not rows or not frame.width:
        return frame
    kept = pl.Series([True]).new_from_index(0, frame.height).scatter(list(rows), False)
    return frame.select(pl.when(kept).then(pl.all()))


def _text(column: pl.Series) -> pl.Series:
    return conform(column.to_frame(), {column.name: pl.String()}).to_series()


def _int(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        return column.str.strip_chars().cast(pl.Int64, strict=False)
    if column.dtype.is_float():
        return column.set(column != column.floor(), None).cast(pl.Int64, strict=False)
    return column.cast(pl.Int64, strict=False) if column.dtype.is_integer() else _none(column)


def _float(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
        return numbers.set(~numbers.is_finite(), None)
    return column.cast(pl.Float64) if column.dtype.is_numeric() else _none(column)


def _bool(column: pl.Series) -> pl.Series:
    if column.dtype == pl.Boolean:
        return column
    if column.dtype != pl.String and not column.dtype.is_integer():
        return _none(column)
    words = column.cast(pl.String).str.strip_chars().str.to_lowercase()
    meanings = {"true": True, "1": True, "false": False, "0": False}
    return words.replace_strict(meanings, default=None, return_dtype=pl.Boolean)


def _json(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        valid = [text if _json_value(text) is not _INVALID else None for text in column]
        return pl.Series(valid, dtype=pl.String)
    texts = [
        None
        if value is None
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text_of)
        for value in column.to_list()
    ]
    return pl.Series(texts, dtype=pl.String)


def _list_of_text(column: pl.Series) -> pl.Series:
    if column.dtype == pl.String:
        values = [_json_value(text) for text in column]
        lists = [
            [text_of(item) for item in value] if isinstance(value, list) else None
            for value in values
        ]
        return pl.Series(lists, dtype=pl.List(pl.String))
    if not isinstance(column.dtype, pl.List | pl.Array):
        return _none(column)
    return conform(column.to_frame(), {column.name: pl.List(pl.String())}).to_series()


def _none(column: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=pl.Null).new_from_index(0, len(column))


_INVALID = object()


def _json_value(text: str | None) -> Any:
    try:
        return None if text is None else json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return _INVALID


def _refuse(constant: str) -> None:
    raise ValueError(constant)


_CONVERSIONS: dict[str, Callable[[pl.Series], pl.Series]] = {
    "text": _text,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "json": _json,
    "list[text]": _list_of_text,
}
