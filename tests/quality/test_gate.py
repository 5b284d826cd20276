"""The same build is never made twice, and what was current when stays known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dagster_project.warehouse.connect import connect, open_snapshot
from dagster_project.warehouse.history import history
from dagster_project.warehouse.manifest import read_head
from dagster_project.warehouse.retention import apply_retention, plan_retention
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v1")
RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
steps:
  - filter_rows: {keep: n < LIMIT}
checks:
  - sql: "SELECT row_id FROM rows WHERE n > HIGHEST"
    name: not_too_high
    severity: error
"""


def declare(space, limit: int, highest: int = 1_000) -> None:
    space.recipe("a/v1", RECIPE.replace("LIMIT", str(limit)).replace("HIGHEST", str(highest)))


def count(space, **when) -> int:
    with connect(space.store, **when) as connection:
        return connection.execute("SELECT count(*) FROM a.v1").fetchall()[0][0]


def test_a_recipe_put_back_makes_the_old_snapshot_current_again(space) -> None:
    space.jsonl("rows.jsonl", [{"n": n} for n in range(50)])
    declare(space, 10)
    first = space.publish("a/v1")
    after_first = datetime.now(UTC)
    declare(space, 20)
    second = space.publish("a/v1")
    after_second = datetime.now(UTC)
    declare(space, 10)
    said: list[str] = []
    again = space.publish("a/v1", said.append)
    assert again.reused
    assert again.manifest == first.manifest
    assert any("current again" in line for line in said)
    assert count(space) == 10
    assert [count(space, as_of=moment) for moment in (after_first, after_second)] == [10, 20]
    assert [(entry.snapshot_id, entry.current) for entry in history(space.store, NAME)] == [
        (second.manifest.snapshot_id, False),
        (first.manifest.snapshot_id, True),
    ]
    assert space.publish("a/v1").manifest == first.manifest
    assert len(read_head(space.store, NAME).publications) == 3


def test_an_old_snapshot_that_fails_its_checks_now_is_not_published(space) -> None:
    space.jsonl("rows.jsonl", [{"n": n} for n in range(50)])
    declare(space, 40)
    space.publish("a/v1")
    declare(space, 5)
    space.publish("a/v1")
    declare(space, 40, highest=30)
    outcome = space.publish("a/v1")
    assert outcome.reused
    assert outcome.blocked_by == ["not_too_high"]
    assert count(space) == 5


def test_retention_counts_from_the_last_publication(space) -> None:
    space.jsonl("rows.jsonl", [{"n": n} for n in range(50)])
    made = {}
    for limit in (10, 20, 10):
        declare(space, limit)
        made[limit] = space.publish("a/v1").manifest.snapshot_id
    plan = plan_retention(space.store, keep=1, settled=timedelta(0))
    assert [at.snapshot_id for at in plan.snapshots] == [made[20]]
    apply_retention(space.store, plan)
    assert count(space) == 10
    assert read_head(space.store, NAME).published == (made[10],)


def test_a_trial_draws_rows_from_all_over_its_input_and_is_not_published(space) -> None:
    space.jsonl("rows.jsonl", [{"n": n} for n in range(1_000)])
    space.recipe(
        "a/v1",
        "inputs:\n  rows: {files: rows.jsonl}\nsteps:\n  - filter_rows: {keep: n % 2 = 0}\n"
        "checks:\n  - removed_share: {max: 0.9, input: rows}\n",
    )
    outcome = space.publish("a/v1", sample=100)
    again = space.publish("a/v1", sample=100)
    assert outcome.manifest.status == "trial"
    assert outcome.manifest.content_id == again.manifest.content_id
    assert [result.passed for result in outcome.results] == [True, True, True]
    assert read_head(space.store, NAME).current is None
    with open_snapshot(space.store, NAME, outcome.manifest.snapshot_id) as connection:
        ((low, high, rows, removed),) = connection.execute(
            "SELECT min(n), max(n), count(*), (SELECT count(*) FROM snapshot.dispositions) "
            "FROM snapshot.rows"
        ).fetchall()
    assert low < 200
    assert high > 800
    assert rows + removed == 100
