"""Rows of a query: their types are those that rows can hold."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.engine.sql_source import SqlReader
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.warehouse.store import Store


def read(tmp_path, query: str) -> pl.DataFrame:
    blocks = SqlReader(Store(tmp_path), query, [], "q").blocks()
    return pl.concat([block.parse().parsed for block in blocks])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("INTERVAL 1 DAY", r"column `x` is INTERVAL, .* such as `epoch\(x\)`, in seconds"),
        ("[{'d': INTERVAL 1 DAY}]", "column `x` is STRUCT"),
        ("TIMETZ '10:00:00+02'", "`x::VARCHAR`"),
        ("'101'::BIT", "`x::VARCHAR`"),
        ("1::UNION(a INT, b VARCHAR)", "`x::VARCHAR`"),
        ("1::VARIANT", "`x::JSON`"),
    ],
)
def test_types_that_rows_cannot_hold_are_named_with_a_cast(tmp_path, value, said) -> None:
    with pytest.raises(InputError, match=said):
        read(tmp_path, f"SELECT {value} AS x")


def test_two_columns_of_one_name_are_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="input q: has several columns named a"):
        read(tmp_path, "SELECT 1 AS a, 2 AS a")


def test_lists_arrays_and_maps(tmp_path) -> None:
    rows = read(tmp_path, "SELECT [1, 2]::INT[2] AS a, [[1]] AS l, MAP {'k': 1} AS m")
    assert rows.to_dicts() == [{"a": [1, 2], "l": [[1]], "m": [{"key": "k", "value": 1}]}]


def test_no_rows_keep_their_columns(tmp_path) -> None:
    rows = read(tmp_path, "SELECT 1 AS i, 'x' AS t WHERE false")
    assert rows.schema == {"i": pl.Int32, "t": pl.String}
    assert rows.height == 0


@pytest.mark.parametrize("query", ["", "-- nothing", "SELEC 1"])
def test_what_is_no_query(tmp_path, query) -> None:
    with pytest.raises(InputError, match="input q: the query"):
        read(tmp_path, query)
