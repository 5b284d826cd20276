"""Promise 9: no reader ever sees a version before its blocking checks pass."""

from __future__ import annotations

import threading

import pytest

from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.history import history
from dagster_project.workspace import VersionName

RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
checks:
  - sql: "SELECT row_id FROM rows WHERE n < 0"
    name: no_negative
    severity: error
"""


def rows(first: int, bad: int = 0):
    return [{"n": first + index} for index in range(50)] + [{"n": -1}] * bad


@pytest.fixture
def published(space):
    space.recipe("a/v1", RECIPE)
    space.jsonl("rows.jsonl", rows(100))
    assert space.publish("a/v1").blocked_by == []
    return space


def test_a_failed_blocking_check_leaves_the_previous_snapshot_current(published) -> None:
    published.jsonl("rows.jsonl", rows(200, bad=3))
    outcome = published.publish("a/v1")
    assert outcome.blocked_by == ["no_negative"]
    assert outcome.manifest.status == "rejected"
    result, *_ = outcome.results
    assert result.unexpected_count == 3
    with connect(published.store) as connection:
        assert connection.execute("SELECT min(n), count(*) FROM a.v1").fetchone() == (100, 50)
    states = {
        entry.snapshot_id: entry.status
        for entry in history(published.store, VersionName("a", "v1"))
    }
    assert states[outcome.manifest.snapshot_id] == "rejected"


def test_a_check_that_errors_has_failed_and_blocks(published) -> None:
    published.recipe("a/v1", RECIPE.replace("n < 0", "no_such_column < 0"))
    published.jsonl("rows.jsonl", rows(300))
    outcome = published.publish("a/v1")
    assert outcome.blocked_by == ["no_negative"]
    assert outcome.results[0].error
    assert "no_such_column" in outcome.results[0].error


def test_readers_see_only_published_rows_while_versions_come_and_fail(published) -> None:
    seen: set[tuple[int, int]] = set()
    stop = threading.Event()
    failures: list[BaseException] = []

    def poll() -> None:
        try:
            while not stop.is_set():
                with connect(published.store) as connection:
                    seen.add(connection.execute("SELECT min(n), count(*) FROM a.v1").fetchone())  # pyright: ignore[reportArgumentType]
        except BaseException as error:
            failures.append(error)

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        for generation in range(2, 7):
            published.jsonl("rows.jsonl", rows(generation * 100, bad=generation % 2))
            published.publish("a/v1")
    finally:
        stop.set()
        reader.join()
    assert failures == []
    assert seen <= {(100, 50), (200, 50), (400, 50), (600, 50)}
    assert len(seen) > 1
