"""Promise 7: same recipe and inputs, same ids, everywhere; any change that matters changes them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BUILDER = Path(__file__).with_name("builder.py")

RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
steps:
  - normalize_text: {columns: [text]}
  - filter_length: {column: text, min_characters: 5}
  - deduplicate_exact: {columns: [text]}
  - sample_rows: {fraction: 0.8, seed: 3}
  - assign_splits: {splits: {train: 0.8, test: 0.2}, group_by: [text]}
"""

ROWS = [{"text": f"ligne n° {index % 90} é İ ß 漢字 ", "n": index / 7} for index in range(200)]


def ids(root: Path, **environment: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, str(BUILDER), str(root), "a/v1"],
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


@pytest.fixture
def written(space):
    space.recipe("a/v1", RECIPE)
    space.jsonl("rows.jsonl", ROWS)
    return space


def test_ids_do_not_depend_on_the_machine(written, tmp_path_factory) -> None:
    first = ids(
        written.root, PYTHONHASHSEED="1", TZ="UTC", LC_ALL="C.UTF-8", POLARS_MAX_THREADS="1"
    )
    elsewhere = tmp_path_factory.mktemp("another place with spaces") / "x"
    shutil.copytree(written.root, elsewhere, ignore=shutil.ignore_patterns("store"))
    os.utime(elsewhere / "rows.jsonl", (0, 0))
    second = ids(elsewhere, PYTHONHASHSEED="2", TZ="Asia/Tokyo", LC_ALL="C", POLARS_MAX_THREADS="2")
    assert first == second


def outcome(space):
    manifest = space.publish("a/v1").manifest
    return manifest.recipe_id, manifest.build_id, manifest.content_id


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("min_characters: 5", "min_characters: 6"),
        ("seed: 3", "seed: 4"),
        ("fraction: 0.8", "fraction: 0.7"),
        ("{train: 0.8, test: 0.2}", "{train: 0.7, test: 0.3}"),
        ("  - filter_length: {column: text, min_characters: 5}\n", ""),
        ("files: rows.jsonl", "files: [rows.jsonl]\n    columns: {n: float}"),
    ],
)
def test_any_declared_change_changes_the_recipe_id(written, old: str, new: str) -> None:
    before = outcome(written)
    body = RECIPE.replace("{files: rows.jsonl}", "\n    files: rows.jsonl")
    written.recipe("a/v1", body)
    assert outcome(written)[0] == before[0]
    assert old in body
    written.recipe("a/v1", body.replace(old, new))
    assert outcome(written)[0] != before[0]


def test_what_does_not_change_the_result_does_not_change_the_ids(written) -> None:
    before = outcome(written)
    written.recipe("a/v1", "owners: [team:x]\ntags: {a: b}\nlicence: MIT\n# a comment\n" + RECIPE)
    assert outcome(written) == before


def test_a_changed_input_changes_the_build_id_and_not_the_recipe_id(written) -> None:
    before = outcome(written)
    written.jsonl("rows.jsonl", [*ROWS, {"text": "one more row", "n": 1.5}])
    after = outcome(written)
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_operator_code_beside_the_recipe_counts(written) -> None:
    code = '''"""Operators."""
from dagster_project.operators.base import RowOperator
import polars as pl


class Shout(RowOperator):
    """Upper case."""

    def edits(self, schema):
        return {"text": pl.col("text").str.to_uppercase()}
'''
    path = written.root / "assets/a/own.py"
    path.write_text(code)
    written.recipe("a/v1", RECIPE + "  - shout: {}\n")
    before = outcome(written)
    path.write_text(code.replace("uppercase", "lowercase"))
    after = outcome(written)
    assert after[0] != before[0]
    assert after[2] != before[2]


def test_the_order_of_rows_does_not_change_the_content_id(space) -> None:
    space.recipe("a/v1", "inputs:\n  rows: {files: rows.jsonl}\n")
    space.jsonl("rows.jsonl", ROWS)
    before = space.publish("a/v1").manifest
    space.jsonl("rows.jsonl", ROWS[::-1])
    after = space.publish("a/v1").manifest
    assert after.build_id != before.build_id
    assert after.content_id == before.content_id


def test_the_same_build_is_never_made_twice(written) -> None:
    first = written.publish("a/v1")
    second = written.publish("a/v1")
    assert second.reused
    assert second.manifest == first.manifest
