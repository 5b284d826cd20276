"""What labels cost, in the ledger of the version they are about."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from dagster_project.cli import spending
from dagster_project.llm.books import books_of, ledger
from dagster_project.llm.money import picodollars
from dagster_project.recipe.problems import DeclarationError
from dagster_project.release.annotation.collect import collect
from dagster_project.release.annotation.guideline import Guidelines, Price
from dagster_project.release.annotation.labels import read_labels
from dagster_project.release.annotation.paid import annotation_dollars
from dagster_project.release.annotation.review import Review
from dagster_project.release.annotation.task import TasksRefused
from tests.release.annotation.labelling import label, lines, written


@pytest.fixture
def paid(desk):
    """Guidelines whose labels are paid for, each or by the hour, and a budget."""
    for name, price in (("each", "{label: 0.08}"), ("hourly", "{hour: 18}")):
        front = f"kind: rating\nquestion: How good?\nfields: [answer]\nprice: {price}\n"
        (desk.root / "guidelines" / f"{name}.md").write_text(f"---\n{front}---\nRate it.\n")
    desk.recipe("a/v1", "inputs:\n  one: {files: rows.jsonl}\nbudget: {dollars: 1.00}\n")
    return desk


def spent(desk) -> int:
    return books_of(desk.store, "a/v1").settled.picodollars


def test_an_import_enters_each_label_once(paid, out) -> None:
    tasks = out("each", count=3, annotators_each=2)
    given = [label(task, who, score=4) for task in tasks for who in ("ann", "bob")]
    into = paid.root / "labels" / "each.jsonl"
    into.parent.mkdir()
    came = written(paid.root / "came.jsonl", given)
    collect(paid.workspace, [came], into)
    assert spent(paid) == 6 * picodollars(0.08)
    collect(paid.workspace, [came], into)
    corrected = [label(tasks[0], "ann", score=1)]
    collect(paid.workspace, [written(paid.root / "new.jsonl", corrected)], into, replace=True)
    assert spent(paid) == 6 * picodollars(0.08)
    assert annotation_dollars(paid.store, "a/v1") == 0.48
    assert annotation_dollars(paid.store, "b/v1") == 0
    (post,) = ledger(paid.store, "a/v1")
    assert (post.purpose, post.calls, post.model) == ("annotation", 6, tasks[0].guideline)
    assert {each.cost for each in read_labels(into)} == {0.08}


def test_a_cost_that_a_tool_tells_is_kept_and_time_is_paid_by_the_hour(paid, out) -> None:
    one, two, three = out("hourly", count=3)
    given = [
        label(one, "ann", score=4, seconds=20.0),
        label(two, "ann", score=4, seconds=20.0, cost=0.5),
        label(three, "ann", score=4),
    ]
    into = paid.root / "hourly.jsonl"
    collect(paid.workspace, [written(paid.root / "came.jsonl", given)], into)
    assert [each.get("cost") for each in lines(into)] == [0.1, 0.5, None]
    assert spent(paid) == picodollars(0.6)


def test_the_page_enters_what_it_saves_and_undoing_is_paid_work_too(paid, out) -> None:
    tasks = out("each", count=2)
    asks = Guidelines(paid.root).current("each")
    path = paid.root / "out" / "labels.jsonl"
    review = Review(tasks, asks, path, "ann", store=paid.store)
    review.label(tasks[0].task_id, 3, seconds=4.26)
    review.undo()
    review.label(tasks[0].task_id, 5)
    assert spent(paid) == picodollars(0.08)
    assert [each["cost"] for each in lines(path)] == [0.08]
    Review(tasks, asks, path, "ann").label(tasks[1].task_id, 5)  # without a store
    assert spent(paid) == picodollars(0.08)
    collect(paid.workspace, [path], paid.root / "each.jsonl")
    assert spent(paid) == picodollars(0.16)


def test_what_a_budget_does_not_cover_is_not_handed_out(paid, out) -> None:
    told = (
        r"14 labels cost \$1.12, and a/v1 has spent \$0.00 of its budget of \$1.00: 12 labels fit"
    )
    with pytest.raises(TasksRefused, match=told):
        out("each", count=7, annotators_each=2)
    assert not (paid.root / "out").exists()
    tasks = out("each", count=12)
    given = written(paid.root / "came.jsonl", [label(task, "ann", score=4) for task in tasks])
    collect(paid.workspace, [given], paid.root / "each.jsonl")
    with pytest.raises(TasksRefused, match=r"has spent \$0.96 of its budget"):
        out("each", "more", count=1)
    out("hourly", "free", count=1)  # what it costs is not known before


def test_spent_tells_annotators_beside_models(paid, out, monkeypatch) -> None:
    (task,) = out("each", count=1)
    given = written(paid.root / "came.jsonl", [label(task, "ann", score=4)])
    collect(paid.workspace, [given], paid.root / "each.jsonl")
    monkeypatch.chdir(paid.root)
    app = typer.Typer()
    spending.add_to(app)
    told = CliRunner().invoke(app, ["spent", "a/v1"], catch_exceptions=False).output
    assert "0.08 of 1 dollars" in told
    assert "0 calls and 1 labels" in told
    assert "annotation" in told


@pytest.mark.parametrize("price", ["{label: 0.1, hour: 3}", "{}", "{label: 0}", "{label: .inf}"])
def test_prices_that_are_none(paid, price) -> None:
    front = f"kind: rating\nquestion: How good?\nfields: [answer]\nprice: {price}\n"
    (paid.root / "guidelines" / "bad.md").write_text(f"---\n{front}---\n")
    with pytest.raises(DeclarationError, match=r"bad\.md:5: price"):
        Guidelines(paid.root).current("bad")
    assert Price(hour=36).of(None) is None
