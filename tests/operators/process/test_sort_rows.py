"""Rows in order, equal ones as they were."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.sort_rows import SortRows

values = st.lists(
    st.tuples(st.sampled_from(["a", "B", "é", "日", "", None]), st.none() | st.integers(0, 3)),
    max_size=20,
)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    rows=values,
    first=st.booleans(),
    second=st.booleans(),
    last=st.booleans(),
    cut=st.integers(0, 20),
)
def test_as_python_sorts(apply, rows, first, second, last, cut) -> None:
    data = [(index, *row) for index, row in enumerate(rows)]
    schema = {"row": pl.Int64, "a": pl.String, "b": pl.Int64}
    operator = SortRows(by=("a", "b"), descending=(first, second), nulls_last=last)
    kept, removed = apply(operator, pl.DataFrame(data, schema, orient="row"), [cut])
    for column, descending in ((2, second), (1, first)):
        known = [row for row in data if row[column] is not None]
        nulls = [row for row in data if row[column] is None]
        known.sort(key=lambda row, column=column: row[column], reverse=False)
        if descending:
            distinct = sorted({row[column] for row in known}, reverse=True)
            known = [row for value in distinct for row in known if row[column] == value]
        data = known + nulls if last else nulls + known
    assert kept.rows() == data
    assert removed.is_empty()


def test_misuse(apply) -> None:
    with pytest.raises(SeedbedError, match="column 'l' is List"):
        apply(SortRows(by=("l",)), pl.DataFrame({"l": [[1]]}))
    with pytest.raises(ValidationError, match="`descending` has 2 values, `by` 1"):
        SortRows(by=("a",), descending=(True, False))
