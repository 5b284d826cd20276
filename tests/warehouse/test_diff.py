"""Two versions are compared row by row, and every difference has a cause."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.diff import diff
from dagster_project.workspace import VersionName


def compare(warehouse, a: str, b: str):
    found = diff(warehouse.store, SnapshotAddress.parse(a), SnapshotAddress.parse(b))
    assert found.rows_a == found.unchanged + found.changed + found.left
    assert found.rows_b == found.unchanged + found.changed + found.entered
    counted = Counter(found.rows["change"].to_list())
    assert counted == {
        change: n
        for change, n in (
            ("changed", found.changed), ("entered", found.entered), ("left", found.left)
        )
        if n
    }  # fmt: skip
    assert sum(cause.rows for cause in found.causes) == found.rows.height
    return found


def causes(found) -> set:
    return {
        (c.change, c.cause, c.step, c.rule, c.changed_in_a, c.changed_in_b, c.rows)
        for c in found.causes
    }


def six_rows(warehouse, make):
    lines = make.lines("Alpha one", "x", "ALPHA one", "Beta", "gamma!", "delta")
    warehouse.publish("raw/v1", {"found": warehouse.land({"a.jsonl": lines})})


@pytest.fixture
def raw(copy_of):
    return copy_of(six_rows)[0]


def test_b_is_made_from_a(raw, make):
    raw.publish(
        "clean/v1", {"raw": "raw/v1"},
        [make.lower(), make.dedup(), make.drop_shorter(3), make.numbers_only()],
    )  # fmt: skip
    found = compare(raw, "raw/v1", "clean/v1")
    assert (found.unchanged, found.changed, found.entered, found.left) == (1, 2, 0, 3)
    assert causes(found) == {
        ("changed", "steps", None, None, None, "lower", 2),
        ("left", "removed", "dedup", "same", None, None, 1),
        ("left", "removed", "length", "too_short", None, None, 1),
        ("left", "removed", "parse", None, None, None, 1),
    }
    short = next(cause for cause in found.causes if cause.step == "length")
    assert (short.threshold, [str(row).split("@")[0] for row in short.examples]) == (
        ">= 3", ["raw/v1"],
    )  # fmt: skip
    assert short.examples[0].row_id == 1
    listed = found.rows.filter(found.rows["step"] == "length").row(0, named=True)
    assert (listed["a_row"], listed["b_row"], listed["measured"]) == (1, None, "1")
    assert '"rows"' not in found.model_dump_json().split('"causes"')[0]
    back = compare(raw, "clean/v1", "raw/v1")
    assert ("entered", "removed", "dedup", "same", None, None, 1) in causes(back)
    assert ("changed", "steps", None, None, "lower", None, 2) in causes(back)


def test_both_made_from_the_same_upstream(raw, make):
    raw.publish("d/v1", {"raw": "raw/v1"}, [make.drop_shorter(5)])
    raw.publish("d/v2", {"raw": "raw/v1"}, [make.lower("small"), make.dedup("near")])
    found = compare(raw, "d/v1", "d/v2")
    assert causes(found) == {
        ("changed", "steps", None, None, None, "small", 1),
        ("entered", "removed", "length", "too_short", None, None, 2),
        ("left", "removed", "near", "same", None, None, 1),
    }
    entered = next(cause for cause in found.causes if cause.change == "entered")
    assert str(entered.snapshot).startswith("d/v1@")


def test_over_several_hops_and_another_input(raw, make):
    raw.publish("mid/v1", {"raw": "raw/v1"}, [make.lower(), make.drop_shorter(3)])
    raw.publish("top/v1", {"mid": "mid/v1"}, [make.step("shout", "edit", lambda data: {
        "text": data["text"].upper()})])  # fmt: skip
    more = raw.land({"more.jsonl": make.lines("extra")})
    raw.publish("side/v1", {"raw": "raw/v1", "more": more})
    found = compare(raw, "side/v1", "top/v1")
    assert causes(found) == {
        ("changed", "steps", None, None, None, "mid/v1 lower, shout", 3),
        ("changed", "steps", None, None, None, "shout", 2),
        ("left", "removed", "length", "too_short", None, None, 1),
        ("left", "new source", None, None, None, None, 1),
    }
    removed = next(cause for cause in found.causes if cause.step == "length")
    assert str(removed.snapshot).startswith("mid/v1@")


@pytest.mark.parametrize("typed", [False, True])
def test_a_source_that_grew_and_was_edited(warehouse, make, typed):
    lines = make.lines(*(f"line {n}" for n in range(10)))
    steps = [make.step("mark", "edit", lambda data: {"text": data["text"] + "."})]
    first = warehouse.publish("d/v1", {"found": warehouse.land({"a.jsonl": lines}, typed=typed)})
    grown = [lines[0], *make.lines("edited"), *lines[2:], *make.lines("new", "line 3")]
    warehouse.publish("d/v1", {"found": warehouse.land({"a.jsonl": grown}, typed=typed)}, steps)
    found = compare(warehouse, str(first), "d/v1")
    assert causes(found) == {
        ("changed", "steps", None, None, None, "mark", 9),
        ("left", "new source", None, None, None, None, 1),
        ("entered", "new source", None, None, None, None, 3),
    }


def test_an_unreadable_record_that_was_mended(warehouse, make):
    lines = make.lines("a", "b")
    warehouse.publish("d/v1", {"found": warehouse.land({"a.jsonl": [*lines, "{oops"]})})
    mended = [*lines, *make.lines("mended")]
    warehouse.publish("e/v1", {"found": warehouse.land({"a.jsonl": mended})})
    assert causes(compare(warehouse, "d/v1", "e/v1")) == {
        ("entered", "new source", None, None, None, None, 1)
    }
    warehouse.publish("f/v1", {"found": warehouse.land({"a.jsonl": ["1", *lines]}, 3)})
    warehouse.publish("g/v1", {"found": warehouse.land({"a.jsonl": ["1", *lines]}, 3)})
    assert compare(warehouse, "f/v1", "g/v1").rows.height == 0


def test_without_a_common_origin_content_counts(warehouse, make):
    warehouse.publish("d/v1", {"x": warehouse.land({"a.jsonl": make.lines("a", "b", "b", "c")})})
    warehouse.publish("d/v2", {"y": warehouse.land({"b.jsonl": make.lines("b", "z", "a")})})
    found = compare(warehouse, "d/v1", "d/v2")
    assert not found.related
    assert (found.unchanged, found.changed) == (2, 0)
    assert causes(found) == {
        ("entered", "no common origin", None, None, None, None, 1),
        ("left", "no common origin", None, None, None, None, 2),
    }


def test_generated_rows_splits_and_columns(raw, make):
    again = make.step("rewrite", "generate", lambda data: {"text": data["text"] + "?"})
    halves = make.step("halves", "split", lambda data: [
        {"text": data["text"], "n": 1}, {"text": "", "n": 2}])  # fmt: skip
    raw.publish("d/v1", {"raw": "raw/v1"}, [again])
    found = compare(raw, "raw/v1", "d/v1")
    assert causes(found) == {("entered", "generated", None, None, None, None, 6)}
    assert found.unchanged == 6
    raw.publish("e/v1", {"raw": "raw/v1"}, [halves])
    found = compare(raw, "raw/v1", "e/v1")
    assert causes(found) == {
        ("changed", "steps", None, None, None, "halves", 6),
        ("entered", "other part", None, None, None, None, 6),
    }
    assert [(c.column, c.before, c.after) for c in found.columns] == [("n", None, "BIGINT")]


def test_rows_with_many_parents(raw, make):
    pairs = make.step("pair", "join", lambda data: data["text"].lower())
    raw.publish("d/v1", {"raw": "raw/v1"}, [pairs])
    found = compare(raw, "raw/v1", "d/v1")
    assert (found.unchanged, found.rows_b) == (5, 5)
    assert causes(found) == {("left", "other part", None, None, None, None, 1)}


def test_a_version_and_itself_and_its_older_self(raw):
    assert compare(raw, "raw/v1", "raw/v1").rows.height == 0
    one, two = VersionName("raw", "v1"), VersionName("raw", "v1")
    assert diff(raw.store, one, two).unchanged == 6


def test_a_common_origin_above_another(raw, make):
    """b reads a's input as well as a: rows correspond by the input both have."""
    raw.publish("a/v1", {"raw": "raw/v1"}, [make.drop_shorter(5)])
    raw.publish("b/v1", {"a": "a/v1", "raw": "raw/v1"})
    found = compare(raw, "a/v1", "b/v1")
    assert (found.unchanged, found.changed, found.left) == (4, 0, 0)
    assert causes(found) == {
        ("entered", "other part", None, None, None, None, 4),
        ("entered", "removed", "length", "too_short", None, None, 2),
    }


@settings(
    max_examples=4, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    texts=st.lists(st.sampled_from(["A", "bb", "CCC", "ccc", "dd. ee", "f!"]), max_size=12),
    one=st.lists(st.integers(0, 4), max_size=3),
    two=st.lists(st.integers(0, 4), max_size=3),
)
def test_any_two_recipes_over_one_source(warehouse, make, texts, one, two):
    """As many rows are unchanged as have equal origin and content; every row that left or entered
    was removed by a step, or is another part of its origin."""
    menu = [
        make.lower, make.dedup, lambda name: make.drop_shorter(2, name), make.numbers_only,
        make.sentences,
    ]  # fmt: skip
    warehouse.publish("raw/v1", {"found": warehouse.land({"a.jsonl": make.lines(*texts)})})
    sides = [
        warehouse.publish(
            f"d/v{n}", {"raw": "raw/v1"}, [menu[i](f"s{k}") for k, i in enumerate(chosen)]
        )
        for n, chosen in enumerate((one, two))
    ]
    found = compare(warehouse, str(sides[0]), str(sides[1]))
    if texts:
        assert {c.cause for c in found.causes} <= {"steps", "removed", "other part"}
    a, b = (Counter(str(row) for row in warehouse.rows(side)) for side in sides)
    assert found.unchanged <= (a & b).total()
    left = found.rows.filter(found.rows["change"] == "left")
    for step, rule in left.select("step", "rule").iter_rows():
        assert step is None or step in [f"s{k}" for k in range(len(two))], rule
