"""Choices of several labels: what may be answered, how it comes back, agreement, one answer a row."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest

from dagster_project.operators.verify.agreement import krippendorff_alpha, masi_distances
from dagster_project.recipe.problems import DeclarationError
from dagster_project.release.annotation.adjudicate import adjudicate, settle
from dagster_project.release.annotation.agreement_report import agreement
from dagster_project.release.annotation.collect import collect
from dagster_project.release.annotation.guideline import Guidelines
from dagster_project.release.annotation.labels import LabelsRefused, read_labels
from dagster_project.release.annotation.review import Review, ReviewRefused
from dagster_project.release.annotation.review_server import ReviewServer
from dagster_project.release.annotation.task import task_of
from tests.release.annotation.browser import CHROMIUM, Browser
from tests.release.annotation.labelling import label, lines, written

FRONT = "kind: choice\nquestion: What is in it?\nfields: [prompt]\nlabels: [bread, bees, goals]\n"


@pytest.fixture
def several(desk):
    (desk.root / "guidelines" / "tags.md").write_text(
        f"---\n{FRONT}several: true\n---\nAll of them.\n"
    )
    return Guidelines(desk.root).current("tags")


def test_what_may_be_answered(several, desk) -> None:
    asks = several.asks
    assert asks.problem_with([]) is None
    assert asks.problem_with(["goals", "bread"]) is None
    assert asks.in_order(["goals", "bread"]) == ("bread", "goals")
    assert asks.problem_with("bread") == "'bread' is no list of labels"
    assert "'cats' is no answer; each once, of bread, bees, goals" in str(
        asks.problem_with(["cats"])
    )
    assert "'bees, bees' is no answer" in str(asks.problem_with(["bees", "bees"]))
    for more, told in (
        ("several: true\nordered: true\n", "have no order"),
        ("kind: text\n", "twice"),
    ):
        (desk.root / "guidelines" / "bad.md").write_text(f"---\n{FRONT}{more}---\n")
        with pytest.raises(DeclarationError, match=told):
            Guidelines(desk.root).current("bad")


def test_masi_by_hand() -> None:
    """Passonneau 2006: 1 - Jaccard x (1, 2/3, 1/3 or 0)."""
    sets = [{"a"}, {"a", "b"}, {"b", "c"}, {"c"}, set()]
    found = masi_distances(sets)
    assert found[0, 1] == pytest.approx(1 - 1 / 2 * 2 / 3)  # one holds the other
    assert found[1, 2] == pytest.approx(1 - 1 / 3 * 1 / 3)  # they overlap
    assert found[0, 3] == found[0, 4] == 1
    assert (found == found.T).all()
    assert not found.diagonal().any()


def test_alpha_of_sets_by_hand() -> None:
    """Two raters, three units: equal, one holds the other, nothing in common."""
    sets = [("a",), ("a", "b"), ("c",)]
    distances = masi_distances(sets)
    ratings = np.array([[0, 0], [0, 1], [1, 2]], dtype=float)
    near, far = 1 - 1 / 2 * 2 / 3, 1.0
    observed = (0 + near + far) / 3
    margins = np.array([3, 2, 1])
    pairs = {(0, 1): near, (0, 2): far, (1, 2): far}
    expected = sum(2 * margins[i] * margins[j] * d for (i, j), d in pairs.items()) / (6 * 5)
    found = krippendorff_alpha(ratings, distances=distances)
    assert found == pytest.approx(1 - observed / expected)


def tasks(asks, count: int):
    return [
        task_of("a/v1", "c" * 64, n, asks.citation, {"prompt": f"question {n}"})
        for n in range(count)
    ]


def test_agreement_of_sets_and_of_each_label(several) -> None:
    one, two, three = tasks(several, 3)
    given = [
        label(one, "ann", choices=("bread",)),
        label(one, "bob", choices=("bread",)),
        label(two, "ann", choices=("bread",)),
        label(two, "bob", choices=("bread", "bees")),
        label(three, "ann", choices=()),
        label(three, "bob", choices=("goals",)),
    ]
    report = agreement(given, several, draws=50)
    assert report.level == "masi"
    assert [(each.label, each.share) for each in report.choices] == [
        ("bread", pytest.approx(4 / 6)),
        ("bees", pytest.approx(1 / 6)),
        ("goals", pytest.approx(1 / 6)),
    ]
    assert report.choices[0].alpha.value == 1
    assert report.pairs[0].equal == pytest.approx(1 / 3)
    assert [(each.task_id, each.disagreement) for each in report.disputed] == [
        (three.task_id, 1),
        (two.task_id, pytest.approx(1 - 1 / 2 * 2 / 3)),
    ]


def test_each_label_is_settled_by_itself(several) -> None:
    one, two = tasks(several, 2)
    given = [
        label(one, "ann", choices=("bread", "bees")),
        label(one, "bob", choices=("bread",)),
        label(one, "cem", choices=("bees", "goals")),
        label(two, "ann", choices=()),
        label(two, "bob", choices=("goals",)),
    ]
    first, second = settle(given, several)
    assert (first.answer, first.support) == (("bread", "bees"), pytest.approx(2 / 3))
    assert second.answer is None  # one says goals, one does not
    assert [each.answer for each in settle(given, several, "review")] == [None, None]
    assert settle(given, several, decider="bob")[1].answer == ("goals",)
    agreed = [label(one, who, choices=()) for who in ("ann", "bob")]
    assert [each.answer for each in settle(agreed, several, "weighted")] == [()]


def test_they_come_back_from_everywhere(several, out, desk) -> None:
    one, two, *_ = out("tags", count=3)
    own = written(
        desk.root / "own.jsonl", [label(one, "ann", choices=("goals", "bread"), seconds=2.0)]
    )
    studio = [
        {"id": n, "data": {"task_id": each.task_id, "kind": "several choices"}, "annotations": [
            {"id": n, "completed_by": {"email": "bob"}, "result": result}]}
        for n, (each, result) in enumerate(
            [(one, [{"from_name": "answer", "value": {"choices": ["bees"]}}]), (two, [])]
        )
    ]  # fmt: skip
    argilla = [
        {"id": two.task_id, "metadata": {}, "responses": {"answer": [
            {"value": ["goals", "bees"], "status": "submitted", "user_id": "cem"}]}}
    ]  # fmt: skip
    files = [own]
    for name, document in (("studio.json", studio), ("argilla.json", argilla)):
        files.append(desk.root / name)
        files[-1].write_text(json.dumps(document))
    into = desk.root / "labels" / "tags.jsonl"
    into.parent.mkdir()
    assert collect(desk.workspace, files, into).added == 4
    assert [(each["annotator"], each["choices"]) for each in lines(into)] == [
        ("ann", ["bread", "goals"]),
        ("bob", ["bees"]),
        ("bob", []),
        ("argilla:cem", ["bees", "goals"]),
    ]
    done = adjudicate(desk.workspace, into, decider="ann", with_rows=True)
    assert [each["choices"] for each in lines(done.path)] == [["bread", "goals"]]
    wrong = written(desk.root / "wrong.jsonl", [label(two, "ann", choices=("cats",))])
    with pytest.raises(LabelsRefused, match="'cats' is no answer"):
        collect(desk.workspace, [wrong], into)


def test_what_other_tools_are_given(several, out, desk) -> None:
    out("tags", "studio", "label-studio", count=2)
    config = (desk.root / "studio" / "label_config.xml").read_text()
    assert '<Choices name="answer" toName="field_1" choice="multiple">' in config
    out("tags", "argilla", "argilla", count=2)
    settings = json.loads((desk.root / "argilla" / ".argilla" / "settings.json").read_text())
    (question,) = settings["questions"]
    assert question["settings"]["type"] == "multi_label_selection"
    assert not question["required"]


def test_an_answer_that_is_no_list_is_refused(several, out, tmp_path: Path) -> None:
    (task,) = out("tags", count=1)
    review = Review([task], several, tmp_path / "l.jsonl", "ann")
    with pytest.raises(ReviewRefused, match="no list of labels"):
        review.label(task.task_id, "bees")


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_the_page(several, out, tmp_path: Path) -> None:
    review = Review(out("tags", count=3), several, tmp_path / "labels.jsonl", "ann")
    done = "document.getElementById('progress').textContent === '{} of 3'"
    pressed = "document.querySelectorAll('#buttons [aria-pressed=true]').length"

    async def drive() -> None:
        async with Browser() as browser, ReviewServer(review) as server:
            await browser.open(server.address)
            await browser.until(done.format(0))
            for key in "3112":
                await browser.press(key)
            assert await browser.value(pressed) == 2
            await browser.press("Enter")
            await browser.until(done.format(1))
            assert await browser.value(pressed) == 0
            await browser.press("Enter")
            await browser.until(done.format(2))
            await browser.press("1")
            await browser.value("document.querySelector('#buttons button:last-child').click()")
            await browser.until(done.format(3))

    asyncio.run(drive())
    assert [each.choices for each in read_labels(review.path)] == [
        ("bees", "goals"),
        (),
        ("bread",),
    ]
