"""The columns that say where rows come from."""

from __future__ import annotations

from collections.abc import Mapping

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
            "raw": sparse_text(texts or {}, rows),
            "raw_bytes": pl.Series([None], dtype=pl.Binary).new_from_index(0, rows),
            "error": sparse_text(errors or {}, rows),
        },
        schema=ORIGIN_SCHEMA,
    )


def sparse_text(values: Mapping[int, str], rows: int) -> pl.Series:
    """A column of `rows` rows with the text of a few, by row from 0."""
    column = pl.Series([None], dtype=pl.String).new_from_index(0, rows)
    return column.scatter(list(values), list(values.values())) if values else column
