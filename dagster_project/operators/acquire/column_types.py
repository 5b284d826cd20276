"""One type for a field whose values have several: the union of schemas, and frames made to fit it.

The union keeps every value. Integers widen to wider integers and to floats, lists and objects are
joined field by field, and what has no common type becomes text: numbers and truth values as JSON
writes them, objects and lists as JSON without their null fields (a missing field and a null one are
the same thing in a table), binary as base64.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from dagster_project.operators.acquire.input_error import InputError

MAX_FIELDS = 256
"""Most fields of an object below the top level; one with more is a dictionary and becomes text."""

NO_FIELDS = "(no fields)"
"""The one field, always null, of objects without fields: Parquet has no objects without any."""

MAX_CELLS = 2**26
"""Most cells that may be added for fields which rows of one frame do not have."""

EXACT_FLOAT = 2**53
"""Integers up to this size are exact as floats."""

_SIGNED = (pl.Int8, pl.Int16, pl.Int32, pl.Int64)
_UNSIGNED = (pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64)
_FLOATS = (pl.Float32, pl.Float64)


def plain(dtype: pl.DataType) -> pl.DataType:
    """`dtype` without what only Polars has: categories are text, arrays and maps are lists,
    integers of 128 bits are text, and objects have a field, see `NO_FIELDS`."""
    if isinstance(dtype, pl.List | pl.Array):
        return pl.List(plain(inner_of(dtype)))
    if isinstance(dtype, pl.Struct):
        if len(dtype.fields) > MAX_FIELDS:
            return pl.String()
        return pl.Struct(_own_fields(dtype) or {NO_FIELDS: pl.Null()})
    if isinstance(dtype, pl.Map):
        entry = {"key": plain(_instance(dtype.key)), "value": plain(_instance(dtype.value))}
        return pl.List(pl.Struct(entry))
    if isinstance(dtype, pl.Float16):
        return pl.Float32()
    if isinstance(
        dtype, pl.Categorical | pl.Enum | pl.Int128 | pl.UInt128 | pl.Object | pl.Unknown
    ):
        return pl.String()
    return dtype


def unify(a: pl.DataType, b: pl.DataType) -> pl.DataType:
    """The narrowest type that holds the values of both.

    Associative, and commutative but for the order of an object's fields, which is that in which
    they were first seen.
    """
    a, b = plain(a), plain(b)
    if a == b or isinstance(b, pl.Null):
        return a
    if isinstance(a, pl.Null):
        return b
    if isinstance(a, pl.List) and isinstance(b, pl.List):
        return pl.List(unify(inner_of(a), inner_of(b)))
    if isinstance(a, pl.Struct) and isinstance(b, pl.Struct):
        return plain(pl.Struct(dict(unify_schemas([_own_fields(a), _own_fields(b)]))))
    return _wider_number(a, b) or pl.String()


def unify_schemas(schemas: Iterable[Mapping[str, pl.DataType]]) -> pl.Schema:
    """The union of schemas: every field, in the order first seen, with the type that holds all."""
    union: dict[str, pl.DataType] = {}
    for schema in schemas:
        for name, dtype in schema.items():
            union[name] = unify(union.get(name, pl.Null()), dtype)
    return pl.Schema(union)


def storable(schema: Mapping[str, pl.DataType]) -> pl.Schema:
    """`schema` in types that DuckDB and Parquet hold: text for fields that are always null and for
    objects without fields. For the union of all blocks, not for one of them: text is final.

    Raises:
        InputError: when names of fields differ only in upper and lower case.
    """
    folded: dict[str, str] = {}
    for name in schema:
        if folded.setdefault(name.casefold(), name) != name:
            raise InputError(
                f"the fields `{folded[name.casefold()]}` and `{name}` differ only in upper and "
                "lower case, which a table cannot tell apart; rename one"
            )
    return pl.Schema({name: _storable(plain(dtype)) for name, dtype in schema.items()})


def conform(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """The rows of `frame` in `schema`'s columns and types; missing fields are null.

    Args:
        frame: any frame.
        schema: a union that `frame.schema` is part of, see `unify_schemas`.

    Raises:
        InputError: when an integer too large for a float would become one, or when the fields that
            rows do not have would need more than `MAX_CELLS` cells.
        ValueError: when `schema` is no such union.
    """
    extra = [name for name in frame.columns if name not in schema]
    if extra:
        raise ValueError(f"the schema lacks the columns {extra}")
    missing = [arrow_type(dtype) for name, dtype in schema.items() if name not in frame.columns]
    check_cells(frame.height, sum(map(leaves, missing)))
    columns: dict[str, pl.Series] = {}
    for name, dtype in schema.items():
        if name not in frame.columns:
            columns[name] = pl.Series([None], dtype=dtype).new_from_index(0, frame.height)
        elif frame.schema[name] == dtype:
            columns[name] = frame[name]
        else:
            columns[name] = _convert(frame[name], dtype)
    return pl.DataFrame(columns) if columns else pl.DataFrame(height=frame.height)


def check_name(name: str) -> str:
    """`name`.

    Raises:
        InputError: when it cannot be a field's: empty, or with a NUL character.
    """
    if not name or "\0" in name:
        raise InputError(f"a field is called {name!r}; give it a name")
    return name


def text_of(value: Any) -> str | None:
    """A value as the text it has in a column of text; None stays None."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, bool | int | float | list | dict | tuple):
        return json.dumps(
            _without_nulls(value), ensure_ascii=False, separators=(",", ":"), default=text_of
        )
    return str(value)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_nulls(item) for item in value]
    if isinstance(value, float) and abs(value) < EXACT_FLOAT and value.is_integer():
        return int(value)
    return value


def _wider_number(a: pl.DataType, b: pl.DataType) -> pl.DataType | None:
    kinds = (type(a), type(b))
    signed = [_SIGNED.index(kind) for kind in kinds if kind in _SIGNED]
    unsigned = [_UNSIGNED.index(kind) for kind in kinds if kind in _UNSIGNED]
    floats = [kind for kind in kinds if kind in _FLOATS]
    if len(signed) + len(unsigned) + len(floats) < 2:
        return None
    if len(unsigned) == 2:
        return _UNSIGNED[max(unsigned)]()
    if unsigned and _UNSIGNED[unsigned[0]] is pl.UInt64:
        return None
    if floats:
        return pl.Float64()
    return _SIGNED[max(*signed, *(rank + 1 for rank in unsigned))]()


def _storable(dtype: pl.DataType) -> pl.DataType:
    if isinstance(dtype, pl.Null) or (isinstance(dtype, pl.Struct) and not _own_fields(dtype)):
        return pl.String()
    if isinstance(dtype, pl.List):
        return pl.List(_storable(inner_of(dtype)))
    if isinstance(dtype, pl.Struct):
        return pl.Struct({name: _storable(field) for name, field in fields_of(dtype).items()})
    return dtype


def _convert(series: pl.Series, dtype: pl.DataType) -> pl.Series:
    if (
        isinstance(dtype, pl.String)
        and not series.dtype.is_nested()
        and not series.dtype.is_float()
    ):
        if isinstance(series.dtype, pl.Duration):
            return series.dt.to_string("iso")
        return series.bin.encode("base64") if series.dtype == pl.Binary else series.cast(pl.String)
    series = series.cast(_without_wide_integers(series.dtype))
    try:
        array = _cast(series.to_arrow(), arrow_type(dtype))
    except pa.ArrowInvalid as error:
        raise InputError(
            f"field `{series.name}` has a value that {dtype} does not hold exactly ({error}). "
            "Declare its type: `text` keeps every digit, `float` rounds"
        ) from error
    return pl.Series(series.name, pl.from_arrow(array), dtype=dtype)


def _without_wide_integers(dtype: pl.DataType) -> pl.DataType:
    """`dtype` with text for integers of 128 bits, which Arrow does not have."""
    if isinstance(dtype, pl.List):
        return pl.List(_without_wide_integers(inner_of(dtype)))
    if isinstance(dtype, pl.Struct):
        fields = fields_of(dtype).items()
        return pl.Struct({name: _without_wide_integers(field) for name, field in fields})
    return pl.String() if isinstance(dtype, pl.Int128 | pl.UInt128) else dtype


def _cast(array: pa.Array, target: pa.DataType) -> pa.Array:
    source = array.type
    if source == target:
        return array
    if pa.types.is_null(source):
        return pa.nulls(len(array), target)
    if pa.types.is_large_string(target) and _has_own_text(source):
        return pa.array([text_of(value) for value in array.to_pylist()], target)
    if _is_list(source):
        lengths = array.value_lengths().fill_null(0).to_numpy()
        offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
        items = _cast(array.flatten(), target.value_type)
        return pa.LargeListArray.from_arrays(offsets, items, type=target, mask=array.is_null())
    if pa.types.is_struct(source):
        found = dict(zip((field.name for field in source), array.flatten(), strict=True))
        lost = [name for name in found if target.get_field_index(name) < 0 and name != NO_FIELDS]
        if lost:
            raise ValueError(f"the schema lacks the fields {lost}")
        missing = [field.type for field in target if field.name not in found]
        check_cells(len(array), sum(map(leaves, missing)))
        columns = [
            _cast(found[field.name], field.type)
            if field.name in found
            else pa.nulls(len(array), field.type)
            for field in target
        ]
        return pa.StructArray.from_arrays(columns, fields=list(target), mask=array.is_null())
    return array.cast(target)


def check_cells(rows: int, columns: int) -> None:
    """Raises InputError when columns that most rows leave empty would have too many cells."""
    if rows * columns > MAX_CELLS:
        raise InputError(
            f"{rows:,} rows or objects differ so much in their fields that a table of them would "
            f"have {rows * columns:,} cells, most of them empty. If names of fields are values (a "
            "dictionary), declare the field that holds them as `json`"
        )


def leaves(dtype: pa.DataType) -> int:
    """How many columns a type takes, with those inside it."""
    return 1 + sum(leaves(dtype.field(index).type) for index in range(dtype.num_fields))


def arrow_type(dtype: pl.DataType) -> pa.DataType:
    """The Arrow type that Polars gives columns of `dtype`."""
    return pl.Series([], dtype=dtype).to_arrow().type


def _is_list(dtype: pa.DataType) -> bool:
    return (
        pa.types.is_list(dtype)
        or pa.types.is_large_list(dtype)
        or pa.types.is_fixed_size_list(dtype)
    )


def _has_own_text(dtype: pa.DataType) -> bool:
    """Whether `text_of` says how such values are written, rather than Arrow's cast."""
    return (
        _is_list(dtype)
        or pa.types.is_struct(dtype)
        or pa.types.is_map(dtype)
        or pa.types.is_floating(dtype)
        or pa.types.is_binary(dtype)
        or pa.types.is_large_binary(dtype)
    )


def _instance(dtype: Any) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype


def inner_of(dtype: pl.List | pl.Array) -> pl.DataType:
    """The type of a list's items."""
    return _instance(dtype.inner)


def fields_of(dtype: pl.Struct) -> dict[str, pl.DataType]:
    """The types of an object's fields, by name."""
    return {field.name: _instance(field.dtype) for field in dtype.fields}


def _own_fields(dtype: pl.Struct) -> dict[str, pl.DataType]:
    """The plain types of an object's fields but for `NO_FIELDS`."""
    return {name: plain(field) for name, field in fields_of(dtype).items() if name != NO_FIELDS}
