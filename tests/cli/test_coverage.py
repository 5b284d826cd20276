"""The verb `coverage` as a person sees it."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import coverage
from dagster_project.recipe.loading import read_recipe
from dagster_project.workspace import VersionName

KINDS = ("a [bold]loaf[/]", "a comet", "a goal", "a hive")


def rows(kinds: tuple[str, ...], count: int = 40) -> list[dict]:
    return [
        {
            "prompt": f"Explain {kinds[n % len(kinds)]}, as {'very ' * (n % 9)}well as you can: {n}",
            "answer": f"It is {kinds[n % len(kinds)]}, and number {n}.",
            "kind": kinds[n % len(kinds)],
        }
        for n in range(count)
    ]


@pytest.fixture
def run(space, monkeypatch):
    space.jsonl("v1.jsonl", rows(KINDS[:2]))
    space.recipe("a/v1", "inputs:\n  one: {files: v1.jsonl}\n")
    space.publish("a/v1")
    space.jsonl("v2.jsonl", rows(KINDS))
    space.recipe("a/v2", "inputs:\n  one: {files: v2.jsonl}\n")
    space.publish("a/v2")
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    coverage.add_to(app)
    app.command("other")(lambda: None)

    def invoke(*arguments: str, exit_code: int = 0) -> str:
        result = CliRunner().invoke(
            app, ["coverage", *arguments, "--words"], catch_exceptions=False
        )
        assert result.exit_code == exit_code, result.output
        return result.output

    return invoke


def test_axes_fit_a_screen(run) -> None:
    lines = run("a/v1").splitlines()
    assert len(lines) < 40
    assert max(map(len, lines)) <= 160
    told = "\n".join(lines)
    for each in (
        "task  explain 40 (100%)",
        "kind  a [bold]loaf[/] 20 (50%)",
        "topic: as varied as",
    ):
        assert each in told


def test_one_axis_and_two_crossed(run) -> None:
    told = run("a/v1", "--axis", "kind", "--cross", "kind", "task")
    assert "a column of the rows" in told
    assert "kind by task" in told
    assert "language" not in told


def test_what_is_lacking_and_its_recipe(run) -> None:
    told = run("a/v1", "--against", "a/v2", "--gaps", "1", "--jobs", "jobs.yaml", "--map", "a.svg")
    assert "divergence" in told
    assert "other gaps; --gaps N lists more" in told
    recipe = read_recipe(Path("jobs.yaml"), VersionName.parse("a/v3")).recipe
    assert len(recipe.generated()) == 1
    ElementTree.parse("a.svg")
    found = json.loads(run("a/v1", "--against", "a/v2", "--json"))
    assert found["rows"] == 40
    assert {gap["value"] for gap in found["gaps"] if gap["axis"] == "label:kind"} == {*KINDS[2:]}
    assert found["gaps"][0]["job"]["generate"]["instruct_from_topics"]["model"] == "writer"


def test_files_are_compared_with(run, space) -> None:
    for name in ("logs.jsonl", "logs.csv", "logs.parquet"):
        path = space.jsonl("logs.jsonl", [{"prompt": row["prompt"]} for row in rows(KINDS)])
        if path.name != name:
            import polars as pl

            frame = pl.read_ndjson(path)
            frame.write_csv(name) if name.endswith("csv") else frame.write_parquet(name)
        found = json.loads(run("a/v1", "--against", name, "--json"))
        assert found["target_rows"] == 40
        assert found["divergence"] is not None
        assert any("not compared" in note and "length" in note for note in found["notes"])


def test_options_that_do_not_fit(run) -> None:
    assert "need --against" in run("a/v1", "--gaps", "3", exit_code=2)
    assert "--over needs --map" in run("a/v1", "--over", "a/v2", exit_code=2)
