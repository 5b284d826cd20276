"""A row is followed back over versions to the records it was made from."""

from __future__ import annotations

import pytest

from dagster_project.warehouse.address import AddressRefused, RowAddress
from dagster_project.warehouse.reading import Reader
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.verified import SnapshotDamaged


def row(text: str) -> RowAddress:
    return RowAddress.parse(text)


def three_versions(warehouse, make):
    """raw -> clean -> train, with a merge and a split."""
    source = warehouse.land(
        {
            "a.jsonl": make.lines("Hello there. Bye now", "x", "HELLO there. Bye now"),
            "b.jsonl": make.lines("other text", "last"),
        },
        block_rows=2,
    )
    warehouse.publish("raw/v1", {"found": source})
    warehouse.publish(
        "clean/v1", {"raw": "raw/v1"}, [make.lower(), make.dedup(), make.drop_shorter(3)]
    )
    return warehouse.publish("train/v1", {"clean": "clean/v1"}, [make.sentences()])


@pytest.fixture
def three(copy_of):
    return copy_of(three_versions)


def test_three_versions_with_a_merge_and_a_split(three):
    warehouse, at = three
    assert [r["text"] for r in warehouse.rows(at)] == [
        "hello there", "bye now", "other text", "last",
    ]  # fmt: skip
    found = trace(warehouse.store, row("train/v1:1"))
    assert [str(each.address).split("@")[0] for each in found.rows] == [
        "train/v1", "clean/v1", "raw/v1",
    ]  # fmt: skip
    top, middle, bottom = (each.parents[0] for each in found.rows)
    assert (top.relation, top.ordinal, [(s.name, s.changed) for s in top.steps]) == (
        "split", 1, [("sentences", True)],
    )  # fmt: skip
    assert (middle.relation, [(s.name, s.changed) for s in middle.steps]) == (
        "changed", [("lower", True), ("dedup", False), ("length", False)],
    )  # fmt: skip
    (duplicate,) = middle.duplicates
    assert (middle.duplicate_count, duplicate.number, duplicate.step, duplicate.similarity) == (
        1, 2, "dedup", 0.9,
    )  # fmt: skip
    assert duplicate.row is not None
    assert duplicate.row.version.dataset == "raw"
    assert bottom.source is not None
    record = bottom.source.record
    assert (record.file, record.line, record.raw) == (
        "a.jsonl", 1, '{"text": "Hello there. Bye now"}',
    )  # fmt: skip
    assert record.uri == "file:///a.jsonl"
    assert record.sha256 is not None
    assert record.excerpt(12) == '{"text": "H…'
    assert bottom.source.licence == "CC-BY-4.0"
    assert not found.truncated


def test_follows_the_snapshots_that_were_read_not_the_current_ones(three, make):
    warehouse, at = three
    newer = warehouse.land({"a.jsonl": make.lines("something else")})
    warehouse.publish("raw/v1", {"found": newer})
    warehouse.publish("clean/v1", {"raw": "raw/v1"})
    (source,) = trace(warehouse.store, RowAddress(at.version, at.snapshot_id, 3)).sources
    assert (source.record.file, source.record.line) == ("b.jsonl", 2)


def test_a_row_with_many_parents_is_a_tree_and_a_shared_ancestor_is_told_once(warehouse, make):
    source = warehouse.land({"a.jsonl": make.lines("a", "b", "c")})
    warehouse.publish("raw/v1", {"found": source})
    pair = make.step("pair", "join", lambda data: True)
    warehouse.publish("left/v1", {"raw": "raw/v1"}, [pair])
    warehouse.publish("right/v1", {"raw": "raw/v1"})
    warehouse.publish("both/v1", {"left": "left/v1", "right": "right/v1"}, [pair])
    found = trace(warehouse.store, row("both/v1:0"))
    names = [f"{each.address.version}:{each.address.row_id}" for each in found.rows]
    assert names == [
        "both/v1:0", "left/v1:0", "right/v1:0", "right/v1:1", "right/v1:2",
        "raw/v1:0", "raw/v1:1", "raw/v1:2",
    ]  # fmt: skip
    assert [s.record.line for s in found.sources] == [1, 2, 3]
    cut = trace(warehouse.store, row("both/v1:0"), most=3)
    assert cut.truncated
    assert len(cut.rows) == 3


def test_duplicates_of_duplicates_and_of_split_rows(warehouse, make):
    source = warehouse.land({"a.jsonl": make.lines("AB. c", "ab. c", "aB. C", "z")})
    by_first = make.step("first", "merge", lambda data: data["text"].lower())
    at = warehouse.publish("d/v1", {"found": source}, [by_first, make.sentences(), make.lower()])
    assert [r["text"] for r in warehouse.rows(at)] == ["ab", "c", "z"]
    for number in (0, 1):  # both parts of the survivor stand for its duplicates
        (parent,) = trace(warehouse.store, row(f"d/v1:{number}")).rows[0].parents
        assert [d.number for d in parent.duplicates] == [1, 2]
    source = warehouse.land({"a.jsonl": make.lines("x", "y", "Y")})
    chain = [
        make.step("one", "merge", lambda data: data["text"].lower()),
        make.step("two", "merge", lambda data: True),
    ]
    warehouse.publish("e/v1", {"found": source}, chain)
    (parent,) = trace(warehouse.store, row("e/v1:0")).rows[0].parents
    assert [(d.number, d.step) for d in parent.duplicates] == [(1, "two"), (2, "one")]


def test_steps_of_other_inputs_are_not_told(warehouse, make):
    one = warehouse.land({"a.jsonl": make.lines("Abc")})
    two = warehouse.land({"b.jsonl": make.lines("Def")})
    steps = [make.step(f"{name}_only", "edit", lambda data: data, name) for name in ("one", "two")]
    warehouse.publish("d/v1", {"one": one, "two": two}, steps)
    for number, name in enumerate(("one_only", "two_only")):
        (parent,) = trace(warehouse.store, row(f"d/v1:{number}")).rows[0].parents
        assert [step.name for step in parent.steps] == [name]


def test_a_record_of_a_typed_source_and_an_open_reader(warehouse, make):
    source = warehouse.land({"a.parquet": make.lines("one", "two")}, typed=True)
    warehouse.publish("d/v1", {"found": source})
    with Reader(warehouse.store) as reader:
        records = [trace(reader, row(f"d/v1:{n}")).sources[0].record for n in (0, 1, 1)]
    assert [(r.raw, r.fields) for r in records[1:]] == [(None, '{"text":"two"}')] * 2
    assert records[0].excerpt() == '{"text":"one"}'


def test_a_landed_block_that_was_altered_is_not_read(three):
    warehouse, _ = three
    for path in warehouse.store.landed.glob("blocks/*/*/origin.parquet"):
        path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(SnapshotDamaged, match=r"origin\.parquet of raw/v1"):
        trace(warehouse.store, row("train/v1:0"))


def test_json_and_refusals(three):
    warehouse, _ = three
    said = trace(warehouse.store, row("train/v1:0")).model_dump(mode="json")
    assert said["row"].startswith("train/v1@")
    assert said["rows"][2]["parents"][0]["source"]["record"]["line"] == 1
    with pytest.raises(AddressRefused, match="has 4 rows"):
        trace(warehouse.store, row("train/v1:4"))
    for text in (
        "train/v1",
        "train/v1:-1",
        "train/v1:1e3",
        "train/v1@../x:1",
        "train/v1:" + "9" * 30,
    ):
        with pytest.raises(AddressRefused):
            row(text)
