"""A row is followed forward to every version that descends from it."""

from __future__ import annotations

import pytest

from dagster_project.warehouse.address import RowAddress
from dagster_project.warehouse.impact import impact
from dagster_project.warehouse.manifest import head_path
from dagster_project.warehouse.trace import trace
from dagster_project.workspace import VersionName


def four_versions(warehouse, make):
    source = warehouse.land({"a.jsonl": make.lines("One. Two", "one. two", "x", "Three")})
    warehouse.publish("raw/v1", {"found": source})
    warehouse.publish("clean/v1", {"raw": "raw/v1"}, [make.lower(), make.dedup()])
    warehouse.publish("parts/v1", {"clean": "clean/v1"}, [make.sentences(), make.drop_shorter(2)])
    warehouse.publish("other/v1", {"raw": "raw/v1"}, [make.drop_shorter(2)])


@pytest.fixture
def family(copy_of):
    return copy_of(four_versions)[0]


def told(found) -> dict:
    return {
        str(reach.snapshot.version): (
            reach.hops,
            [row.row_id for row in reach.first],
            [row.row_id for row in reach.first_stand_ins],
        )
        for reach in found.reached
    }


def test_forward_through_splits_and_merges(family):
    store = family.store
    assert told(impact(store, RowAddress.parse("raw/v1:0"))) == {
        "clean/v1": (1, [0], []), "other/v1": (1, [0], []), "parts/v1": (2, [0, 1], []),
    }  # fmt: skip
    assert told(impact(store, RowAddress.parse("raw/v1:1"))) == {
        "clean/v1": (1, [], [0]), "other/v1": (1, [1], []), "parts/v1": (2, [], [0, 1]),
    }  # fmt: skip
    assert told(impact(store, RowAddress.parse("raw/v1:2"))) == {"clean/v1": (1, [1], [])}
    assert told(impact(store, RowAddress.parse("parts/v1:0"))) == {}


def test_only_current_snapshots_unless_all_are_asked_for(family, make):
    store = family.store
    old = impact(store, RowAddress.parse("raw/v1:3")).row
    fresh = family.land({"a.jsonl": make.lines("New")})
    family.publish("raw/v1", {"found": fresh})
    family.publish("clean/v1", {"raw": "raw/v1"})
    assert [str(r.snapshot.version) for r in impact(store, old).reached] == ["other/v1", "parts/v1"]
    every = impact(store, old, every_snapshot=True).reached
    assert [(str(r.snapshot.version), r.current) for r in every] == [
        ("clean/v1", False), ("other/v1", True), ("parts/v1", True),
    ]  # fmt: skip
    assert told(impact(store, RowAddress.parse("raw/v1:0"))) == {"clean/v1": (1, [0], [])}


def test_impact_is_the_inverse_of_trace(family):
    store = family.store
    forward = {
        (reach.snapshot.version, row.row_id, number)
        for number in range(4)
        for reach in impact(store, RowAddress.parse(f"raw/v1:{number}")).reached
        for row in reach.first
    }
    backward = set()
    for name, rows in {"clean/v1": 3, "parts/v1": 3, "other/v1": 3}.items():
        for number in range(rows):
            start = RowAddress.parse(f"{name}:{number}")
            for each in trace(store, start).rows:
                if each.address.version.dataset == "raw":
                    backward.add((start.version, number, each.address.row_id))
    assert forward == backward


def test_a_damaged_version_does_not_hide_the_others(family):
    head_path(family.store, VersionName("parts", "v1")).write_bytes(b"")
    with pytest.warns(UserWarning, match=r"snapshots of parts/v1 are left out"):
        found = impact(family.store, RowAddress.parse("raw/v1:2"))
    assert told(found) == {"clean/v1": (1, [1], [])}
