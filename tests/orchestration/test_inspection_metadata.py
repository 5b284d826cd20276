"""What the UI shows for a person who decides what to do next."""

from __future__ import annotations

import dagster as dg
import pytest

from dagster_project.engine.plan import plan
from dagster_project.orchestration.inspection_metadata import (
    BEFORE_REDACTION,
    inspection_metadata,
)
from dagster_project.recipe.loading import load_recipes
from dagster_project.workspace import VersionName

RECIPE = """\
inputs: {some: {files: rows.jsonl}}
steps:
  - filter_length: {column: text, min_words: 4}
    name: length
"""
REDACTS = """\
  - filter_text: {column: text, pattern: "jane@", keep: not_matching}
    name: not_jane
  - redact_pii: {columns: [text]}
"""


@pytest.fixture
def tables(space):
    def shown(recipe: str) -> dict[str, list[dict]]:
        texts = [f"jane@corp.org {'word ' * (n % 12)}" for n in range(40)]
        texts += [f"text {'word ' * (n % 12)}" for n in range(40)] + ["long " * 900]
        space.jsonl("rows.jsonl", [{"text": text} for text in texts])
        space.recipe("a/v1", recipe)
        manifest = space.publish("a/v1").manifest
        planned = plan(load_recipes(space.workspace).versions[VersionName("a", "v1")])
        metadata = inspection_metadata(space.store, planned, manifest)
        dg.AssetMaterialization(asset_key=["a", "v1"], metadata=metadata)
        return {
            name: [dict(record.data) for record in value.records]
            for name, value in metadata.items()
        }

    return shown


def test_tables(tables) -> None:
    shown = tables(RECIPE)
    before, after = shown["lengths_before_and_after"]
    assert (before["characters"], before["rows"], before["of"]) == ("before", 81, "some.text")
    assert (after["characters"], after["column"]) == ("after", "text")
    assert after["median"] > before["median"]
    assert shown["outliers"][0]["value"] in (900, 4500)
    assert all(len(row["text"]) <= 200 for row in shown["outliers"])
    sides = [(row["row"], row["measured"]) for row in shown["rows_near_thresholds"]]
    assert sides == [("removed", "3")] * 3 + [("stayed", "4")] * 3
    assert "quicker_order" not in shown


def test_what_was_there_before_redaction_is_not_shown(tables) -> None:
    shown = tables(RECIPE + REDACTS)
    removed = [row for row in shown["rows_near_thresholds"] if row["row"] == "removed"]
    assert {row["rule"] for row in removed} == {"min_words", "pattern"}
    assert {row["text"] for row in removed} == {BEFORE_REDACTION}
    assert {row["measured"] for row in removed} == {"3", BEFORE_REDACTION}
    assert not any(
        "jane" in row["text"]
        for name in ("outliers", "rows_near_thresholds")
        for row in shown[name]
    )


def test_an_inspection_that_fails_says_so_without_row_text(space, monkeypatch) -> None:
    def fail(*_, **__) -> None:
        raise ValueError("a secret")

    space.jsonl("rows.jsonl", [{"text": "a"}])
    space.recipe("a/v1", "inputs: {some: {files: rows.jsonl}}\n")
    manifest = space.publish("a/v1").manifest
    planned = plan(load_recipes(space.workspace).versions[VersionName("a", "v1")])
    monkeypatch.setattr("dagster_project.orchestration.inspection_metadata.look", fail)
    shown = inspection_metadata(space.store, planned, manifest)
    assert shown == {"inspection": "not possible: ValueError; this is a defect"}
