"""The union of types, and frames made to fit it."""

from __future__ import annotations

import datetime
import json

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.acquire.column_types import (
    NO_FIELDS,
    conform,
    plain,
    storable,
    text_of,
    unify,
    unify_schemas,
)
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.record_frames import frame_of_records

SCALARS = [
    pl.Null, pl.Boolean, pl.Int8, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64, pl.Int128,
    pl.Float32, pl.Float64, pl.String, pl.Binary, pl.Date, pl.Categorical,
]  # fmt: skip
TYPES = st.recursive(
    st.sampled_from([kind() for kind in SCALARS] + [pl.Datetime("us"), pl.Datetime("ns", "UTC")]),
    lambda inner: (
        st.builds(pl.List, inner)
        | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3).map(pl.Struct)
    ),
    max_leaves=5,
)


def _unordered(dtype):
    """A type in which the order of fields does not count."""
    if isinstance(dtype, pl.Struct):
        return {field.name: _unordered(field.dtype) for field in dtype.fields}
    return [_unordered(dtype.inner)] if isinstance(dtype, pl.List) else dtype


@settings(deadline=None)
@given(TYPES, TYPES, TYPES)
def test_unify_is_associative_commutative_and_idempotent(a, b, c):
    assert unify(unify(a, b), c) == unify(a, unify(b, c))
    assert _unordered(unify(a, b)) == _unordered(unify(b, a))
    assert unify(a, a) == unify(a, pl.Null()) == plain(a)


@pytest.mark.parametrize(
    ("a", "b", "union"),
    [
        (pl.Int8(), pl.Int64(), pl.Int64()),
        (pl.Int8(), pl.UInt8(), pl.Int16()),
        (pl.Int64(), pl.UInt64(), pl.String()),
        (pl.Int64(), pl.Float32(), pl.Float64()),
        (pl.Boolean(), pl.Int64(), pl.String()),
        (pl.List(pl.Null()), pl.List(pl.Int64()), pl.List(pl.Int64())),
        (pl.List(pl.Int64()), pl.Int64(), pl.String()),
        (
            pl.Struct({"b": pl.Int64(), "a": pl.Null()}),
            pl.Struct({"a": pl.String(), "c": pl.Date()}),
            pl.Struct({"b": pl.Int64(), "a": pl.String(), "c": pl.Date()}),
        ),
    ],
)
def test_unions(a, b, union):
    assert unify(a, b) == union


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e6, 1e6)
    | st.text(st.characters(codec="utf-8"), max_size=3)
    | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2)
    ),
    max_leaves=5,
)


@settings(deadline=None)
@given(
    st.lists(
        st.lists(st.dictionaries(st.sampled_from("ab"), VALUES), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    )
)
def test_frames_made_to_fit_keep_their_values(pieces):
    frames = [frame_of_records(records) for records in pieces]
    union = unify_schemas(frame.schema for frame in frames)
    for records, frame in zip(pieces, frames, strict=True):
        fitted = conform(frame, union)
        assert fitted.schema == union
        for record, row in zip(records, fitted.to_dicts(), strict=True):
            for name, value in record.items():
                assert _meaning(row[name]) == _meaning(value)


def _meaning(value):
    """A value as text, in which a missing field is a null one and written JSON is what it says."""
    if isinstance(value, dict):
        return {name: _meaning(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    try:
        decoded = json.loads(text_of(value) or "")
    except ValueError:
        return str(value)
    return _meaning(decoded) if isinstance(decoded, dict | list) else str(decoded)


def test_every_type_goes_into_its_plain_one():
    frame = pl.DataFrame(
        {
            "array": pl.Series([[1, 2], None], dtype=pl.Array(pl.Int64, 2)),
            "enum": pl.Series(["a", None], dtype=pl.Enum(["a"])),
            "wide": pl.Series([2**100, None], dtype=pl.Int128),
            "wides": pl.Series([[2**100], None], dtype=pl.List(pl.Int128)),
            "empty": pl.Series([{}, None], dtype=pl.Struct({})),
        }
    ).with_columns(
        pl.from_arrow(
            pa.table({"map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64()))})
        )
    )
    assert conform(frame, unify_schemas([frame.schema])).to_dicts() == [
        {
            "array": [1, 2], "enum": "a", "wide": str(2**100), "wides": [str(2**100)],
            "empty": {NO_FIELDS: None}, "map": [{"key": "k", "value": 1}],
        },
        dict.fromkeys(frame.columns),
    ]  # fmt: skip


def test_text_of_values_is_that_of_json():
    frame = pl.DataFrame(
        {
            "bool": [True], "whole": [1.0], "half": [0.5], "bytes": [b"\xff"],
            "day": [datetime.date(2020, 1, 2)], "list": [[1, None]], "object": [{"a": None, "b": 2}],
        }
    )  # fmt: skip
    text = conform(frame, dict.fromkeys(frame.columns, pl.String()))
    assert text.row(0) == ("true", "1", "0.5", "/w==", "2020-01-02", "[1,null]", '{"b":2}')


def test_storable_leaves_no_nulls_and_no_empty_objects():
    schema = {"a": pl.Null(), "b": pl.List(pl.Struct({"c": pl.Null(), "d": pl.Struct({})}))}
    stored = storable(schema)
    assert stored == {
        "a": pl.String(),
        "b": pl.List(pl.Struct({"c": pl.String(), "d": pl.String()})),
    }
    frame = pl.DataFrame({"a": [None], "b": [[{"c": None, "d": {}}]]}, schema=schema)
    assert conform(frame, stored).to_dicts() == [{"a": None, "b": [{"c": None, "d": "{}"}]}]
    with pytest.raises(InputError, match="`Text` and `text` differ only in upper and lower case"):
        storable({"Text": pl.String(), "text": pl.String()})


def test_an_integer_that_a_float_would_round_is_refused():
    for values in ([2**53 + 1], [[2**53 + 1]]):
        frame = pl.DataFrame({"a": values})
        wider = unify_schemas([frame.schema, {"a": pl.List(pl.Float64())}])
        if not isinstance(values[0], list):
            wider = pl.Schema({"a": pl.Float64()})
        with pytest.raises(InputError, match=r"field `a` .*9007199254740993"):
            conform(frame, wider)


def test_a_schema_that_would_lose_columns_is_refused():
    frame = pl.DataFrame({"a": [{"x": 1, "y": 2}]})
    with pytest.raises(ValueError, match="lacks the columns"):
        conform(frame, {"b": pl.Int64()})
    with pytest.raises(ValueError, match="lacks the fields"):
        conform(frame, {"a": pl.Struct({"x": pl.Int64()})})


def test_slices_and_frames_without_columns():
    frame = pl.DataFrame({"a": [[{"x": 1}], None, [], [{"x": 4}]]}).slice(1, 3)
    wider = {"a": pl.List(pl.Struct({"x": pl.Float64(), "y": pl.String()}))}
    assert conform(frame, wider)["a"].to_list() == [None, [], [{"x": 4.0, "y": None}]]
    assert conform(pl.DataFrame(height=2), {}).height == 2
    assert conform(pl.DataFrame(height=2), {"a": pl.Int64()})["a"].to_list() == [None, None]


def test_durations_become_text_where_text_is_wanted():
    frame = pl.DataFrame({"d": [datetime.timedelta(hours=25), None]})
    assert conform(frame, {"d": pl.String()})["d"].to_list() == ["P1DT1H", None]
