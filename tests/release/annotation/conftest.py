"""A workspace with a version, and guidelines of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dagster_project.release.annotation.guideline import Guideline, Guidelines
from dagster_project.release.annotation.handout import hand_out
from dagster_project.release.annotation.sample import Choosing
from dagster_project.release.annotation.task import Task, read_tasks
from dagster_project.warehouse.address import SnapshotAddress

GUIDELINES = {
    "helpful": "kind: rating\nquestion: How helpful is the answer?\nfields: [prompt, answer]\n",
    "better": "kind: pairwise\nquestion: Which is better?\nfields: [prompt]\npair: [answer, other]\n",
    "topic": "kind: choice\nquestion: About what?\nfields: [prompt]\nlabels: [bread, bees, goals]\n",
    "rewrite": "kind: text\nquestion: Write it better.\nfields: [answer]\n",
}
BODY = "\nGive **5** to what needs no other answer.\n"
AWKWARD = '<script>alert("x")</script> & <b>bold</b>'


def rows(count: int = 20) -> list[dict[str, Any]]:
    return [
        {
            "prompt": f"Question {n}? {AWKWARD if n % 3 == 0 else ''}",
            "answer": f"Answer {n}.",
            "other": f"Another answer {n}.",
            "sure": n / count,
        }
        for n in range(count)
    ]


@pytest.fixture
def desk(space):
    """The workspace `space`, with `a/v1` published and guidelines written."""
    space.jsonl("rows.jsonl", rows())
    space.recipe("a/v1", "inputs:\n  one: {files: rows.jsonl}\n")
    space.publish("a/v1")
    (space.root / "guidelines").mkdir()
    for name, front in GUIDELINES.items():
        (space.root / "guidelines" / f"{name}.md").write_text(f"---\n{front}---\n{BODY}")
    return space


@pytest.fixture
def out(desk) -> Callable[..., list[Task]]:
    """Hands out tasks to a folder; gives them."""

    def write(name: str, folder: str = "out", tool: str = "seedbed", count: int = 6, **choice: Any):
        each = choice.pop("annotators_each", 1)
        sampled = hand_out(
            desk.workspace,
            SnapshotAddress.parse("a/v1"),
            name,
            Choosing(count, **choice),
            tool,  # pyright: ignore
            desk.root / folder,
            annotators_each=each,
        )
        if tool == "seedbed":
            assert read_tasks(desk.root / folder) == sampled.tasks
        return sampled.tasks

    return write


@pytest.fixture
def guideline(desk) -> Callable[[str], Guideline]:
    return lambda name: Guidelines(desk.root).current(name)
