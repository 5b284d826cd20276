"""Columns that a snapshot cannot hold are refused before a row flows, with what to do instead."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.engine.plan import RunStopped
from dagster_project.engine.published_columns import require_own_names, require_publishable
from dagster_project.warehouse.history import sample
from dagster_project.workspace import VersionName

SOURCE = """
import datetime

def rows():
    yield {"n": 1, "took": datetime.timedelta(days=1, hours=2)}
"""


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"": pl.String()}, "a column is called ''; give it a name"),
        ({"T": pl.String(), "t": pl.String()}, "'T' and 't' differ only in upper and lower case"),
        ({"row_id": pl.Int64()}, "`row_id` is the name of the snapshot's own"),
        ({"d": pl.Duration("ms")}, 'a number of milliseconds.*CAST."d" AS BIGINT'),
        ({"d": pl.List(pl.Struct({"e": pl.Duration("us")}))}, "drop: .d."),
        ({}, "its rows have no columns"),
    ],
)
def test_what_cannot_be_published_is_named(columns, said) -> None:
    with pytest.raises(RunStopped, match=said):
        require_publishable("a/v1", columns, {}, has_rows=True)


def test_what_can_be_published_is_let_through() -> None:
    require_publishable("a/v1", {}, {}, has_rows=False)
    require_publishable("a/v1", {" ": pl.Int64(), 'q"': pl.Date()}, {"t": pl.Time()}, has_rows=True)


def test_measured_durations_are_refused_too() -> None:
    with pytest.raises(RunStopped, match="'took' holds durations"):
        require_publishable("a/v1", {"a": pl.Int64()}, {"took": pl.Duration("us")}, has_rows=True)


def test_names_of_the_engine_are_not_lost_in_silence() -> None:
    with pytest.raises(RunStopped, match="input rows: column '__key'"):
        require_own_names("rows", {"a": pl.Int64(), "__key": pl.Int64()})


def test_an_index_of_pandas_gets_a_name_of_its_own(space) -> None:
    frame = pl.DataFrame({"text": ["a", "b"], "__index_level_0__": [7, 9]})
    frame.write_parquet(space.root / "rows.parquet")
    space.recipe("a/v1", "inputs: {rows: {files: rows.parquet}}\n")
    space.publish("a/v1")
    found = sample(space.store, VersionName("a", "v1"), 9)
    assert found.sort("row_id")["index_level_0"].to_list() == [7, 9]


def test_durations_are_published_as_the_message_says(space) -> None:
    recipe = "inputs: {rows: {python: source.py:rows}}\nsteps: [{map_columns: {STEP}}]\n"
    folder = space.root / "assets" / "a"
    folder.mkdir(parents=True)
    (folder / "source.py").write_text(SOURCE)
    space.recipe("a/v1", recipe.replace("{STEP}", "{drop: [n]}"))
    with pytest.raises(RunStopped, match="column 'took' holds durations"):
        space.publish("a/v1")
    for step, found in (
        ("{cast: {took: text}}", "P1DT2H"),
        ("{add: {took: 'CAST(\"took\" AS BIGINT)'}}", 93_600_000_000),
    ):
        space.recipe("a/v1", recipe.replace("{STEP}", step))
        space.publish("a/v1")
        assert sample(space.store, VersionName("a", "v1"), 1)["took"].to_list() == [found]


def test_two_steps_that_measure_the_same_are_told_apart_by_a_prefix(space) -> None:
    space.jsonl("rows.jsonl", [{"text": f"row {'x' * n}"} for n in range(9)])
    head = "inputs: {all: {files: rows.jsonl}}\nsteps:\n"
    twice = "".join(f"  - select_longest: {{columns: [text], rows: {n}}}\n" for n in (6, 3))
    space.recipe("d/v1", head + twice)
    with pytest.raises(RunStopped, match=r"`prefix: second_` puts `second_` before it"):
        space.publish("d/v1")
    space.recipe("d/v1", head + twice.replace("rows: 3", "rows: 3, prefix: second_"))
    assert space.publish("d/v1").manifest.rows == 3
