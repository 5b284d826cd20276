"""The columns that say where rows come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from dagster_project.operators.acquire.block import ORIGIN_SCHEMA


def typed_origin(
    file: str,
    line: int,
    rows: int,
    errors: Mapping[int, str] | None = None,
    texts: Mapping[int, str] | None = None,
) -> pl.DataFrame:
    """The origin of rows that have a number but no text.

    Args:
        file: the file's name.
        line: the first row's number.
        rows: how many there are.
        errors: by row (from 0) why it could not be read.
        texts: by row its content, for rows that could not be read.
    """
    return pl.DataFrame(
        {
            "file": pl.Series([file]).new_from_index(0, rows),
            "line": np.arange(line, line + rows),
            "raw": sparse(texts or {}, pl.String, rows),
            "raw_bytes": sparse({}, pl.Binary, rows),
            "error": sparse(errors or {}, pl.String, rows),
        },
        schema=ORIGIN_SCHEMA,
    )


def sparse(values: Mapping[int, Any], dtype: type[pl.DataType], rows: int) -> pl.Series:
    """A column of `rows` rows with the values of a few, by row from 0."""
    column = pl.Series([None], dtype=dtype).new_from_index(0, rows)
    if not values:
        return column
    return column.scatter(list(values), pl.Series(list(values.values()), dtype=dtype))
