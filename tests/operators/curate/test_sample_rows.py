"""A sample has the size asked for, the same rows everywhere, and says why the others went."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.curate.sample_rows import SampleRows

strata = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60)


def frame(values: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"row": range(len(values)), "by": values}, schema_overrides={"by": pl.String}
    )


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    values=strata, rows=st.integers(1, 70), by=st.sampled_from([None, "by"]), cut=st.integers(0, 60)
)
def test_rows_are_as_many_as_asked_and_however_cut_the_same(apply, values, rows, by, cut) -> None:
    operator = SampleRows(rows=rows, by=by)
    kept, removed = apply(operator, frame(values))
    assert kept.height == min(rows, len(values))
    assert kept["row"].is_sorted()
    assert sorted([*kept["row"], *removed["row"]]) == list(range(len(values)))
    in_parts = apply(operator, frame(values), [cut])
    assert in_parts[0].equals(kept)
    assert in_parts[1].equals(removed)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(values=strata, more=strata, fraction=st.floats(0.01, 1))
def test_rows_appended_later_change_no_earlier_decision(apply, values, more, fraction) -> None:
    operator = SampleRows(fraction=fraction)
    before, _ = apply(operator, frame(values))
    after, _ = apply(operator, frame(values + more))
    assert after["row"].to_list()[: before.height] == before["row"].to_list()
    assert (after["row"][before.height :] >= len(values)).all()


@settings(max_examples=12, deadline=None, derandomize=True)
@given(values=strata, rows=st.integers(1, 60), fraction=st.floats(0.05, 1))
def test_strata_keep_their_shares(apply, values, rows, fraction) -> None:
    sizes = frame(values)["by"].value_counts()
    by_rows, _ = apply(SampleRows(rows=rows, by="by"), frame(values))
    by_fraction, _ = apply(SampleRows(fraction=fraction, by="by"), frame(values))
    for value, size in sizes.iter_rows():
        of_stratum = pl.col("by").eq_missing(value)
        exact = min(rows, len(values)) * size / len(values)
        assert abs(by_rows.filter(of_stratum).height - exact) < 1
        assert abs(by_fraction.filter(of_stratum).height - fraction * size) <= 0.5


def test_the_sample_never_changes(apply) -> None:
    kept, removed = apply(SampleRows(rows=3, seed=7), frame(["a"] * 8))
    assert kept["row"].to_list() == [1, 5, 7]
    assert removed.row(0, named=True) == {
        "row": 0,
        "disposition": "dropped",
        "rule": "not_sampled",
        "measured": "0.9264331102047473",
        "threshold": "<= 0.6962520092761908",
        "survivor": None,
        "similarity": None,
        "error": None,
    }


def test_seeds_differ(apply) -> None:
    samples = [apply(SampleRows(rows=10, seed=s), frame(["a"] * 100))[0]["row"] for s in range(3)]
    assert len({tuple(sample) for sample in samples}) == 3


def test_exactly_one_size_is_given() -> None:
    for wrong in ({}, {"rows": 1, "fraction": 0.5}):
        with pytest.raises(ValidationError, match="`rows` or `fraction`, one of them"):
            SampleRows.model_validate(wrong)
