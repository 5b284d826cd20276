"""Rows are selected by a score, inside a budget, and every other row says why it went."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.curate.select_longest import SelectLongest
from dagster_project.operators.curate.select_top import SelectTop
from dagster_project.operators.curate.select_uncertain import SelectUncertain


@pytest.fixture(scope="session")
def apply(apply):
    """Rows are numbered."""
    return lambda operator, frame: apply(operator, frame.with_row_index("row"))


def why(removed: pl.DataFrame) -> dict[int, tuple]:
    return {
        row: (rule, threshold)
        for row, rule, threshold in removed.select("row", "rule", "threshold").rows()
    }


def test_the_highest_go_first_and_equals_in_their_order(apply) -> None:
    frame = pl.DataFrame({"s": [1.0, 3.0, None, 2.0, 2.0, math.nan, math.inf, 0.5]})
    kept, removed = apply(SelectTop(column="s", rows=2), frame)
    assert kept.select("row", "selection_rank").rows() == [(1, 1), (3, 2)]
    assert why(removed) == {
        0: ("not_selected", ">= 2.0"),
        4: ("not_selected", ">= 2.0, the first of equals"),
        7: ("not_selected", ">= 2.0"),
        2: ("not_measured", "a score"),
        5: ("not_measured", "a score"),
        6: ("not_measured", "a score"),
    }
    lowest, _ = apply(SelectTop(column="s", rows=2, lowest=True), frame)
    assert lowest["row"].to_list() == [0, 7]


def test_each_group_has_its_own_budget(apply) -> None:
    frame = pl.DataFrame({"s": [1, 2, 3, 4, 5], "g": ["a", "a", "b", None, None]})
    kept, _ = apply(SelectTop(column="s", rows=1, per="g"), frame)
    assert kept["row"].to_list() == [1, 2, 4]
    half, _ = apply(SelectTop(column="s", fraction=0.5, per="g"), frame)
    assert half["row"].to_list() == [1, 2, 4], "0.5 is rounded up"


def test_a_budget_in_tokens_passes_over_what_is_larger_than_all_of_it(apply) -> None:
    frame = pl.DataFrame({"t": ["one two three", "one " * 40, "one", "one two"], "s": [4, 3, 2, 1]})
    kept, removed = apply(SelectTop(column="s", tokens=4, tokens_of=("t",)), frame)
    assert kept["row"].to_list() == [0, 2]
    assert why(removed)[1] == ("over_budget", "<= 4 tokens")
    assert why(removed)[3][0] == "not_selected"


def test_the_longest(apply) -> None:
    chat = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b c d e"}], None]
    frame = pl.DataFrame({"t": ["x", "x y z"], "m": chat})
    operator = SelectLongest.model_validate({"columns": ["t", "m"], "unit": "words", "rows": 1})
    kept, removed = apply(operator, frame)
    assert kept.select("row", "selection_score").rows() == [(0, 6.0)]
    assert removed["measured"].to_list() == ["3.0"]


@pytest.mark.parametrize(
    ("by", "order"), [("entropy", [1, 0, 2]), ("margin", [0, 1, 2]), ("confidence", [1, 0, 2])]
)
def test_the_least_sure_by_each_measure(apply, by, order) -> None:
    frame = pl.DataFrame(
        {"p": [[0.5, 0.5, 0.0], [0.44, 0.3, 0.26], [0.9, 0.1], [0.9, 0.9], [math.nan, 1.0], None]}
    )
    kept, removed = apply(SelectUncertain(column="p", by=by, rows=3), frame)
    assert kept.sort("selection_rank")["row"].to_list() == order
    assert set(removed["rule"]) == {"not_measured"}, "what is no distribution"


def test_the_nearest_to_a_boundary(apply) -> None:
    frame = pl.DataFrame({"p": [0.1, 0.45, 0.9, 0.6]})
    kept, _ = apply(SelectUncertain(column="p", boundary=0.5, rows=2), frame)
    assert kept["row"].to_list() == [1, 3]


@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 6)), max_size=20),
    st.integers(1, 30),
)
def test_no_row_is_taken_before_a_better_one_that_fits(apply, rows, tokens) -> None:
    frame = pl.DataFrame(
        {"t": [" ".join(["one"] * size) for _, size in rows], "s": [score for score, _ in rows]},
        {"t": pl.String, "s": pl.Int64},
    )
    kept, removed = apply(SelectTop(column="s", tokens=tokens, tokens_of=("t",)), frame)
    spent = sum(rows[row][1] for row in kept["row"])
    assert spent <= tokens
    for row in removed.filter(pl.col("rule") == "not_selected")["row"]:
        assert all(rows[row][0] <= rows[other][0] for other in kept["row"])
        assert spent + rows[row][1] > tokens or any(
            rows[other][0] >= rows[row][0] and spent + rows[other][1] > tokens
            for other in removed["row"]
        )


@pytest.mark.parametrize(
    "given", [{}, {"rows": 1, "fraction": 0.5}, {"rows": 1, "tokens_of": ["t"]}]
)
def test_one_budget_is_given(given) -> None:
    with pytest.raises(ValidationError):
        SelectTop.model_validate({"column": "s", **given})


def test_a_column_of_another_kind_is_refused(apply) -> None:
    frame = pl.DataFrame({"t": ["a"]})
    for operator in (
        SelectTop(column="t", rows=1),
        SelectUncertain(column="t", by="margin", rows=1),
    ):
        with pytest.raises(SeedbedError, match="'t'"):
            apply(operator, frame)
