"""The verb `quality` as a person sees it."""

from __future__ import annotations

import json

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import quality_report
from dagster_project.cli.console import console
from dagster_project.engine.profile.profiled_rows import TargetRefused
from dagster_project.engine.profile.quality import NothingToJudge
from dagster_project.warehouse.connect import NotPublished


@pytest.fixture
def run(space, monkeypatch):
    rows = [
        {
            "messages": [
                {"role": "user", "content": f"What is {number} times {number + 1}?"},
                {
                    "role": "assistant",
                    "content": f"It is {number * (number + 1)}, [b]of course[/b].",
                },
            ]
        }
        for number in range(40)
    ]
    rows[5]["messages"][1]["content"] = "It is 30; or ask ann.lee@bakers-guild.org, she knows."
    space.jsonl("one.jsonl", [*rows, *rows[:4]])
    space.recipe("tutor/v1", "inputs: {one: {files: one.jsonl}}\n")
    space.publish("tutor/v1")
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    quality_report.add_to(app)
    app.command("other")(lambda: None)

    monkeypatch.setattr(console, "_width", 160)  # whatever the terminal of the tests is

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["quality", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    return invoke


def test_a_report_fits_a_screen(run) -> None:
    told = run("tutor/v1")
    lines = told.splitlines()
    assert len(lines) < 50
    assert max(map(len, lines)) <= 160
    for said in (
        "44 rows",
        "relevance    not measured",
        "uniqueness   bad",
        "duplicates: 9.1 %, 4 of 44 rows (look > 0.5 %, bad > 3 %)",
        "no licence: 100.0 %, 44 of 44 rows",
        "  - deduplicate_exact: {columns: [messages], normalize: whitespace_case}",
        "  - redact_pii: {columns: [messages]}",
        "[b]of course[/b]",
    ):
        assert said in told


def test_rows_behind_a_figure(run) -> None:
    told = run("tutor/v1", "--show", "e-mail")
    assert "1 of 44 rows" in told
    assert "  5  What is 5 times 6? It is 30; or ask ann.lee" in told
    assert "  43  What is 3 times 4?" in run("tutor/v1", "--show", "duplicates")
    assert "no rows" in run("tutor/v1", "--show", "refusals")


def test_json_and_a_file(run, space) -> None:
    told = json.loads(run("tutor/v1", "--json"))
    uniqueness = next(each for each in told["traits"] if each["name"] == "uniqueness")
    assert uniqueness["figures"][0]["row_ids"] == [40, 41, 42, 43]
    assert "rows" not in told
    assert json.loads(run("tutor/v1", "--json", "--show", "duplicates"))["rows"] == 4
    assert "wrote 44 rows at fault" in run("tutor/v1", "--rows", "faults.parquet")
    faults = pl.read_parquet(space.root / "faults.parquet")
    assert faults.filter(pl.col("uniqueness_fault"))["row_id"].to_list() == [40, 41, 42, 43]


def test_a_task_and_a_sample(run) -> None:
    told = run("tutor/v1", "--task", "multiply small numbers", "--sample", "20")
    assert "20 of them were read" in told
    assert "off topic" in told


def test_what_is_not_there(run) -> None:
    with pytest.raises(NothingToJudge, match="did you mean 'duplicates'"):
        run("tutor/v1", "--show", "duplicatse")
    with pytest.raises(NotPublished, match="did you mean tutor/v1"):
        run("tuttor/v1")
    with pytest.raises(TargetRefused, match="must be one of"):
        run("tutor/v1", "--rows", "faults.doc")
