"""Labels brought back."""

from __future__ import annotations

import json

import pytest

from dagster_project.release.annotation.collect import collect
from dagster_project.release.annotation.labels import (
    LabelsRefused,
    Placed,
    merge,
    read_labels,
    withdraw,
)
from tests.release.annotation.labelling import label, lines, written


def test_the_same_label_is_not_added_twice_and_none_is_lost(out, desk) -> None:
    tasks = out("helpful")
    into = desk.root / "labels" / "helpful.jsonl"
    ann = [label(task, "ann", score=n % 5 + 1, seconds=2.5) for n, task in enumerate(tasks)]
    bob = [label(task, "bob", score=3, note="hm") for task in tasks]
    first = written(desk.root / "ann.jsonl", ann)
    merged = collect(desk.workspace, [first], into)
    assert (merged.added, merged.known, merged.labels) == (6, 0, 6)
    before = into.read_bytes()
    assert collect(desk.workspace, [first, first], into).added == 0
    assert into.read_bytes() == before
    collect(desk.workspace, [written(desk.root / "bob.jsonl", bob)], into)
    assert into.read_bytes().startswith(before)
    assert read_labels(into) == [*ann, *bob]
    assert lines(into)[0].keys() == {
        *("version", "content_id", "row_id", "task_id", "annotator", "score"),
        *("guideline", "seconds"),
    }


def test_another_answer_by_the_same_person(out, desk) -> None:
    task = out("helpful")[0]
    into = desk.root / "helpful.jsonl"
    one = written(desk.root / "one.jsonl", [label(task, "ann", score=1)])
    two = written(desk.root / "two.jsonl", [label(task, "ann", score=2)])
    collect(desk.workspace, [one], into)
    with pytest.raises(LabelsRefused, match=r"two.jsonl:1: ann answered '1' .* and now '2'"):
        collect(desk.workspace, [two], into)
    assert read_labels(into)[0].score == 1
    assert collect(desk.workspace, [two], into, replace=True).replaced == 1
    assert read_labels(into)[0].score == 2


def test_labels_of_what_is_not_there_are_refused_all_together(out, desk) -> None:
    tasks = out("helpful")
    good = json.loads(label(tasks[0], "ann", score=3).model_dump_json(exclude_none=True))

    def changed(old: str, new: str, **fields) -> str:
        return json.dumps(good | fields).replace(old, new)

    citation = good["guideline"]
    shown = good["task_id"][-12:]
    wrong = [
        json.dumps(good),
        changed(citation, "helpful@000000000000"),
        changed("a/v1", "b/v1"),
        changed(good["content_id"][:12], "0" * 12),
        changed(f":{good['row_id']}#", ":99#", row_id=99),
        changed(shown, "0" * 12),
        json.dumps(good | {"score": 9}),
    ]
    path = desk.jsonl("labels.jsonl", wrong)
    into = desk.root / "into.jsonl"
    with pytest.raises(LabelsRefused) as refused:
        collect(desk.workspace, [path], into)
    told = str(refused.value).splitlines()
    for number, part in {
        2: "no guideline helpful@000000000000 is known",
        3: "b/v1 has no published snapshot",
        4: "a/v1 has no published snapshot whose content id begins 000000000000",
        5: "has 20 rows, numbered from 0: there is no row 99",
        6: "is not what annotators were shown",
        7: "'9' is no answer; one of 1, 2, 3, 4, 5",
    }.items():
        assert any(f"labels.jsonl:{number}: " in line and part in line for line in told), part
    assert len(told) == 7
    assert not into.exists()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"score": None}, "exactly one answer"),
        ({"text": "x"}, "exactly one answer"),
        ({"row_id": 19_999}, "is not what task_id cites"),
        ({"task_id": "x"}, "is not the id of a task"),
        ({"seconds": -1}, "seconds: "),
        ({"by": 1}, "by: "),
    ],
)
def test_what_is_no_label(out, desk, fields, told) -> None:
    good = json.loads(label(out("helpful")[0], "ann", score=3).model_dump_json(exclude_none=True))
    path = desk.jsonl("labels.jsonl", ["", good, {**good, **fields}])
    with pytest.raises(LabelsRefused, match=f"labels.jsonl:3: no label: .*{told}"):
        read_labels(path)


def test_a_row_that_moved_is_not_taken_for_another(out, desk) -> None:
    """The same rows in another order have the same content id."""
    tasks = out("helpful")
    file = written(desk.root / "ann.jsonl", [label(task, "ann", score=3) for task in tasks])
    rows = lines(desk.root / "rows.jsonl")
    desk.jsonl("rows.jsonl", reversed(rows))
    desk.publish("a/v1")
    assert collect(desk.workspace, [file], desk.root / "into.jsonl").added == 6


def test_an_interrupted_write_leaves_the_labels_as_they_were(out, desk, monkeypatch) -> None:
    tasks = out("helpful")
    into = desk.root / "into.jsonl"
    files = [
        written(desk.root / f"{who}.jsonl", [label(task, who, score=3) for task in tasks])
        for who in ("ann", "bob")
    ]
    collect(desk.workspace, files[:1], into)
    before = into.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
        with pytest.raises(OSError, match="full"):
            collect(desk.workspace, files[1:], into)
    assert into.read_bytes() == before
    assert [path.name for path in desk.root.glob(".into*")] == [".into.jsonl.lock"]


def test_withdrawn(out, desk) -> None:
    task = out("helpful")[0]
    into = desk.root / "into.jsonl"
    only = label(task, "ann", score=3)
    assert withdraw(into, only.given) is None
    merge(into, [Placed("here", only)])
    assert withdraw(into, only.given) == only
    assert into.read_bytes() == b""
