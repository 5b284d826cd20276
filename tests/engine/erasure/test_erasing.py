"""Erased rows are gone from every byte of the store."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dagster_project.engine.erasure.carrying_out import erase, finish_erasures
from dagster_project.engine.erasure.plan import (
    ErasurePlan,
    ErasureRefused,
    plan_erasure,
)
from dagster_project.warehouse.address import RowAddress, SnapshotAddress
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.erasure.notes import (
    ErasureUnfinished,
    alone,
    building,
    unfinished_erasures,
)
from dagster_project.warehouse.failpoints import ERASURE_FAILPOINTS
from dagster_project.warehouse.history import history, sample
from dagster_project.warehouse.impact import impact
from dagster_project.warehouse.locate import parse_address
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.verify import verify
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName
from tests.conftest import Space
from tests.engine.erasure.erasing import REASON, carried_out, places

CANARY = "Xanthippe of Zwolle keeps four purple herons in her shed and tells nobody why"
PART = "keeps four purple herons in her shed"
"""What the exam has of it, too, and a pair of alike texts tells."""
VERSIONS = ("ref/v1", "a/v1", "b/v1", "c/v1", "e/v1", "f/v1")

RAW = """
inputs: {log: {files: log.jsonl}}
steps:
  - filter_length: {column: text, min_characters: 5}
"""
MERGED = """
inputs: {raw: {version: a/v1}}
steps:
  - deduplicate_exact: {columns: [text]}
"""
CHANGED = """
inputs: {merged: {version: b/v1}}
steps:
  - map_columns: {add: {text: lower(text)}}
"""
NEVER = """
description: it fails
expectations:
  - expect_table_row_count_to_equal: {value: 3}
"""
BROKEN = """
limits: {quarantine: 1}
inputs: {raw: {version: a/v1}}
steps:
  - map_columns:
      add: {n: "CAST(CASE WHEN text LIKE 'X%' THEN text ELSE '1' END AS INTEGER)"}
"""
COMPARED = """
inputs: {raw: {version: a/v1}}
references: {exam: {version: ref/v1}}
steps:
  - decontaminate: {columns: [text], against: {exam: [text]}, variant: palm, threshold: 0.3}
"""


def erased_row(space: Space, row: str = "a/v1:6", *, duplicates: bool = True) -> ErasurePlan:
    """Erase a row; returns what was planned."""
    planned = plan_erasure(space.store, [RowAddress.parse(row)], duplicates=duplicates)
    carried_out(space.store, planned)
    return planned.plan


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Space:
    """A row with a text of its own, the same text once more, and versions made from them: one that
    merges the two, one that changes texts, one that finds them in a reference, a rejected snapshot and a
    trial. Row 6 of `a/v1` is the text, record 7 of the log; rows 12 and 13 are like it."""
    space = Space(tmp_path_factory.mktemp("planted"))
    (space.root / "workspace.yaml").write_text("load_from: []\n")
    rows = [{"user": f"u{n}", "text": f"an ordinary row of number {n}"} for n in range(20)]
    rows[3] = {"user": "u3", "text": "tiny"}
    rows[7] = {"user": "u17", "text": CANARY}
    rows[13] = {"user": "u17b", "text": CANARY}
    space.jsonl("log.jsonl", rows)
    exam = "Who of Zwolle keeps four purple herons in her shed and tells nobody?"
    space.jsonl("exam.jsonl", [{"text": exam}])
    space.recipe("ref/v1", "inputs: {exam: {files: exam.jsonl}}\n")
    space.recipe("a/v1", RAW)
    space.recipe("b/v1", MERGED)
    space.recipe("c/v1", CHANGED)
    space.suite("never", NEVER)
    space.recipe("d/v1", RAW + "checks:\n  - never\n")
    space.recipe("e/v1", COMPARED)
    space.recipe("f/v1", BROKEN)
    for name in (*VERSIONS, "d/v1"):
        space.publish(name)
    space.publish("a/v1", sample=1000)
    return space


@pytest.fixture
def planted(built: Space, tmp_path: Path) -> Space:
    """A copy of it."""
    return Space(Path(shutil.copytree(built.root, tmp_path / "copy")))


def rows_of(space: Space, name: str) -> list[tuple]:
    with connect(space.store) as connection:
        return connection.execute(f"SELECT row_id, text FROM {name} ORDER BY 1").fetchall()


def test_it_is_gone_from_every_byte_and_a_build_does_not_bring_it_back(planted: Space) -> None:
    store = planted.store
    before = places(store.root, CANARY)
    tables = {place.split("/")[-3] + place.split(":")[-1] for place in before if "table" in place}
    assert tables == {
        *(f"{name} table rows" for name in "abcd"),
        "f table dispositions",
        "f table quarantine",
    }
    assert any("table pairs" in place for place in places(store.root, PART))
    plan = erased_row(planted)
    assert places(store.root, CANARY) == []
    assert not any("table pairs" in place for place in places(store.root, PART))
    with connect(store) as connection:
        hashes = 'SELECT count(*) FROM "a/v1".row_hashes'
        assert connection.execute(hashes).fetchall() == [(17,)]
    assert verify(store).damage == ()
    assert verify(store).leftovers == ()
    assert (plan.asked, plan.records, plan.alike) == (1, 2, 1)
    for name in (*VERSIONS, "d/v1"):
        planted.publish(name)
    planted.publish("a/v1", sample=1000)
    assert places(store.root, CANARY) == []
    assert verify(store).damage == ()
    with connect(store) as connection:
        gone = connection.execute(
            "SELECT error FROM \"a/v1\".dispositions WHERE rule = 'erased' ORDER BY parent_row_id"
        ).fetchall()
    assert [told.split(" erased on ")[0] for (told,) in gone] == ["log.jsonl:8:", "log.jsonl:14:"]
    assert all(told.endswith(REASON) for (told,) in gone)


def contents(store: Store) -> dict[Path, bytes]:
    files = (path for path in store.root.rglob("*") if path.is_file())
    return {path: path.read_bytes() for path in files if path.parent != store.cache}


def test_a_plan_changes_nothing(planted: Space) -> None:
    before = contents(planted.store)
    plan = plan_erasure(planted.store, [RowAddress.parse("c/v1:6")]).plan
    assert contents(planted.store) == before
    (file,) = plan.files
    assert (file.file, file.records, file.lines) == ("log.jsonl", 2, (8, 14))
    lost = {(str(part.snapshot.version), part.status): part.rows for part in plan.snapshots}
    assert lost == {
        ("a/v1", "current"): 2,
        ("a/v1", "trial"): 2,
        ("b/v1", "current"): 1,
        ("c/v1", "current"): 1,
        ("d/v1", "rejected"): 2,
        ("e/v1", "current"): 0,
        ("f/v1", "current"): 0,
    }


def test_the_rest_is_as_it_was(planted: Space) -> None:
    before = {name: rows_of(planted, name) for name in ("a.v1", "b.v1", "c.v1", "e.v1")}
    erased_row(planted)
    for name, rows in before.items():
        kept = [row for row in rows if CANARY.lower() not in row[1].lower()]
        assert rows_of(planted, name) == kept
    ordinary = parse_address(planted.store, "c/v1:3")
    assert isinstance(ordinary, RowAddress)
    assert [source.record.line for source in trace(planted.store, ordinary).sources] == [5]
    assert sample(planted.store, VersionName("a", "v1"), 100).height == 17


def test_what_is_told_of_it(planted: Space) -> None:
    erased_row(planted)
    store = planted.store
    row = RowAddress.parse("a/v1:6")
    told = why(store, VersionName("b", "v1"), row)
    assert told.erased is not None
    assert told.erased.endswith(REASON)
    assert told.present == ()
    record = why(store, VersionName("b", "v1"), "log.jsonl:8")
    assert record.erased is not None
    assert record.source is not None
    assert record.source.raw is None
    (fate, *_) = record.fates
    assert [removal.step for removal in fate.removed] == ["erase"]
    assert trace(store, row).rows[0].erased == told.erased
    assert impact(store, row).erased == told.erased
    entries = history(store, VersionName("a", "v1"))
    notes = [(entry.status, note.rows, note.reason) for entry in entries for note in entry.erasures]
    assert sorted(notes) == [("published", 2, REASON), ("trial", 2, REASON)]
    with pytest.raises(
        ErasureRefused, match=f"nothing to erase; a/v1@.*:6 was erased on .*{REASON}"
    ):
        plan_erasure(store, [row])


def test_duplicates_may_be_kept(planted: Space) -> None:
    assert (
        plan_erasure(planted.store, [RowAddress.parse("a/v1:6")], duplicates=False).plan.records
        == 1
    )
    erased_row(planted, duplicates=False)
    assert [row for row, text in rows_of(planted, "a.v1") if text == CANARY] == [12]
    assert [text for _, text in rows_of(planted, "b.v1") if text == CANARY] == []
    planted.publish("b/v1")
    assert [text for _, text in rows_of(planted, "b.v1") if text == CANARY] == [CANARY]


def test_rows_by_a_condition(planted: Space) -> None:
    store, version = planted.store, SnapshotAddress.parse("a/v1")
    planned = plan_erasure(
        store, versions=[version], where="\"user\" = 'u17' OR text LIKE '%number 5'"
    )
    assert (planned.plan.asked, planned.plan.records) == (6, 4)  # of two snapshots
    carried_out(store, planned)
    assert places(store.root, CANARY) == []
    assert places(store.root, "row of number 5") == []
    with pytest.raises(ErasureRefused, match="is no condition over the rows of a/v1"):
        plan_erasure(store, versions=[version], where="no_such_column = 3")
    with pytest.raises(ErasureRefused, match="no row of a/v1 meets"):
        plan_erasure(store, versions=[version], where="text = 'x'")
    with pytest.raises(ErasureRefused, match="has no snapshot here"):
        plan_erasure(store, versions=[SnapshotAddress.parse("no/v1")], where="true")


def test_twice(planted: Space) -> None:
    erased_row(planted)
    erased_row(planted, "a/v1:0")
    store = planted.store
    assert places(store.root, CANARY) == []
    assert places(store.root, "row of number 0") == []
    assert verify(store).damage == ()
    assert [row for row, _ in rows_of(planted, "a.v1")][:6] == [1, 2, 3, 4, 5, 7]
    for name in VERSIONS:
        planted.publish(name)
    assert places(store.root, "row of number 0") == []
    assert len(rows_of(planted, "a.v1")) == 16


def test_a_reason_is_asked_for(planted: Space) -> None:
    planned = plan_erasure(planted.store, [RowAddress.parse("a/v1:6")])
    with alone(planted.store), pytest.raises(ErasureRefused, match="--reason"):
        erase(planted.store, planned, "  ")
    assert len(places(planted.store.root, CANARY)) > 8


ERASER = """
import sys
from dagster_project.engine.erasure.carrying_out import erase
from dagster_project.engine.erasure.plan import plan_erasure
from dagster_project.warehouse.address import RowAddress
from dagster_project.warehouse.erasure.notes import alone
from dagster_project.warehouse.store import Store
from pathlib import Path
store = Store(Path(sys.argv[1]))
with alone(store):
    erase(store, plan_erasure(store, [RowAddress.parse("a/v1:6")]), "asked for by letter")
"""


@pytest.mark.parametrize("failpoint", ERASURE_FAILPOINTS)
def test_killed_at_a_failpoint(planted: Space, failpoint: str) -> None:
    store = planted.store
    killed = subprocess.run(
        [sys.executable, "-c", ERASER, str(store.root)],
        env={**os.environ, "PYTHONPATH": os.getcwd(), "SEEDBED_FAILPOINT": failpoint},
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert verify(store).damage == ()
    assert len(rows_of(planted, "a.v1")) in (17, 19)
    with pytest.raises(ErasureUnfinished, match="seedbed erase --yes"):
        planted.publish("a/v1")
    with alone(store):
        (done,) = finish_erasures(store)
    assert done.work is None
    assert unfinished_erasures(store) == []
    assert places(store.root, CANARY) == []
    assert verify(store).damage == ()
    assert verify(store).leftovers == ()


def test_builds_and_erasures_wait_for_each_other(planted: Space) -> None:
    said: list[str] = []
    planned = plan_erasure(planted.store, [RowAddress.parse("a/v1:6")])

    def erase_it() -> None:
        with alone(planted.store, said.append):
            erase(planted.store, planned, REASON)

    with building(planted.store):
        thread = threading.Thread(target=erase_it)
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert len(rows_of(planted, "a.v1")) == 19
    thread.join()
    assert said == ["waiting for builds to end"]
    assert len(rows_of(planted, "a.v1")) == 17


def test_records_that_no_version_has(planted: Space) -> None:
    store, version = planted.store, SnapshotAddress.parse("a/v1")
    assert places(store.root, "tiny") != []
    planned = plan_erasure(store, versions=[version], where="\"user\" = 'u3'", source="log")
    assert (planned.plan.asked, planned.plan.records, planned.plan.rows) == (1, 1, 0)
    carried_out(store, planned)
    assert places(store.root, "tiny") == []
    assert verify(store).damage == ()
    for source, where, told in (
        ("log", "\"user\" = 'u3'", "no record of input log of a/v1 meets"),
        ("log", "nobody = 3", "no condition over the records of input log"),
        ("logs", "true", "a/v1 has no external input 'logs': it has log"),
    ):
        with pytest.raises(ErasureRefused, match=told):
            plan_erasure(store, versions=[version], where=where, source=source)
    with pytest.raises(ErasureRefused, match="b/v1 has no external input 'raw': it has none"):
        plan_erasure(store, versions=[SnapshotAddress.parse("b/v1")], where="true", source="raw")


def test_records_that_cannot_be_read(space: Space) -> None:
    broken = f"{CANARY} {{"
    rows = [{"text": "one"}, {"text": "two", "file": "mine"}]
    space.jsonl("log.jsonl", [rows[0], broken, rows[1]])
    space.recipe("a/v1", "limits: {quarantine: 1}\ninputs: {log: {files: log.jsonl}}\n")
    space.publish("a/v1")
    store, version = space.store, SnapshotAddress.parse("a/v1")
    assert places(store.root, CANARY) != []
    named = {"line = 3": 1, "file = 'mine'": 1, "text = 'one'": 1, "raw LIKE 'X%'": 1, "true": 3}
    for where, count in named.items():
        plan = plan_erasure(store, versions=[version], where=where, source="log").plan
        assert plan.asked == count, where
    carried_out(store, plan_erasure(store, versions=[version], where="raw LIKE 'X%'", source="log"))
    assert places(store.root, CANARY) == []
    assert verify(store).damage == ()
    space.publish("a/v1")
    assert places(store.root, CANARY) == []
    assert len(rows_of(space, "a.v1")) == 2
