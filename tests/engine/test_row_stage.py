"""Row steps: every row goes on, is removed by a named rule, or is quarantined alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from dagster_project.engine.batch import identified
from dagster_project.engine.plan import PlannedStep, RunStopped
from dagster_project.engine.row_stage import run_steps
from dagster_project.operators.base import (
    Operator,
    OperatorMisuse,
    RowOperator,
    Rule,
    SplitOperator,
)
from dagster_project.warehouse.snapshot import NotConserved


class Measured(RowOperator):
    """Measures, trims and removes short texts."""

    least: int = Field(default=3, description="characters")

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"n": pl.col("a").str.len_chars()}

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"a": pl.col("a").str.strip_chars()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return [
            Rule("short", pl.col("n") >= self.least, pl.col("n"), f">= {self.least}"),
            Rule("has_x", ~pl.col("a").str.contains("x"), pl.col("a"), "no x"),
        ]


class Strict(RowOperator):
    """Raises on a text that is not a number."""

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"number": pl.col("a").str.to_integer(strict=True)}


class Parts(SplitOperator):
    """Cuts at dashes."""

    def pieces(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"a": pl.col("a").str.split("-")}


class Liar(RowOperator):
    """Claims to keep rows but changes how many there are."""

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return []

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"n": pl.col("a").filter(pl.col("a") != "b")}


def step(number: int, operator: Operator) -> PlannedStep:
    return PlannedStep(number, type(operator).operator_name(), operator, None, "hash")


def batch(*texts: str | None) -> pl.DataFrame:
    return identified(pl.DataFrame({"a": texts}, schema={"a": pl.String}), 0, 100)


def test_each_removed_row_names_rule_value_and_threshold() -> None:
    done = run_steps(batch(" hello ", "x", "maxx", None), [step(0, Measured())], {"n"})
    assert done.rows["a"].to_list() == ["hello"]
    assert done.rows["__changed"].to_list() == [1]
    columns = ["parent_row_id", "disposition", "rule", "measured", "threshold"]
    assert done.removed.select(columns).rows() == [
        (101, "dropped", "short", "1", ">= 3"),
        (102, "dropped", "has_x", "maxx", "no x"),
        (103, "dropped", "short", None, ">= 3"),
    ]
    assert done.scores.select("parent_row_id", "n").rows() == [(101, 1), (102, 4), (103, None)]


def test_a_row_that_raises_is_quarantined_alone_with_its_content() -> None:
    done = run_steps(batch("1", "two", "3"), [step(0, Strict())], set())
    assert done.rows["number"].to_list() == [1, 3]
    (row,) = done.removed.rows(named=True)
    assert (row["parent_row_id"], row["disposition"]) == (101, "quarantined")
    assert row["content"] == '{"a": "two"}'
    assert "two" in row["error"]
    assert "expression" not in row["error"], "what Polars adds is not for the user"
    assert done.counts[0][1].quarantined == 1


def test_an_error_that_needs_no_row_is_the_recipes() -> None:
    class Wrong(RowOperator):
        """Reads a column that is not there."""

        def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
            return {"b": pl.col("nowhere")}

    with pytest.raises(pl.exceptions.ColumnNotFoundError):
        run_steps(batch("1"), [step(0, Wrong())], set())


def test_what_polars_adds_to_a_refusal_is_not_shown() -> None:
    def refuse(_: pl.Series) -> pl.Series:
        raise OperatorMisuse("the model is none\nsecond line")

    class Refuses(RowOperator):
        """Refuses when rows come."""

        def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
            return {"a": pl.col("a").map_batches(refuse, return_dtype=pl.String)}

    with pytest.raises(OperatorMisuse) as caught:
        run_steps(batch("1"), [step(0, Refuses())], set())
    assert str(caught.value) == "the model is none\nsecond line"


def test_a_missing_column_is_named_with_the_nearest() -> None:
    class Reads(RowOperator):
        """Reads `aa`."""

        def reads(self) -> Sequence[str]:
            return ["aa"]

    with pytest.raises(RunStopped, match=r"no column 'aa'; did you mean 'a'\?"):
        run_steps(batch("1"), [step(0, Reads())], set())


def test_split_rows_share_their_parent_and_differ_in_ordinal() -> None:
    done = run_steps(batch("1-2", None, "3-4-5"), [step(0, Parts()), step(1, Parts())], set())
    assert done.rows.select("a", "__parent", "__ordinal").rows() == [
        ("1", 100, 0),
        ("2", 100, 1),
        ("3", 102, 0),
        ("4", 102, 1),
        ("5", 102, 2),
    ]
    assert done.removed.select("parent_row_id", "rule").rows() == [(101, "no_pieces")]


def test_an_operator_that_loses_rows_fails_the_run() -> None:
    with pytest.raises(NotConserved):
        run_steps(batch("a", "b", "c"), [step(0, Liar())], {"n"})


@given(
    st.lists(st.one_of(st.none(), st.text("12-x ", max_size=6)), max_size=12), st.integers(0, 12)
)
def test_conservation_however_the_batch_is_cut(texts: list[str | None], at: int) -> None:
    steps = [step(0, Measured(least=2)), step(1, Parts()), step(2, Strict())]
    rows = batch(*texts)
    whole = run_steps(rows, steps, {"n"})
    halves = [run_steps(half, steps, {"n"}) for half in (rows[:at], rows[at:])]
    assert pl.concat([half.rows for half in halves]).equals(whole.rows)
    order = ["parent_row_id", "ordinal", "step"]
    together = pl.concat([half.removed for half in halves]).sort(order)
    assert together.equals(whole.removed.sort(order))
    for number, count in whole.counts:
        count.prove(str(number))
    parents = set(whole.rows["__parent"]) | set(whole.removed["parent_row_id"])
    assert parents == set(rows["__parent"])
