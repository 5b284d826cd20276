"""The verbs of people who write recipes."""

from __future__ import annotations

import pytest
import typer
import yaml
from typer.testing import CliRunner

from dagster_project.cli import author, init
from dagster_project.cli.console import console, print_table
from dagster_project.errors import SeedbedError


@pytest.fixture
def run(space, monkeypatch):
    (space.root / "workspace.yaml").touch()
    (space.root / "assets").mkdir(exist_ok=True)
    monkeypatch.chdir(space.root)
    app = typer.Typer()
    author.add_to(app)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, SeedbedError):
            raise result.exception
        return result.stdout

    return invoke


def test_a_glob_is_written_so_that_yaml_reads_it(run, space) -> None:
    run("new", "mine", "--files", "*.jsonl")
    recipe = yaml.safe_load((space.root / "assets/mine/v1.yaml").read_text())
    assert recipe["inputs"] == {"rows": {"files": "*.jsonl"}}
    assert "licence" not in recipe, "nobody has said what it is"
    assert "1 version can be used, 0 cannot" in run("check")
    space.suite(
        "rows", "description: rows\nexpectations: [{sql: SELECT row_id FROM rows WHERE false}]"
    )
    run("new", "other")
    assert "checks: [rows]" in (space.root / "assets/other/v1.yaml").read_text()
    assert "2 versions can be used, 0 cannot" in run("check")


def test_files_of_a_next_version_are_refused(run) -> None:
    run("new", "mine")
    with pytest.raises(SeedbedError, match=r"mine/v2 would be made from mine/v1, not from files"):
        run("new", "mine", "--files", "other.jsonl")
    assert "assets/mine/v2.yaml" in run("new", "mine")


def test_an_operator_is_told_in_a_whole_sentence(run) -> None:
    lines = [line for line in run("operators").replace("\n", " ").split(". ") if line.strip()]
    assert any("such as lengths and perplexities that were measured before" in x for x in lines)


def test_names_are_no_emoji(capsys) -> None:
    console.print("source.py:boom:")
    assert "source.py:boom:" in capsys.readouterr().out


def test_control_characters_of_data_are_shown_not_sent(capsys) -> None:
    print_table([{"text\x1b[31m": "a\x1b]0;title\x07\u202eb"}])
    console.print("\x9b31m")
    shown = capsys.readouterr().out
    assert "a␛]0;title␇\ufffdb" in shown
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(shown)


def test_one_version_is_checked_by_its_name(run, space) -> None:
    space.recipe("a/v1", "inputs: {rows: {files: rows.jsonl}}\n")
    space.recipe("a/v2", "inputs: {rows: {file: rows.jsonl}}\n")
    assert "1 version can be used, 0 cannot" in run("check", "a/v1")
    assert "0 versions can be used, 1 cannot" in run("check", "a/v2")
    with pytest.raises(SeedbedError, match="there is no version 'a/v'; did you mean 'a/v"):
        run("check", "a/v")


def test_a_workspace_is_made_once_and_works_from_the_start(tmp_path, monkeypatch) -> None:
    app = typer.Typer()
    init.add_to(app)
    author.add_to(app)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/rows.jsonl").write_text('{"text": "a row"}\n')
    (tmp_path / ".gitignore").write_text("mine\n")
    monkeypatch.delenv("SEEDBED_WORKSPACE", raising=False)
    monkeypatch.chdir(tmp_path)

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, arguments)
        if isinstance(result.exception, SeedbedError):
            raise result.exception
        return result.stdout

    invoke("init")
    assert (tmp_path / ".gitignore").read_text() == "mine\n", "what is there stays"
    invoke("new", "mine")
    assert "1 version can be used, 0 cannot" in invoke("check")
    with pytest.raises(SeedbedError, match="is a workspace already"):
        invoke("init", str(tmp_path))
