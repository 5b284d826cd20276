"""A relation step that saw the same rows before is not run again, and decides the same."""

from __future__ import annotations

import pytest

from dagster_project.operators.process.deduplicate_near import DeduplicateNear
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v1")
RECIPE = """\
inputs: {rows: {files: rows.jsonl}}
references: {other: {files: other.jsonl}}
steps:
  - deduplicate_near: {columns: [text], against: [other], threshold: 0.6}
  - sort_rows: {by: [text]}
  - filter_rows: {keep: n < 90}
"""
TABLES = ("rows", "lineage", "dispositions", "pairs", "metrics")


def tables(space) -> dict[str, list]:
    with open_snapshot(space.store, NAME) as connection:
        connection.execute("USE snapshot")
        return {
            table: connection.execute(f"SELECT * FROM {table} ORDER BY ALL").fetchall()
            for table in TABLES
        }


def cached(space) -> list[int]:
    with open_snapshot(space.store, NAME) as connection:
        found = connection.execute("SELECT cached FROM snapshot.steps ORDER BY step").fetchall()
    return [count for (count,) in found]


@pytest.fixture
def built(space):
    words = [f"w{number}" for number in range(400)]
    starts = [n // 4 * 9 for n in range(100)]
    texts = [" ".join([*words[at : at + 25], str(n)]) for n, at in enumerate(starts)]
    rows = [{"n": n, "text": text} for n, text in enumerate(texts)]
    space.jsonl("rows.jsonl", rows)
    space.jsonl("other.jsonl", [{"text": " ".join(words[9:34])}])
    space.recipe("a/v1", RECIPE)
    space.publish("a/v1")
    assert cached(space) == [0, 0, 0]
    return space


def test_decisions_are_taken_up_when_a_later_step_changes(built, monkeypatch) -> None:
    before = tables(built)
    assert before["pairs"] and before["metrics"]
    monkeypatch.setattr(DeduplicateNear, "decide", lambda *_: pytest.fail("decided again"))
    built.recipe("a/v1", RECIPE.replace("n < 90", "n < 91"))
    built.publish("a/v1")
    assert cached(built)[:2] == [100, before_rows(before)]
    built.recipe("a/v1", RECIPE.replace("n < 90", "n < 90 "))
    built.publish("a/v1")
    after = tables(built)
    assert after == before


def before_rows(found: dict[str, list]) -> int:
    """Rows that reached the second step."""
    return 100 - sum(1 for row in found["dispositions"] if row[3] == 0)


def test_other_rows_or_references_are_decided_anew(built) -> None:
    built.jsonl("other.jsonl", [{"text": "nothing alike"}])
    built.publish("a/v1")
    assert cached(built)[0] == 0
