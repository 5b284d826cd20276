"""One label a row."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.release.annotation.adjudicate import adjudicate, settle
from dagster_project.release.annotation.labels import LabelsRefused, Placed, merge
from dagster_project.release.annotation.review import Review
from dagster_project.release.annotation.task import read_tasks, task_of
from tests.release.annotation.labelling import label, lines

GIVEN = ["aaa", "aab", "ab", "aa"]
"""What ann, bob and cid answered about four pairs."""


@pytest.fixture
def labelled(out, desk):
    tasks = out("better", count=4)
    path = desk.root / "labels" / "better.jsonl"
    found = [
        label(task, who, preferred=answer)
        for task, answers in zip(tasks, GIVEN, strict=True)
        for who, answer in zip(("ann", "bob", "cid"), answers, strict=False)
    ]
    merge(path, [Placed("here", each) for each in found])
    return path, tasks


def test_majority_and_what_is_left(labelled, desk) -> None:
    path, tasks = labelled
    done = adjudicate(desk.workspace, path)
    assert (done.settled, done.left) == (3, 1)
    found = lines(done.path)
    assert [each["preferred"] for each in found] == ["a", "a", "a"]
    assert [each["support"] for each in found] == [1, pytest.approx(2 / 3, abs=1e-6), 1]
    assert found[1] == {
        **tasks[1].model_dump(include={"version", "content_id", "row_id", "task_id", "guideline"}),
        "preferred": "a",
        "support": 0.666667,
        "labels": 3,
        "annotators": ["ann", "bob", "cid"],
        "method": "majority",
    }
    assert done.left_path is not None
    (left,) = read_tasks(done.left_path)
    assert left == tasks[2].model_copy(update={"annotators_each": 3})
    before = done.path.read_bytes()
    adjudicate(desk.workspace, path)
    assert done.path.read_bytes() == before


def test_a_person_decides_what_is_left(labelled, desk, guideline) -> None:
    path, _ = labelled
    left = adjudicate(desk.workspace, path, "review").left_path
    assert left is not None
    judge = Review(read_tasks(left), guideline("better"), path, "judge")
    assert judge.state()["total"] == 2
    while task := judge.state()["task"]:
        judge.label(task["task_id"], "tie")
    again = adjudicate(desk.workspace, path, "review", decider="judge")
    assert (again.settled, again.left, again.left_path) == (4, 0, None)
    assert not left.exists()
    found = lines(again.path)
    assert [each["preferred"] for each in found] == ["a", "tie", "tie", "a"]
    assert [each["method"] for each in found] == ["review", "decided", "decided", "review"]
    with pytest.raises(LabelsRefused, match="'jugde', who decides, gave no label"):
        adjudicate(desk.workspace, path, decider="jugde")


def test_rows_go_along(labelled, desk) -> None:
    path, tasks = labelled
    for each in lines(adjudicate(desk.workspace, path, with_rows=True).path):
        task = next(task for task in tasks if task.task_id == each["task_id"])
        assert each["prompt"] == task.fields["prompt"]
        assert (each["chosen"], each["rejected"]) == (task.fields["answer"], task.fields["other"])


def test_who_errs_weighs_less(guideline) -> None:
    """Two who know are outvoted by four who guess, unless they weigh more."""
    asks, chance = guideline("topic"), np.random.default_rng(5)
    answers = asks.asks.answers
    truth = chance.integers(0, 3, 80).tolist()
    labels = []
    for n, right in enumerate(truth):
        task = task_of("a/v1", "c" * 64, n, asks.citation, {"prompt": str(n)})
        guesses = dict(zip("cdef", chance.integers(0, 3, 4).tolist(), strict=True))
        given = {"a": right, "b": right} | guesses
        labels += [label(task, who, label=answers[place]) for who, place in given.items()]
    votes, weighted = (settle(labels, asks, method) for method in ("majority", "weighted"))
    assert (
        sum(
            each.answer != asks.asks.answers[right]
            for each, right in zip(votes, truth, strict=True)
        )
        > 5
    )
    assert [each.answer for each in weighted] == [answers[place] for place in truth]
    assert all(each.support > 0.9 for each in weighted)
    assert all(each.answer is None for each in settle(labels, asks, least=1.1))


def test_several_guidelines_in_a_file(labelled, out, desk) -> None:
    path, tasks = labelled
    other = out("helpful", "more", count=1)[0]
    merge(path, [Placed("", label(other, "ann", score=3))])
    with pytest.raises(LabelsRefused, match="say which is meant with --guideline"):
        adjudicate(desk.workspace, path)
    assert adjudicate(desk.workspace, path, guideline=other.guideline).settled == 1
    with pytest.raises(LabelsRefused, match="no labels under x@"):
        adjudicate(desk.workspace, path, guideline="x@000000000000")
    texts = out("rewrite", "texts", count=1)[0]
    merge(desk.root / "t.jsonl", [Placed("", label(texts, "ann", text="x"))])
    with pytest.raises(LabelsRefused, match="texts are not adjudicated"):
        adjudicate(desk.workspace, desk.root / "t.jsonl")
    assert tasks
