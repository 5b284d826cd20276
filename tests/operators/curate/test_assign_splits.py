"""Every row gets a split; rows with the same text get the same."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.curate.assign_splits import AssignSplits
from dagster_project.operators.curate.sample_rows import SampleRows

HALVES = AssignSplits(splits={"train": 0.5, "test": 0.5}, group_by=("text",))


def frame(texts: list[str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {"row": range(len(texts)), "text": texts}, {"row": pl.Int64, "text": pl.String}
    )


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data(), cut=st.integers(0, 20))
def test_no_group_is_in_two_splits(apply, texts, data, cut) -> None:
    words = st.sampled_from(["One two", "one  TWO", " one two\n", "Ümläut", "ÜMLÄUT"])
    rows = frame(data.draw(st.lists(words | texts, max_size=20)))
    kept, removed = apply(HALVES, rows)
    assert removed.is_empty()
    assert kept.drop("split").equals(rows)
    assert kept["split"].null_count() == 0
    splits: dict[str, str] = {}
    for text, split in kept.select("text", "split").iter_rows():
        if text is not None:
            key = pl.Series([text]).str.to_lowercase().str.replace_all(r"\s+", " ")
            assert splits.setdefault(key.str.strip_chars(" ").item(), split) == split
    assert apply(HALVES, rows, [cut])[0].equals(kept)


def test_shares_are_about_those_asked_for_and_rows_stay_where_they_are(apply) -> None:
    rows = frame([f"text {number}" for number in range(20_000)])
    operator = AssignSplits()
    kept, _ = apply(operator, rows)
    shares = dict(kept["split"].value_counts(normalize=True).iter_rows())
    for name, share in operator.splits.items():
        assert abs(shares[name] - share) < 0.01
    fewer, _ = apply(operator, rows[:5_000])
    assert fewer["split"].equals(kept["split"][:5_000])


def test_the_order_in_which_splits_are_written_means_nothing(apply) -> None:
    rows = frame([f"text {number}" for number in range(100)])
    names = {"b": 0.25, "a": 0.25, "train": 0.5}
    one, _ = apply(AssignSplits(splits=names), rows)
    other, _ = apply(AssignSplits(splits=dict(reversed(names.items()))), rows)
    assert one.equals(other)


def test_nulls_stand_alone(apply) -> None:
    kept, _ = apply(HALVES, frame([None] * 200))
    assert kept["split"].n_unique() == 2


def test_a_sample_with_the_same_seed_leaves_the_shares(apply) -> None:
    split, _ = apply(HALVES, frame([f"text {number}" for number in range(2_000)]))
    sampled, _ = apply(SampleRows(fraction=0.5), split)
    assert abs((sampled["split"] == "test").mean() - 0.5) < 0.05


def test_chat_messages_group_by_their_contents(apply) -> None:
    chats = [[{"role": "user", "content": text}] for text in ("a B", "A  b", "c")] * 50
    kept, _ = apply(AssignSplits(splits={"x": 0.5, "y": 0.5}), pl.DataFrame({"messages": chats}))
    assert kept["split"][0] == kept["split"][1] == kept["split"][3]


def test_a_split_column_is_never_overwritten(apply) -> None:
    with pytest.raises(SeedbedError, match=r"there is a column 'split' already; .* `into`"):
        apply(AssignSplits(), pl.DataFrame({"text": ["a"], "split": ["test"]}))


@pytest.mark.parametrize(
    ("splits", "message"),
    [({"a": 0.5, "b": 0.4}, "add up to 0.9, not to 1"), ({"a": 1.0, "b": 0.0}, "above 0")],
)
def test_shares_add_up(splits: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        AssignSplits(splits=splits)
