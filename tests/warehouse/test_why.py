"""Every row that is missing has a reason, in whichever version it left."""

from __future__ import annotations

import pytest

from dagster_project.warehouse.address import AddressRefused, RowAddress, SourceAddress
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

TRAIN = VersionName("train", "v1")


def three_versions(warehouse, make):
    """raw -> clean -> train; line 6 is unreadable, line 2 short, 3 a duplicate, 5 fails."""
    lines = make.lines("Hello there. Bye now", "x", "HELLO there. Bye now", "Kept as it is", "bad!")
    source = warehouse.land({"data/a.jsonl": [*lines, "{oops", *make.lines("tiny. ok")]}, 3)
    warehouse.publish("raw/v1", {"found": source})
    warehouse.publish(
        "clean/v1", {"raw": "raw/v1"},
        [make.lower(), make.dedup(), make.drop_shorter(3), make.numbers_only()],
    )  # fmt: skip
    warehouse.publish("train/v1", {"clean": "clean/v1"}, [make.sentences(), make.drop_shorter(4)])


@pytest.fixture
def three(copy_of):
    return copy_of(three_versions)[0]


def ask(warehouse, text: str):
    return why(warehouse.store, TRAIN, text)


def test_dropped(three):
    (fate,) = ask(three, "raw/v1:1").fates
    (removal,) = fate.removed
    assert str(fate.snapshot.version) == "clean/v1"
    assert (removal.disposition, removal.step, removal.operator) == ("dropped", "length", "drop")
    assert (removal.rule, removal.measured, removal.threshold) == ("too_short", "1", ">= 3")


def test_merged_names_the_survivor_and_what_became_of_it(three):
    found = ask(three, "raw/v1:2")
    (removal,) = found.fates[0].removed
    assert (removal.disposition, removal.step, removal.similarity) == ("merged", "dedup", 0.9)
    assert removal.survivor is not None
    assert removal.survivor.row is not None
    assert removal.survivor.row.row_id == 0
    (arrival,) = removal.survivor.arrived
    assert [a.row.row_id for a in arrival.then[0].arrived] == [0, 1]
    assert found.present == ()
    assert [row.row_id for row in found.stand_ins] == [0, 1]


def test_quarantined_and_unreadable(three):
    (removal,) = ask(three, "raw/v1:4").fates[0].removed
    assert (removal.disposition, removal.step, removal.error) == (
        "quarantined",
        "parse",
        "no digit",
    )
    assert removal.content == '{"text": "bad!"}'
    found = ask(three, "data/a.jsonl:6")
    (removal,) = found.fates[0].removed
    assert (removal.disposition, removal.step) == ("quarantined", "landing")
    assert removal.error is not None
    assert removal.error.startswith("not a record")
    assert found.source is not None
    assert (found.source.raw, found.source.line) == ("{oops", 6)


def test_partly_there(three):
    found = ask(three, "found:6")
    assert found.source is not None
    assert found.source.raw == '{"text": "tiny. ok"}'
    assert [str(row.version) for row in found.present] == ["train/v1"]
    last = found.fates[0].arrived[0].then[0].arrived[0].then[0]
    assert [(r.rule, r.ordinal, r.measured) for r in last.removed] == [("too_short", 1, "2")]
    assert [(a.relation, a.changed_by) for a in last.arrived] == [("split", ("sentences",))]


def test_addresses_of_records(three):
    by_number = ask(three, "found:3")
    for text in ("data/a.jsonl:4", "a.jsonl:4"):
        assert ask(three, text).fates == by_number.fates
    assert why(three.store, TRAIN, SourceAddress("found", 3)).present == by_number.present
    assert ask(three, f"{by_number.present[0]}").present == by_number.present
    for text, problem in {
        "found:7": "has 7 records",
        "a.jsonl:8": "no record starts on line 8",
        "b.jsonl:1": "its files data/a.jsonl",
        "raw/v1:6": "has 6 rows",
        "raw/v1@other:1": "was not made from raw/v1@other",
    }.items():
        with pytest.raises(AddressRefused, match=problem):
            ask(three, text)
    with pytest.raises(AddressRefused, match="was not made from train/v1"):
        why(three.store, VersionName("raw", "v1"), RowAddress.parse("train/v1:0"))


def test_the_snapshot_that_was_read_is_meant_not_the_current_one(three, make):
    three.publish("raw/v1", {"found": three.land({"data/a.jsonl": make.lines("new")})})
    assert ask(three, "raw/v1:1").fates[0].removed[0].rule == "too_short"


def test_part_of_a_split_row_merged_into_another_part(warehouse, make):
    source = warehouse.land({"a.jsonl": make.lines("same. same. b", "b")})
    warehouse.publish("train/v1", {"found": source}, [make.sentences(), make.dedup()])
    found = ask(warehouse, "found:0")
    (removal,) = found.fates[0].removed
    assert (removal.ordinal, removal.disposition) == (1, "merged")
    assert removal.survivor is not None
    assert [a.row.row_id for a in removal.survivor.arrived] == [0]
    assert [row.row_id for row in found.present] == [0, 1]
    (removal,) = ask(warehouse, "found:1").fates[0].removed
    assert removal.survivor is not None
    assert [a.row.row_id for a in removal.survivor.arrived] == [1]


def test_two_ways_to_a_version(warehouse, make):
    warehouse.publish("raw/v1", {"found": warehouse.land({"a.jsonl": make.lines("ab", "abcdef")})})
    warehouse.publish("left/v1", {"raw": "raw/v1"}, [make.drop_shorter(3)])
    warehouse.publish("right/v1", {"raw": "raw/v1"})
    warehouse.publish("train/v1", {"left": "left/v1", "right": "right/v1"}, [make.drop_shorter(5)])
    found = ask(warehouse, "raw/v1:0")
    assert sorted(str(fate.snapshot.version) for fate in found.fates) == ["left/v1", "right/v1"]
    assert found.present == ()
    assert len(ask(warehouse, "raw/v1:1").present) == 2
    assert found.model_dump(mode="json")["snapshot"].startswith("train/v1@")


def test_every_record_has_a_fate(three):
    def ends(fates) -> int:
        return sum(
            len(fate.removed) + sum(ends(arrival.then) or 1 for arrival in fate.arrived)
            for fate in fates
        )

    found = [ask(three, f"found:{number}") for number in range(7)]
    assert [ends(each.fates) for each in found] == [2, 1, 1, 1, 1, 1, 2]
    assert sum(len(each.present) for each in found) == 4
