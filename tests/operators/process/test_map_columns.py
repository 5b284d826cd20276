"""Columns are renamed, added, converted and left out, and nothing else."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.map_columns import MapColumns

FRAME = pl.DataFrame({"a": ["1", "x", None], "b": [1, 2, 3], "c": [["p"], [], None]})


def test_names_can_be_swapped_and_expressions_see_the_old_ones(apply) -> None:
    operator = MapColumns(rename={"a": "b", "b": "a"}, add={"d": "a || '-' || b"})
    kept, _ = apply(operator, FRAME)
    assert kept["a"].to_list() == [1, 2, 3]
    assert kept["b"].to_list() == ["1", "x", None]
    assert kept["d"].to_list() == ["1-1", "x-2", None]


def test_keep_and_drop(apply) -> None:
    assert apply(MapColumns(add={"n": "'new'"}, keep=("n", "b")), FRAME)[0].columns == ["b", "n"]
    assert apply(MapColumns(rename={"a": "z"}, drop=("c",)), FRAME)[0].columns == ["b", "z"]


def test_casts(apply) -> None:
    frame = pl.DataFrame({"t": ["True", "false"], "n": [1, 0], "l": [[{"x": "é"}], None]})
    kept, _ = apply(MapColumns(cast={"t": "bool", "n": "float", "l": "text"}), frame)
    assert kept.to_dict(as_series=False) == {
        "t": [True, False],
        "n": [1.0, 0.0],
        "l": ['[{"x":"é"}]', None],
    }


def test_a_value_that_cannot_be_converted_is_quarantined_alone(apply) -> None:
    kept, removed = apply(MapColumns(cast={"a": "int"}), FRAME)
    assert kept["a"].to_list() == [1, None]
    assert removed["row"].to_list() == [1]
    assert '"x"' in removed["error"].item()


@pytest.mark.parametrize(
    ("operator", "message"),
    [
        (MapColumns(add={"d": "upper(bb)"}), "no column 'bb'; did you mean 'b'"),
        (MapColumns(add={"d": "upper(b)"}), r"`upper\(b\)` does not fit the columns: .*i64"),
        (MapColumns(rename={"a": "b"}), "'a' cannot be renamed 'b', there is such a column"),
        (MapColumns(keep=("aa",)), "no column 'aa'; did you mean 'a'"),
        (MapColumns(cast={"c": "int"}), "column 'c' is List.* must be of a type .* to int"),
        (
            MapColumns(add={"f": "b / 2.5"}, cast={"f": "int"}),
            "`CAST.round.x. AS BIGINT.` in `add` does",
        ),
    ],
)
def test_misuse_is_told_before_a_row_is_read(apply, operator: MapColumns, message: str) -> None:
    with pytest.raises(SeedbedError, match=message):
        apply(operator, FRAME)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("b +", "is not a SQL expression"),
        ("nosuch(b)", "unsupported function 'nosuch'"),
        ("b - avg(b)", "looks at more than one row"),
        ("sum(b) over (partition by a)", "looks at more than one row"),
        ("count(a IN ('x'))", "looks at more than one row"),
        ("unnest(c)", "looks at more than one row"),
        ("b = (select 1)", "looks at more than one row"),
        ("current_date", "reads the clock"),
        ("read_csv('/etc/passwd')", "unsupported function"),
    ],
)
def test_an_expression_looks_at_one_row(sql: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        MapColumns(add={"d": sql})


def test_a_column_may_be_one_constant(apply) -> None:
    kept, _ = apply(MapColumns(add={"two": "1 + 1", "day": "CAST('2020-01-02' AS DATE)"}), FRAME)
    assert kept["two"].to_list() == [2, 2, 2]
    assert kept["day"].cast(pl.String).to_list() == ["2020-01-02"] * 3


def test_durations_become_text(apply) -> None:
    frame = pl.DataFrame({"d": pl.Series([90_061_500, None], dtype=pl.Duration("ms"))})
    assert apply(MapColumns(cast={"d": "text"}), frame)[0]["d"].to_list() == ["P1DT1H1M1.5S", None]
