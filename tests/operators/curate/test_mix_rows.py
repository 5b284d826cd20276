"""Shares of values: stratified samples, mixtures with epochs, and the copies that they ask for."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.engine.batch import identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.errors import SeedbedError
from dagster_project.operators.curate.mix_rows import MixRows
from dagster_project.operators.curate.repeat_rows import RepeatRows
from dagster_project.operators.curate.select_stratified import SelectStratified
from dagster_project.operators.curate.strata import rounded, shared_out

SOURCES = ["web"] * 60 + ["code"] * 30 + ["maths"] * 10


@pytest.fixture(scope="session")
def apply(apply):
    """Rows are numbered."""
    return lambda operator, frame: apply(operator, frame.with_row_index("row"))


def counts(rows: pl.DataFrame, column: str = "s") -> dict:
    return dict(rows.group_by(column).len().rows())


def metrics(operator, frame: pl.DataFrame) -> dict[tuple, float]:
    step = PlannedStep(0, operator.operator_name(), operator, None, "hash")
    rows = identified(frame, 0, 0)
    result = run_relation_step([Chunk("0", 0, rows.height, lambda: rows)], step, frozenset())
    return {(metric, about): value for metric, about, value in result.metrics}


def test_every_value_gets_the_same_and_leaves_what_it_lacks_to_the_others(apply) -> None:
    frame = pl.DataFrame({"s": SOURCES})
    kept, removed = apply(SelectStratified(by=("s",), rows=60), frame)
    assert counts(kept) == {"web": 25, "code": 25, "maths": 10}
    left, _ = apply(SelectStratified(by=("s",), rows=60, when_short="leave"), frame)
    assert counts(left) == {"web": 20, "code": 20, "maths": 10}
    assert removed["rule"].unique().to_list() == ["not_selected"]
    all_equal, _ = apply(SelectStratified(by=("s",)), frame)
    assert counts(all_equal) == {"web": 10, "code": 10, "maths": 10}, "as many as shares allow"


def test_shares_may_be_given_or_tempered(apply) -> None:
    frame = pl.DataFrame({"s": SOURCES})
    given_, removed = apply(
        SelectStratified(by=("s",), shares={"code": 3, "maths": 1}, rows=20), frame
    )
    assert counts(given_) == {"code": 15, "maths": 5}
    assert counts(removed, "rule")["no_share"] == 60
    tempered, _ = apply(
        SelectStratified(by=("s",), shares="proportional", temperature=2, rows=20), frame
    )
    assert counts(tempered) == {"web": 9, "code": 7, "maths": 4}
    with pytest.raises(SeedbedError, match="did you mean 'maths'"):
        apply(SelectStratified(by=("s",), shares={"math": 1}, rows=2), frame)


def test_the_highest_of_each_value_or_a_seeded_draw(apply) -> None:
    frame = pl.DataFrame({"s": ["a"] * 5, "q": [1, 5, 3, None, 4]})
    best, removed = apply(SelectStratified(by=("s",), highest="q", rows=2), frame)
    assert best["row"].to_list() == [1, 4]
    assert counts(removed, "rule") == {"not_selected": 2, "not_measured": 1}
    many = pl.DataFrame({"s": ["a"] * 400})
    draws = [apply(SelectStratified(by=("s",), rows=20, seed=seed), many)[0] for seed in (1, 1, 2)]
    rows = [draw["row"].to_list() for draw in draws]
    assert rows[0] == rows[1] != rows[2]


def test_sources_are_mixed_in_shares_with_epochs(apply) -> None:
    frame = pl.DataFrame({"s": SOURCES, "n": range(100)})
    operator = MixRows(
        by="s", weights={"web": 0.5, "code": 0.25, "maths": 0.25}, epochs={"maths": 3}, rows=80
    )
    kept, removed = apply(operator, frame)
    used = dict(kept.group_by("s").agg(pl.col("repeats").sum()).rows())
    assert used == {"web": 40, "code": 20, "maths": 20}
    assert kept.filter(pl.col("s") == "maths")["repeats"].to_list() == [2] * 10
    assert kept.filter(pl.col("s") != "maths")["repeats"].unique().to_list() == [1]
    assert removed.height == 30
    told = metrics(operator, frame)
    assert told["share_planned", "maths"] == told["share_realised", "maths"] == 0.25
    assert told["epochs_used", "maths"] == 2 and told["rows_with_repeats", None] == 80


def test_a_source_stops_at_its_epochs_and_what_was_planned_is_told(apply) -> None:
    frame = pl.DataFrame({"s": SOURCES})
    operator = MixRows(by="s", weights={"web": 1, "maths": 1}, epochs=2, rows=70)
    kept, _ = apply(operator, frame)
    assert dict(kept.group_by("s").agg(pl.col("repeats").sum()).rows()) == {"web": 50, "maths": 20}
    told = metrics(operator, frame)
    assert told["share_planned", "maths"] == 0.5
    assert told["share_realised", "maths"] == pytest.approx(20 / 70, abs=1e-6)


def test_a_budget_in_tokens_is_shared_in_tokens(apply) -> None:
    frame = pl.DataFrame({"s": ["a", "b"] * 50, "t": ["one two three four", "one"] * 50})
    operator = MixRows(by="s", weights={"a": 1, "b": 1}, tokens=80, tokens_of=("t",))
    kept, _ = apply(operator, frame)
    assert counts(kept) == {"a": 10, "b": 40}


@given(
    st.lists(st.sampled_from("abc"), max_size=40),
    st.dictionaries(st.sampled_from("abc"), st.integers(1, 5), min_size=1),
    st.integers(1, 60),
    st.integers(1, 4),
)
def test_no_mixture_is_larger_than_its_budget_or_uses_a_row_too_often(
    apply, sources, weights, rows, epochs
) -> None:
    weights = {name: float(weight) for name, weight in weights.items() if name in sources}
    if not weights:
        return
    operator = MixRows(by="s", weights=weights, epochs=epochs, rows=rows)
    kept, _ = apply(operator, pl.DataFrame({"s": sources}))
    used = kept["repeats"].sum()
    room = epochs * sum(source in weights for source in sources)
    assert used == min(rows, room)
    assert kept["repeats"].max() in range(epochs + 1)
    assert set(kept["s"]) <= set(weights)


def test_rows_are_repeated_as_often_as_they_are_to_be_used(apply) -> None:
    frame = pl.DataFrame({"repeats": [2, 1, 0, None, 101, -1], "t": list("abcdef")})
    kept, removed = apply(RepeatRows(), frame)
    assert kept.select("t", "epoch").rows() == [("a", 1), ("a", 2), ("b", 1)]
    told = removed.select("row", "disposition").rows()
    assert sorted(told) == [(2, "dropped"), (3, "dropped"), (4, "quarantined"), (5, "quarantined")]


@pytest.mark.parametrize(
    "given",
    [{}, {"weights": {"a": 0}}, {"weights": {"a": 1}, "epochs": 0.5}, {"weights": {"a": -1}}],
)
def test_what_says_nothing_is_refused(given) -> None:
    with pytest.raises(ValidationError):
        MixRows.model_validate({"by": "s", **given})


@given(
    st.lists(st.tuples(st.floats(0.01, 9), st.floats(0, 50)), min_size=1, max_size=6),
    st.floats(0, 300),
)
def test_what_one_cannot_have_goes_to_the_others(parts, total) -> None:
    import numpy as np

    shares, available = (np.array(each) for each in zip(*parts, strict=True))
    amounts = shared_out(total, shares, available)
    assert (amounts <= available + 1e-9).all()
    assert amounts.sum() == pytest.approx(min(total, available.sum()))
    whole = rounded(amounts)
    assert (np.abs(whole - amounts) < 1 + 1e-6).all() and whole.sum() <= amounts.sum() + 1e-6
