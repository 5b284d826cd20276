"""The verb `erase` as a person sees it."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import erase, provenance
from dagster_project.engine.erasure import carrying_out
from dagster_project.engine.erasure.plan import ErasureRefused
from dagster_project.warehouse.connect import connect
from tests.engine.erasure.erasing import places

SECRET = "what [bold]Ida[/] told nobody"


@pytest.fixture
def run(space, monkeypatch):
    rows = [{"user": f"u{n}", "text": SECRET if n == 4 else f"row {n}"} for n in range(9)]
    space.jsonl("data/log.jsonl", rows)
    space.recipe("a/v1", "inputs: {log: {files: data/log.jsonl}}\n")
    space.recipe("a/v2", "inputs: {first: {version: a/v1}}\n")
    space.publish("a/v1")
    space.publish("a/v2")
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    erase.add_to(app)
    provenance.add_to(app)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    return invoke


def rows_of(space) -> list[int]:
    with connect(space.store) as connection:
        return [
            row for (row,) in connection.execute("SELECT row_id FROM a.v2 ORDER BY 1").fetchall()
        ]


def test_it_says_what_goes_and_changes_nothing(space, run) -> None:
    told = run("erase", "a/v2:4")
    assert "1 asked for" in told and "1 source records" in told
    assert "data/log.jsonl 1 5" in told
    assert "2 rows of 2 snapshots" in told
    assert "nothing was changed; say --yes and --reason TEXT" in told
    assert rows_of(space) == list(range(9))


def test_it_erases_and_every_verb_tells_it(space, run) -> None:
    told = run("erase", "a/v2", "--where", "\"user\" = 'u4'", "--yes", "--reason", "by [letter]")
    assert "1 records, 2 rows of 2 snapshots" in told and "reason: by [letter]" in told
    assert "log.jsonl: line 5. It is yours" in told
    assert rows_of(space) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert places(space.store.root, SECRET) == []
    for verb in (
        ("trace", "a/v2:4"),
        ("why", "a/v2", "data/log.jsonl:5"),
        ("impact", "a/v1:4"),
        ("history", "a/v2"),
    ):
        assert "by [letter]" in run(*verb)
    assert "0 damaged" in run("verify")


def test_as_json(space, run) -> None:
    planned = json.loads(
        run("erase", "a/v1", "--input", "log", "--where", "text = 'row 1'", "--json")
    )
    assert (planned["asked"], planned["rows"]) == (1, 2)
    done = json.loads(run("erase", "a/v1:1", "--json", "--yes", "--reason", "r"))
    assert done["plan"] == planned
    assert [each["reason"] for each in done["done"]] == ["r"]
    assert "known_by" not in done["done"][0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "say which rows"),
        (("a/v1:4", "--yes"), "say why: --reason TEXT"),
        (("a/v1", "--input", "log"), "--input needs --where"),
        (("a/v1", "--where", "text = 'x'"), "no row of a/v1 meets"),
    ],
)
def test_what_is_refused(run, arguments, told) -> None:
    with pytest.raises(ErasureRefused, match=told):
        run("erase", *arguments)


def test_one_that_was_cut_short_is_finished_first(space, run, monkeypatch) -> None:
    def killed(*_: object) -> None:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(carrying_out, "erase_records", killed)
        with pytest.raises(OSError, match="no space left"):
            run("erase", "a/v1:4", "--yes", "--reason", "r")
    with pytest.raises(ErasureRefused, match="`seedbed erase --yes`, without rows, finishes it"):
        run("erase", "a/v1:5")
    assert "1 records, 2 rows of 2 snapshots" in run("erase", "--yes")
    assert places(space.store.root, SECRET) == []
