"""The verb `inspect` as a person sees it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import inspect_version
from dagster_project.engine.inspection.inspection import NothingToInspect
from dagster_project.engine.inspection.sparkline import sparkline

RECIPE = """\
inputs:
  one: {files: one.jsonl}
  two: {files: two.jsonl}
steps:
  - filter_length: {column: text, min_words: 5}
    name: length
  - deduplicate_near: {columns: [text], threshold: 0.6, recorded_from: 0.3, size: 2}
    name: near
  - map_columns: {drop: [n]}
"""


@pytest.fixture
def run(space, monkeypatch):
    def rows(first: int) -> list[dict]:
        texts = [f"[b]word {'word ' * (n % 30)}number {n // 2 * 2} {n % 7}[/b]" for n in range(60)]
        return [
            {"n": n, "text": text, "topic": "abc"[n % 3]} for n, text in enumerate(texts, first)
        ]

    space.jsonl("one.jsonl", rows(0))
    space.jsonl("two.jsonl", rows(500))
    space.recipe("a/v1", RECIPE)
    space.publish("a/v1")
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    inspect_version.add_to(app)
    app.command("other")(lambda: None)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["inspect", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    return invoke


def test_an_account_fits_two_screens(run) -> None:
    lines = run("a/v1").splitlines()
    assert len(lines) < 100
    assert max(map(len, lines)) <= 160
    told = "\n".join(lines)
    for said in (
        "published",
        "topic",
        "▕",
        "length min_words, wanted >= 5",
        "near merged",
        "[b]word",
    ):
        assert said in told


def test_rows_to_read(run) -> None:
    told = run("a/v1", "--rule", "min_words", "--rows", "2")
    for said in ("removed, at random", "removed, farthest", "removed, nearest", "stayed, nearest"):
        assert said in told
    assert "near_duplicate" not in told
    assert "pairs stored, merged from 0.6 on" in run("a/v1", "--step", "near")
    assert run("a/v1", "--rows", "2").count("not merged") == 2


def test_a_column_and_json(run) -> None:
    assert "text_words" in run("a/v1", "--column", "text_words")
    told = json.loads(run("a/v1", "--json", "--seed", "3"))
    assert told["seed"] == 3
    assert told["rules"][0]["rule"] == "min_words"
    assert [shift["column"] for shift in told["shifts"]] == ["text"]


def test_what_is_not_there(run) -> None:
    with pytest.raises(NothingToInspect, match="did you mean 'length'"):
        run("a/v1", "--step", "lenght")


def test_bars() -> None:
    assert sparkline([0, 1, 500, 1000]) == " ▁▄█"
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "  "
