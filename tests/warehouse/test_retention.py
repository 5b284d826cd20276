"""Old snapshots go; nothing that a kept one was made from goes, at whatever moment it is killed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import sys
from datetime import timedelta

import pytest

from dagster_project.warehouse.address import RowAddress, SnapshotAddress
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.history import history, sample
from dagster_project.warehouse.manifest import ManifestDamaged, read_head
from dagster_project.warehouse.reading import upstreams
from dagster_project.warehouse.retention import (
    RetentionRefused,
    apply_retention,
    plan_retention,
    retention_path,
)
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.verify import verify
from dagster_project.workspace import VersionName

NOW = timedelta(0)
NAMES = ("raw/v1", "clean/v1", "train/v1")


def publish(warehouse, make, name: str, number: int) -> SnapshotAddress:
    if name == "raw/v1":
        return warehouse.publish(
            name, {"found": warehouse.land({"a.jsonl": make.lines(f"{number}")})}
        )
    upstream = NAMES[NAMES.index(name) - 1]
    return warehouse.publish(name, {"up": upstream}, [make.lower()])


def many_snapshots(warehouse, make):
    rng = random.Random(3)
    for name in NAMES:
        publish(warehouse, make, name, -1)
    for number in range(7):
        publish(warehouse, make, rng.choice(NAMES), number)
    warehouse.publish("clean/v1", {"up": "raw/v1"}, status="rejected")
    publish(warehouse, make, "clean/v1", 9)


def few_snapshots(warehouse, make):
    for number in range(2):
        for name in NAMES[:2]:
            publish(warehouse, make, name, number)


@pytest.fixture
def grown(copy_of):
    return copy_of(many_snapshots)[0]


def resolve_current(store: Store, name: str) -> str | None:
    return read_head(store, VersionName.parse(name)).current


def whole(store: Store) -> None:
    """All that is published can be read and traced to its source, and nothing is damaged."""
    found = verify(store)
    assert found.damage == ()
    for name in store.versions():
        for snapshot_id in read_head(store, name).published:
            (source,) = trace(store, RowAddress(name, snapshot_id, 0)).sources
            assert source.record.raw


@pytest.mark.parametrize("keep", [1, 2])
def test_keeps_the_newest_and_what_they_were_made_from(grown, keep):
    store = grown.store
    before = {name: read_head(store, VersionName.parse(name)).published for name in NAMES}
    plan = plan_retention(store, keep, settled=NOW)
    done = apply_retention(store, plan)
    assert done == plan.model_copy(update={"spared": ()})
    after = {name: read_head(store, VersionName.parse(name)).published for name in NAMES}
    needed = {
        up
        for name in NAMES
        for entry in history(store, VersionName.parse(name))
        for up in upstreams(
            grown.manifest(SnapshotAddress(VersionName.parse(name), entry.snapshot_id))
        )
    }
    for name in NAMES:
        newest = before[name][-keep:]
        assert after[name][-len(newest) :] == newest
        for old in after[name][: -len(newest)]:
            assert SnapshotAddress(VersionName.parse(name), old) in needed
    assert len(plan.snapshots) >= 2
    assert plan.size > 0
    whole(store)
    assert verify(store).leftovers == ()
    with connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM train.v1").fetchone() == (1,)
    for at in plan.snapshots:
        assert not list(store.version_folder(at.version).glob(f"{at.snapshot_id}*"))
    assert plan_retention(store, keep, settled=NOW).snapshots == ()
    used = {source.stem for source in (store.landed / "sources").glob("*.json")}
    assert used.isdisjoint(plan.sources)


def test_what_is_recent_stays(grown):
    plan = plan_retention(grown.store, 1)
    assert (plan.snapshots, plan.sources, plan.blocks) == ((), (), ())


def test_some_versions_and_unpublished_snapshots(grown):
    store, clean = grown.store, VersionName("clean", "v1")
    plan = plan_retention(store, 1, [clean], settled=NOW)
    assert {at.version for at in plan.snapshots} <= {clean}
    more = plan_retention(store, 1, [clean], unpublished=True, settled=NOW)
    (rejected,) = set(more.snapshots) - set(plan.snapshots)
    assert [e.status for e in history(store, clean) if e.snapshot_id == rejected.snapshot_id] == [
        "rejected"
    ]
    apply_retention(store, more)
    assert {e.status for e in history(store, clean)} == {"published"}
    whole(store)


def test_what_came_into_use_after_the_plan_stays(grown):
    store = grown.store
    plan = plan_retention(store, 1, settled=NOW)
    old = next(at for at in plan.snapshots if str(at.version) == "raw/v1")
    grown.publish("late/v1", {"up": str(old)})
    done = apply_retention(store, plan)
    assert old not in done.snapshots
    assert old in done.spared
    whole(store)


def test_killed_at_any_moment_it_is_sound_and_is_finished_by_the_next_run(copy_of, tmp_path):
    built = copy_of(few_snapshots)[0].store
    plan = plan_retention(built, 1, settled=NOW)
    assert len(plan.snapshots) == 2
    moments = 0
    for moment in range(1000):
        root = tmp_path / f"copy{moment}"
        shutil.copytree(built.root, root, copy_function=os.link)
        store = Store(root)
        child = os.fork()
        if child == 0:
            _die_at(moment)
            apply_retention(store, plan)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        moments += 1
        found = verify(store)
        assert found.damage == (), moment
        if retention_path(store).exists():
            assert "unfinished retention" in {
                left.problem.split(":")[0] for left in found.leftovers
            }
        apply_retention(store, plan_retention(store, 1, settled=NOW))
        final = verify(store)
        assert (final.damage, final.leftovers) == ((), ()), moment
        assert plan_retention(store, 1, settled=NOW).snapshots == ()
        shutil.rmtree(root)
    assert moments > 10


def _die_at(moment: int) -> None:
    """Die by SIGKILL before the so-many-th change to the file system."""
    left = moment

    def hook(event: str, _arguments: tuple) -> None:
        nonlocal left
        if event in ("os.rename", "os.remove", "os.rmdir"):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)


def test_refusals(grown):
    store = grown.store
    with pytest.raises(RetentionRefused):
        plan_retention(store, 0)
    manifest = next(store.version_folder(VersionName("raw", "v1")).glob("2*.json"))
    manifest.write_bytes(b"{}")
    with pytest.raises(ManifestDamaged, match=manifest.name):
        plan_retention(store, 1)


def test_history_and_sample(grown, make):
    store, clean = grown.store, VersionName("clean", "v1")
    entries = history(store, clean)
    assert [entry.created_at for entry in entries] == sorted(
        (entry.created_at for entry in entries), reverse=True
    )
    assert [entry.snapshot_id for entry in entries if entry.current] == [
        resolve_current(store, "clean/v1")
    ]
    assert entries[0].inputs[0].version == "raw/v1"
    assert {entry.status for entry in entries} == {"published", "rejected"}
    grown.publish("big/v1", {"x": grown.land({"b.jsonl": make.lines(*map(str, range(50)))}, 50)})
    big = VersionName("big", "v1")
    drawn = sample(store, big, 5, seed=1)
    assert drawn.height == 5
    assert drawn["row_id"].is_sorted()
    assert drawn.equals(sample(store, big, 5, seed=1))
    assert not drawn.equals(sample(store, big, 5, seed=2))
    assert sample(store, big, 500)["row_id"].to_list() == list(range(50))
