"""Arrow tables from elsewhere (Parquet, user code, datasets) as frames that the project can hold."""

from __future__ import annotations

import polars as pl
import pyarrow as pa

from dagster_project.operators.acquire.column_types import check_name, conform, unify_schemas
from dagster_project.operators.acquire.input_error import InputError

_UNKNOWN = (
    pa.types.is_decimal256,
    pa.types.is_interval,
    pa.types.is_union,
    pa.types.is_run_end_encoded,
    pa.types.is_list_view,
    pa.types.is_large_list_view,
    lambda dtype: isinstance(dtype, pa.BaseExtensionType),
)


def frame_of_arrow(table: pa.Table, where: str) -> pl.DataFrame:
    """The rows of `table`; categories as text, arrays and maps as lists.

    Args:
        table: any table.
        where: what it is, for errors.

    Raises:
        InputError: when two columns have one name or one has none, a column has a type that
            cannot be held, or the table is broken (text that is not UTF-8, offsets that point nowhere).
    """
    names = table.column_names
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{where}: has several columns named {', '.join(twice)}")
    columns = [_simple(column) for column in table.columns]
    for name, column in zip(names, columns, strict=True):
        try:
            check_name(name)
            _check_names(column.type)
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        unknown = _unknown_type(column.type)
        if unknown is not None:
            raise InputError(
                f"{where}: column `{name}` has the type {unknown}, which cannot be read; convert it"
            )
    table = pa.table(columns, names=names) if names else table
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise InputError(f"{where}: is broken: {error}") from error
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return conform(frame, unify_schemas([frame.schema]))


def _simple(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`column` without dictionaries and extension types."""
    if isinstance(column.type, pa.BaseExtensionType):
        storage = [chunk.storage for chunk in column.chunks]
        return _simple(pa.chunked_array(storage, type=column.type.storage_type))
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column


def _check_names(dtype: pa.DataType) -> None:
    for index in range(dtype.num_fields):
        field = dtype.field(index)
        if pa.types.is_struct(dtype):
            check_name(field.name)
        _check_names(field.type)


def _unknown_type(dtype: pa.DataType) -> pa.DataType | None:
    if any(is_unknown(dtype) for is_unknown in _UNKNOWN):
        return dtype
    inside = (_unknown_type(dtype.field(index).type) for index in range(dtype.num_fields))
    return next((found for found in inside if found is not None), None)
