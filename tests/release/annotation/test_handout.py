"""Tasks that are handed out."""

from __future__ import annotations

import json

import polars as pl
import pytest

from dagster_project.release.annotation.sample import Choosing, sample_tasks
from dagster_project.release.annotation.task import TasksRefused, cited, read_tasks, shown_text
from dagster_project.release.rows import RowsRefused
from dagster_project.warehouse.address import SnapshotAddress


def test_a_task_cites_its_row(out, desk) -> None:
    tasks = out("helpful")
    rows = pl.read_ndjson(desk.root / "rows.jsonl")
    assert len({task.row_id for task in tasks}) == 6
    for task in tasks:
        assert task.fields["prompt"] == rows["prompt"][task.row_id]
        cites = cited(task.task_id)
        assert cites is not None
        assert (cites.version, cites.row_id) == ("a/v1", task.row_id)
        assert task.content_id.startswith(cites.content)
        assert task.guideline == cites.guideline
    facts = json.loads((desk.root / "out" / "annotation.json").read_text())
    assert facts["content_id"] == tasks[0].content_id
    guideline = (desk.root / "out" / "guideline.md").read_bytes()
    assert guideline == (desk.root / "guidelines" / "helpful.md").read_bytes()


def test_the_same_choice_gives_the_same_bytes(out, desk) -> None:
    for tool in ("seedbed", "label-studio", "argilla"):
        for folder in ("one", "two"):
            out("better", f"{folder}-{tool}", tool)
        files = [
            {p.name: p.read_bytes() for p in (desk.root / f"{f}-{tool}").rglob("*") if p.is_file()}
            for f in ("one", "two")
        ]
        assert files[0] == files[1]
    first, other = out("better", "three"), out("better", "four", seed=1)
    assert [task.row_id for task in first] != [task.row_id for task in other]


def test_rows_are_chosen_by_a_column(out) -> None:
    assert [task.row_id for task in out("topic", "a", by="sure")] == [19, 18, 17, 16, 15, 14]
    assert [task.row_id for task in out("topic", "b", count=3, by="sure", lowest=True)] == [0, 1, 2]
    near = out("topic", "c", count=3, by="sure", nearest=0.5)
    assert [task.row_id for task in near] == [10, 9, 11]
    with pytest.raises(TasksRefused, match="did you mean 'sure'"):
        out("topic", "d", by="sur")
    with pytest.raises(TasksRefused, match="by numbers"):
        out("topic", "d", by="prompt")
    with pytest.raises(TasksRefused, match="give --by"):
        out("topic", "d", lowest=True)


def test_lists_of_probabilities_and_measured_columns(desk, guideline) -> None:
    shares = [[0.5, 0.5], [0.9, 0.1], None, [0.6, 0.4]]
    desk.jsonl("p.jsonl", [{"prompt": f"{n} words", "p": p} for n, p in enumerate(shares)])
    desk.recipe(
        "p/v1",
        "inputs:\n  one: {files: p.jsonl}\n"
        "steps:\n  - measure_length: {column: prompt, units: [words]}\n",
    )
    desk.publish("p/v1")
    address = SnapshotAddress.parse("p/v1")

    def chosen(**how):
        tasks = sample_tasks(desk.store, address, guideline("topic"), Choosing(9, **how)).tasks
        return [task.row_id for task in tasks]

    assert chosen(by="p") == [0, 3, 1]
    assert chosen(by="words") == [0, 1, 2, 3]


def test_what_is_refused(out, desk, guideline) -> None:
    out("helpful")
    with pytest.raises(TasksRefused, match="is there already"):
        out("helpful")
    path = desk.root / "guidelines" / "odd.md"
    path.write_text("---\nkind: text\nquestion: x\nfields: [promt]\n---\n")
    with pytest.raises(RowsRefused, match="did you mean 'prompt'"):
        out("odd", "other")
    assert not (desk.root / "other").exists()
    tasks = desk.root / "out" / "tasks.jsonl"
    tasks.write_text(tasks.read_text().replace("Answer", "Reply"))
    with pytest.raises(TasksRefused, match=r"tasks.jsonl:1: the task was altered"):
        read_tasks(tasks)


def test_values_as_annotators_see_them() -> None:
    chat = [{"role": "user", "content": "Hi"}, {"role": None, "content": None}]
    assert shown_text(chat) == "user: Hi\n\n: "
    assert shown_text(None) == ""
    assert shown_text("x") == "x"
    assert shown_text([1, {"a": None}]) == '[1, {"a": null}]'
