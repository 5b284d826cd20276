"""Equal rows are merged into one that stays."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.deduplicate_exact import DeduplicateExact

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
SCHEMA = {"row": pl.Int64, "a": pl.String, "b": pl.String, "m": MESSAGES}


def operator(**options) -> DeduplicateExact:
    return DeduplicateExact.model_validate(options)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data(), keep=st.sampled_from(["first", "last", "longest"]), cut=st.integers(0, 12))
def test_one_of_each_stays(apply, data, keep, cut) -> None:
    text = st.sampled_from(["", "a", "ab", "b", "A b", None, "日本"])
    message = st.builds(lambda r, c: {"role": r, "content": c}, st.sampled_from(["u", None]), text)
    row = st.tuples(text, text, st.none() | st.lists(message, max_size=2))
    rows = data.draw(st.lists(row, max_size=12))
    frame = pl.DataFrame([(i, *row) for i, row in enumerate(rows)], SCHEMA, orient="row")
    kept, removed = apply(operator(columns=["a", "b", "m"], keep=keep), frame)
    groups: dict[object, list[int]] = {}
    for index, found in enumerate(rows):
        key = index if found == (None, None, None) else repr(found)
        groups.setdefault(key, []).append(index)
    expected = sorted(group[-1] if keep == "last" else group[0] for group in groups.values())
    assert kept["row"].to_list() == expected
    for gone, survivor in removed.select("row", "survivor").iter_rows():
        assert rows[gone] == rows[survivor]
        assert survivor in expected
    assert set(removed["disposition"]) <= {"merged"}
    assert set(removed["similarity"]) <= {1.0}
    in_parts = apply(operator(columns=["a", "b", "m"], keep=keep), frame, [cut])
    assert in_parts[0].equals(kept)
    assert in_parts[1].equals(removed)


def test_case_and_space_can_make_no_difference(apply) -> None:
    frame = pl.DataFrame(
        {"a": ["One  two", "one two\n", "ÜBER\u00a0x", "über x", "one, two", None, None]}
    )
    kept, removed = apply(operator(columns=["a"], normalize="whitespace_case"), frame)
    assert kept["a"].to_list() == ["One  two", "ÜBER\u00a0x", "one, two", None, None]
    assert removed.select("row", "rule", "threshold", "survivor").rows() == [
        (1, "duplicate", "equal but for case and space", 0),
        (3, "duplicate", "equal but for case and space", 2),
    ]


def test_the_longest_of_those_taken_for_equal_stays(apply) -> None:
    frame = pl.DataFrame({"a": ["x y", "x  y", "X \n Y", "x\ty\n "], "b": [1, 1, 1, 1]})
    options = {"columns": ["a", "b"], "normalize": "whitespace_case", "keep": "longest"}
    kept, removed = apply(operator(**options), frame)
    assert kept["a"].to_list() == ["X \n Y"]
    assert set(removed["survivor"]) == {2}


def test_columns_are_not_run_together_and_types_may_be_any(apply) -> None:
    frame = pl.DataFrame({"a": ["x", "xy", "x"], "b": ["yz", "z", "yz"], "n": [1.0, 1.0, 1.0]})
    assert apply(operator(), frame)[0].rows() == [("x", "yz", 1.0), ("xy", "z", 1.0)]


def test_longest_needs_a_text(apply) -> None:
    with pytest.raises(SeedbedError, match="column 'n' is Int64, but must be text"):
        apply(operator(columns=["n"], keep="longest"), pl.DataFrame({"n": [1]}))
