"""Rows are compared with references: no row comes from them, and what was compared is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dagster_project.engine.plan import RunStopped, plan
from dagster_project.errors import SeedbedError
from dagster_project.recipe.loading import load_recipes
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.retention import plan_retention
from dagster_project.warehouse.verify import verify
from dagster_project.warehouse.why import why
from dagster_project.workspace import VersionName

NAME = VersionName("a", "v2")
EXACT = """\
inputs:
  rows: {files: rows.jsonl}
references:
  used: {version: a/v1}
  exam: {files: exam.jsonl}
steps:
  - deduplicate_exact: {columns: [text], against: [used, exam]}
"""


@pytest.fixture
def three(space):
    space.jsonl("old.jsonl", [{"text": "old one"}, {"text": "old two"}])
    space.jsonl("exam.jsonl", [{"text": "asked"}, {"text": "old two"}])
    rows = ["new", "old two", "asked", "new", "old two", "newer"]
    space.jsonl("rows.jsonl", [{"text": text} for text in rows])
    space.recipe("a/v1", "inputs: {rows: {files: old.jsonl}}\n")
    space.recipe("a/v2", EXACT)
    space.publish("a/v1")
    return space


def texts(space) -> list[str]:
    with connect(space.store) as connection:
        found = connection.execute("SELECT text FROM a.v2 ORDER BY row_id").fetchall()
    return [text for (text,) in found]


def test_rows_equal_to_a_reference_go_and_say_to_which_of_its_rows(three) -> None:
    outcome = three.publish("a/v2")
    assert texts(three) == ["new", "newer"]
    assert [each.name for each in outcome.manifest.references] == ["used", "exam"]
    (fate,) = why(three.store, NAME, "rows:1").fates
    (removal,) = fate.removed
    assert removal.survivor is not None and removal.survivor.input == "used"
    assert removal.survivor.row is not None and removal.survivor.row.row_id == 1
    (fate,) = why(three.store, NAME, "rows:2").fates
    (removal,) = fate.removed
    assert removal.survivor is not None
    assert (removal.survivor.input, removal.survivor.record) == ("exam", 0)
    assert removal.survivor.removed == removal.survivor.arrived == ()


def test_what_a_reference_says_decides_what_is_built(three) -> None:
    first = three.publish("a/v2")
    assert three.publish("a/v2").reused
    three.jsonl("exam.jsonl", [{"text": "newer"}])
    again = three.publish("a/v2")
    assert again.manifest.recipe_id == first.manifest.recipe_id
    assert again.manifest.build_id != first.manifest.build_id
    assert texts(three) == ["new", "asked"]


def test_a_reference_is_upstream_verified_and_kept(three) -> None:
    outcome = three.publish("a/v2")
    declared = load_recipes(three.workspace).versions[NAME]
    assert declared.recipe.upstream() == [VersionName("a", "v1")]
    three.jsonl("old.jsonl", [{"text": "quite new"}])
    three.publish("a/v1")
    kept = plan_retention(three.store, keep=1, settled=timedelta(0))
    used = outcome.manifest.references[0].snapshot_id
    assert used in [at.snapshot_id for at in kept.spared]
    path = three.store.version_folder(VersionName("a", "v1")) / f"{used}.duckdb"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert any("a/v2" in damage.versions for damage in verify(three.store).damage)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[used, exam]", "[usd]"), "did you mean 'used'"),
        (("exam: {files", "rows: {files"), "'rows' is an input already"),
        (("used: {version: a/v1}", "used: {version: a/v9}"), "there is no such version"),
    ],
)
def test_a_wrong_reference_is_refused_with_the_recipe(three, change, message) -> None:
    three.recipe("a/v2", EXACT.replace(*change))
    with pytest.raises(SeedbedError, match=message):
        three.publish("a/v2")


def test_a_reference_without_the_column_is_named(three) -> None:
    three.jsonl("exam.jsonl", [{"txt": "asked"}])
    with pytest.raises(RunStopped, match=r"no column 'text' in reference exam; did you mean 'txt'"):
        three.publish("a/v2")


def test_near_duplicates_of_a_reference_go_even_when_it_comes_last(three) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    three.jsonl("exam.jsonl", [{"text": "something else"}, {"text": long + " end"}])
    three.jsonl("rows.jsonl", [{"text": long}, {"text": long + " tail"}, {"text": "other"}])
    recipe = EXACT.replace("deduplicate_exact: {", "deduplicate_near: {threshold: 0.7, ")
    three.recipe("a/v2", recipe)
    three.publish("a/v2")
    assert texts(three) == ["other"]
    (fate,) = why(three.store, NAME, "rows:0").fates
    survivor = fate.removed[0].survivor
    assert survivor is not None and (survivor.input, survivor.record) == ("exam", 1)


def test_the_plan_of_a_recipe_does_not_need_its_references(three) -> None:
    assert plan(load_recipes(three.workspace).versions[NAME]).recipe_id
