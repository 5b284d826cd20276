"""Rows far out in numbers, however the rest is distributed."""

from __future__ import annotations

import math
import random
from statistics import mean, median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.filter_outliers import FilterOutliers
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.workspace import VersionName


def slow_z(values: list[float | None]) -> list[float | None]:
    """Robust z, the slow way."""
    there = [value for value in values if value is not None and math.isfinite(value)]
    if not there:
        return [None] * len(values)
    centre = median(there)
    distances = [abs(value - centre) for value in there]
    spread = 1.4826 * median(distances) or 1.2533 * mean(distances)
    return [
        abs(value - centre) / spread
        if value is not None and math.isfinite(value) and spread
        else None
        for value in values
    ]


def metrics(operator: FilterOutliers, frame: pl.DataFrame) -> dict[tuple[str, str | None], float]:
    number = pl.int_range(pl.len(), dtype=pl.UInt64).alias("row")
    relation = frame.select(number, **operator.columns(frame.schema))
    found = operator.decide(relation, lambda *_: frame)
    return {(each.name, each.subject): each.value for each in found.metrics}


numbers = st.one_of(
    st.none(),
    st.sampled_from([0.0, 1.0, 1.0, 2.0, math.nan, math.inf, -math.inf]),
    st.floats(-1e6, 1e6).map(lambda value: round(value, 3)),
)


@settings(max_examples=60)
@given(values=st.lists(numbers, max_size=30), cuts=st.lists(st.integers(0, 30), max_size=3))
def test_it_is_the_robust_z_of_a_slow_reading(apply, values, cuts) -> None:
    frame = pl.DataFrame({"n": values}, {"n": pl.Float64})
    kept, removed = apply(FilterOutliers(columns=("n",), remove=False), frame, cuts)
    assert removed.is_empty()
    for found, wanted in zip(kept["outlier_z"].to_list(), slow_z(values), strict=True):
        assert found == (None if wanted is None else pytest.approx(wanted, rel=1e-6, abs=1e-4))
    _, removed = apply(FilterOutliers(columns=("n",)), frame, cuts)
    far = kept.with_row_index("row").filter(pl.col("outlier_z") > 6)["row"].to_list()
    assert removed["row"].to_list() == far


def test_the_column_that_is_farthest_out_is_named(apply) -> None:
    frame = pl.DataFrame(
        {"a": [*range(40), 10_000, None, 20], "b": [*map(float, range(40)), 5.0, math.nan, -9e9]}
    )
    kept, removed = apply(FilterOutliers(columns=("a", "b")), frame)
    assert removed["row"].to_list() == [40, 42]
    assert set(removed["rule"]) == {"outlier"} and set(removed["threshold"]) == {"<= 6"}
    assert float(removed["measured"][0]) > 100
    assert kept["outlier_column"].to_list()[-1] is None, "null and NaN are never outliers"
    marked, _ = apply(FilterOutliers(columns=("a", "b"), remove=False), frame)
    assert marked["outlier_column"].to_list()[40:] == ["a", None, "b"]
    told = metrics(FilterOutliers(columns=("a", "b")), frame)
    assert told["values_missing", "a"] == told["values_missing", "b"] == 1
    assert told["outliers", "a"] == told["outliers", "b"] == 1


def test_each_group_has_its_own_middle_if_it_is_large_enough(apply) -> None:
    generator = random.Random(1)
    short = [generator.gauss(100, 10) for _ in range(50)]
    long = [generator.gauss(10_000, 500) for _ in range(50)]
    rows = {
        "n": [*short, *long, 10_000.0, 100.0, 10_000.0],
        "by": ["short"] * 50 + ["long"] * 50 + ["short", "long", None],
    }
    frame = pl.DataFrame(rows)
    _, removed = apply(FilterOutliers(columns=("n",), by="by"), frame)
    assert removed["row"].to_list() == [100, 101]
    assert apply(FilterOutliers(columns=("n",)), frame)[1].is_empty()
    few = frame.filter(pl.col("by").eq_missing("short") | pl.col("by").is_null())
    _, removed = apply(FilterOutliers(columns=("n",), by="by"), few)
    assert removed["row"].to_list() == [50, 51], "a group of one is compared with all"


def test_equal_values(apply) -> None:
    same = pl.DataFrame({"n": [7] * 30, "m": [7] * 29 + [900]})
    _, removed = apply(FilterOutliers(columns=("n", "m")), same)
    assert removed["row"].to_list() == [29]
    told = metrics(FilterOutliers(columns=("n", "m")), same)
    assert told["values_without_spread", "n"] == told["values_by_mean_deviation", "m"] == 30
    assert told["values_without_spread", "m"] == told["values_by_mean_deviation", "n"] == 0


def test_no_rows_and_huge_numbers(apply) -> None:
    frame = pl.DataFrame({"n": [1e308, -1e308, 0.0, 5e-324, 1.0] * 9})
    kept, _ = apply(FilterOutliers(columns=("n",), remove=False), frame)
    assert kept.height == 45
    assert apply(FilterOutliers(columns=("n",)), frame.clear())[0].is_empty()


def test_what_is_no_number_is_refused(apply) -> None:
    frame = pl.DataFrame({"t": ["x"], "n": [1], "l": [[1]]})
    with pytest.raises(SeedbedError, match="column 't' is String, but must be numeric"):
        apply(FilterOutliers(columns=("t",)), frame)
    with pytest.raises(SeedbedError, match="must be a plain value"):
        apply(FilterOutliers(columns=("n",), by="l"), frame)
    with pytest.raises(ValidationError, match="named twice"):
        FilterOutliers(columns=("n", "n"))


def test_values_measured_by_earlier_steps(space) -> None:
    texts = ["word " * (number % 7 + 5) for number in range(40)]
    space.jsonl("rows.jsonl", [{"text": text} for text in [*texts, "word " * 900]])
    space.recipe(
        "a/v1",
        "inputs: {rows: {files: rows.jsonl}}\n"
        "steps: [{measure_length: {column: text, units: [characters]}},"
        " {filter_outliers: {columns: [characters]}}]\n",
    )
    assert space.publish("a/v1").manifest.rows == 40
    with open_snapshot(space.store, VersionName("a", "v1")) as connection:
        connection.execute("USE snapshot")
        far = connection.execute(
            "SELECT parent_row_id, outlier_column FROM scores WHERE outlier_z > 6"
        ).fetchall()
    assert far == [(40, "characters")]
