"""The verbs of annotation as a person uses them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import annotate
from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.task import read_tasks

GUIDELINE = (
    "---\nkind: rating\nquestion: How good?\nfields: [prompt]\n---\nGive 5 [bold]seldom[/].\n"
)


@pytest.fixture
def run(space, monkeypatch):
    space.jsonl("rows.jsonl", [{"prompt": f"[bold]Question[/] {n}"} for n in range(9)])
    space.recipe("a/v1", "inputs:\n  one: {files: rows.jsonl}\n")
    space.publish("a/v1")
    (space.root / "guidelines").mkdir()
    (space.root / "guidelines" / "good.md").write_text(GUIDELINE)
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    annotate.add_to(app)
    app.command("other")(lambda: None)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, ["annotate", *arguments], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def give(name: str, scores: dict[str, list[int]]) -> Path:
    """Labels of the tasks in `out`, as annotators hand them in."""
    path = Path(name)
    keys = ("version", "content_id", "row_id", "task_id", "guideline")
    labels = [
        {key: getattr(task, key) for key in keys} | {"annotator": who, "score": score, "seconds": 9}
        for who, given in scores.items()
        for task, score in zip(read_tasks(Path("out")), given, strict=True)
    ]
    path.write_text("".join(f"{json.dumps(label)}\n" for label in labels))
    return path


def test_from_rows_to_one_label_each(run) -> None:
    export = ("export", "a/v1", "out", "--guideline", "good", "--rows", "4")
    assert "4 of 9 rows of a/v1@" in run(*export, "--annotators-each", "2")
    handed_in = give("in.jsonl", {"ann": [5, 4, 1, 2], "bob": [5, 4, 1, 3]})
    told = run("import", str(handed_in), "--into", "labels/good.jsonl")
    assert "8 labels added, 0 known before" in told
    told = run("agree", "labels/good.jsonl", "--draws", "50")
    assert len(told.splitlines()) < 40
    for part in (
        "8 labels by 2 annotators of 4 rows",
        "alpha, ordinal",
        "ann and bob",
        "ann: 2, bob: 3",
    ):
        assert part in told
    found = json.loads(run("agree", "labels/good.jsonl", "--json", "--draws", "50"))
    assert found["disputed"][0]["answers"] == {"ann": 2, "bob": 3}
    told = run("adjudicate", "labels/good.jsonl")
    assert "3 rows have one label each" in told
    assert "1 rows are left to a person" in told
    done = json.loads(run("adjudicate", "labels/good.jsonl", "--json", "--decider", "ann"))
    assert (done["settled"], done["left"], done["left_path"]) == (4, 0, None)


def test_errors_are_for_people(run) -> None:
    with pytest.raises(SeedbedError, match="did you mean 'good'"):
        run("export", "a/v1", "out", "--guideline", "god", "--rows", "4")
    run("export", "a/v1", "out", "--guideline", "good", "--rows", "4")
    with pytest.raises(SeedbedError, match=r"in.jsonl:1: .*'9' is no answer"):
        run("import", str(give("in.jsonl", {"ann": [9, 4, 1, 2]})), "--into", "x.jsonl")
    assert not Path("x.jsonl").exists()


def test_the_page_is_served_until_it_is_stopped(run, space) -> None:
    run("export", "a/v1", "out", "--guideline", "good", "--rows", "4")
    command = "import typer; from dagster_project.cli import annotate; a = typer.Typer(); "
    command += "annotate.add_to(a); a.command('other')(lambda: None); a()"
    process = subprocess.Popen(
        [sys.executable, "-c", command, "annotate", "review", "out", "--annotator", "ann"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    try:
        assert "Labels go to out/labels.jsonl" in process.stdout.readline()
        address = process.stdout.readline().strip()

        async def answer() -> None:
            async with aiohttp.ClientSession() as session:
                async with session.get(f"{address}state") as response:
                    task_id = (await response.json())["task"]["task_id"]
                body = {"task_id": task_id, "answer": 2}
                async with session.post(f"{address}label", json=body) as response:
                    assert (await response.json())["done"] == 1

        asyncio.run(answer())
    finally:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=20)
    assert "stopped" in rest
    assert run("import", "out/labels.jsonl", "--into", "labels/good.jsonl")
    assert len(Path("labels/good.jsonl").read_text().splitlines()) == 1
