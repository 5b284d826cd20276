"""Promise 2: every drop names operator, rule, measured value and threshold; a duplicate its
survivor. And replaying removed rows of row operators gives the same verdict."""

from __future__ import annotations

import json

import pytest

from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
steps:
  - filter_length: {column: text, min_words: 2, max_characters: 60}
  - filter_text: {column: text, pattern: "spam", keep: not_matching}
  - deduplicate_exact: {columns: [text], normalize: whitespace_case}
  - sample_rows: {fraction: 0.9, seed: 1}
"""


@pytest.fixture
def published(space):
    rows = [
        {"text": text}
        for index in range(60)
        for text in (f"row number {index}", f"Row  number {index}", "short", f"more spam {index}")
    ]
    space.jsonl("rows.jsonl", [*rows, {"text": None}, {"text": "word " * 40}])
    space.recipe("a/v1", RECIPE)
    space.publish("a/v1")
    return space


def test_every_removed_row_says_why(published) -> None:
    with connect(published.store) as connection:
        connection.execute('USE "a/v1"')
        untold = connection.execute(
            """SELECT count(*) FROM dispositions LEFT JOIN steps USING (step)
            WHERE operator IS NULL OR rule IS NULL
            OR (disposition = 'dropped' AND threshold IS NULL)
            OR (disposition = 'merged' AND (survivor_row_id IS NULL OR similarity IS NULL))"""
        ).fetchone()
        by_rule = dict(
            connection.execute("SELECT rule, count(*) FROM dispositions GROUP BY 1").fetchall()
        )
        counted = dict(
            connection.execute("SELECT rule, sum(row_count) FROM step_rules GROUP BY 1").fetchall()
        )
    assert untold == (0,)
    assert by_rule["duplicate"] == 60
    assert by_rule == counted


def test_why_answers_for_each_kind(published) -> None:
    def removal(number: int):
        found = why(published.store, VersionName("a", "v1"), f"rows:{number}")
        assert found.present == ()
        return found.fates[0].removed[0]

    short = removal(2)
    assert (short.operator, short.measured) == ("filter_length", "1")
    assert "2" in (short.threshold or "")
    assert removal(3).rule
    duplicate = removal(1)
    assert duplicate.disposition == "merged"
    assert duplicate.survivor is not None
    assert duplicate.survivor.record == 0


def test_replaying_removed_rows_gives_the_same_verdict(published, tmp_path_factory) -> None:
    lines = (published.root / "rows.jsonl").read_text().splitlines()
    with connect(published.store) as connection:
        dropped = connection.execute(
            'SELECT parent_row_id, rule, measured FROM "a/v1".dispositions WHERE step < 2'
        ).fetchall()
    published.jsonl("again.jsonl", [json.loads(lines[number]) for number, *_ in dropped])
    published.recipe("a/again", RECIPE.replace("rows.jsonl", "again.jsonl"))
    assert published.publish("a/again").manifest.rows == 0
    with connect(published.store) as connection:
        again = connection.execute(
            'SELECT rule, measured FROM "a/again".dispositions ORDER BY parent_row_id'
        ).fetchall()
    assert again == [(rule, measured) for _, rule, measured in dropped]
