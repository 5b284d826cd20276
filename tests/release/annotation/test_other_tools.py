"""Tasks for Label Studio and Argilla, and labels from them.

What annotators do there is written as these tools write it: results as `label-studio-sdk` 2.1.2
generates them for this configuration, responses as the client of Argilla 2.8.0 exports records.
"""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from dagster_project.release.annotation.answered import AnswersRefused
from dagster_project.release.annotation.collect import collect
from dagster_project.release.annotation.labels import LabelsRefused, read_labels

RESULTS = {
    "helpful": {"type": "rating", "to_name": "field_1", "value": {"rating": 4}},
    "topic": {"type": "choices", "to_name": "field_1", "value": {"choices": ["bees"]}},
    "rewrite": {"type": "textarea", "to_name": "field_1", "value": {"text": ["Better."]}},
    "better": {"type": "pairwise", "to_name": ["left", "right"], "value": {"selected": "left"}},
}
"""What an annotator answers, in Label Studio."""
ANSWERS = {"helpful": 4, "topic": "bees", "rewrite": "Better."}
TIE = {"from_name": "tie", "to_name": "left", "type": "choices", "value": {"choices": ["tie"]}}


def annotated(task: dict, result: list[dict], **more) -> dict:
    annotation = {
        "id": 1001,
        "result": result,
        "was_cancelled": False,
        "completed_by": {"id": 3, "email": "ann@example.org"},
        "created_at": "2021-03-09T22:16:08.728353Z",
        "lead_time": 4.288,
    }
    return {"id": 7, "data": task["data"], "annotations": [annotation | more], "predictions": []}


@pytest.fixture
def studio(out, desk):
    def tasks(name: str) -> list[dict]:
        out(name, f"{name}-ls", "label-studio")
        return json.loads((desk.root / f"{name}-ls" / "label_studio_tasks.json").read_text())

    return tasks


@pytest.fixture
def read(desk):
    def collected(name: str, document) -> list:
        path = desk.root / name
        path.write_text(json.dumps(document))
        collect(desk.workspace, [path], desk.root / "into.jsonl")
        return read_labels(desk.root / "into.jsonl")

    return collected


@pytest.mark.parametrize("name", RESULTS)
def test_through_label_studio(studio, read, desk, name) -> None:
    tasks = studio(name)
    result = [RESULTS[name] | {"from_name": "answer", "id": "x"}]
    labels = read("export.json", [annotated(task, result) for task in tasks])
    assert [label.task_id for label in labels] == [task["data"]["task_id"] for task in tasks]
    first = labels[0]
    assert (first.annotator, first.seconds) == ("ann@example.org", 4.288)
    assert first.created_at is not None and first.created_at.year == 2021
    if name in ANSWERS:
        assert {label.answer for label in labels} == {ANSWERS[name]}
    else:
        rows = [json.loads(line) for line in (desk.root / "rows.jsonl").read_text().splitlines()]
        for label, task in zip(labels, tasks, strict=True):
            shown = {"a": "answer", "b": "other"}[label.preferred]
            assert rows[label.row_id][shown] == task["data"]["left"]
        assert {label.preferred for label in labels} == {"a", "b"}


def test_ties_skipped_and_empty(studio, read, desk) -> None:
    one, two, three, *_ = studio("better")
    answer = [RESULTS["better"] | {"from_name": "answer"}]
    labels = read("e.json", [annotated(one, [TIE]), annotated(two, answer, was_cancelled=True)])
    assert [label.preferred for label in labels] == ["tie"]
    path = desk.root / "empty.json"
    path.write_text(json.dumps([annotated(three, [])]))
    assert collect(desk.workspace, [path], desk.root / "into.jsonl").empty == 1
    with pytest.raises(LabelsRefused, match=r"b.json: task 7, annotation 1001: .*'left and tie'"):
        read("b.json", [annotated(two, [*answer, TIE])])
    two["data"]["task_id"] = "x"
    with pytest.raises(LabelsRefused, match="task 7, annotation 1001: 'x' is not the id"):
        read("c.json", [annotated(two, answer)])


def test_the_labelling_configuration(studio, desk) -> None:
    path = desk.root / "guidelines" / "odd.md"
    question = 'Is it <b> & "quoted"?'
    front = f"kind: rating\nquestion: '{question}'\nfields: [prompt]\nscale: [0, 2]\n"
    path.write_text(f"---\n{front}---\n<script>\n")
    studio("odd")
    project = json.loads((desk.root / "odd-ls" / "label_studio_project.json").read_text())
    assert "<pre>&lt;script&gt;</pre>" in project["expert_instruction"]
    view = ElementTree.fromstring(project["label_config"])
    assert view.findall("Header")[-1].get("value") == question
    assert [each.get("value") for each in view.iter("Choice")] == ["0", "1", "2"]


def test_a_scale_from_zero_comes_back_as_numbers(studio, read, desk) -> None:
    path = desk.root / "guidelines" / "odd.md"
    path.write_text("---\nkind: rating\nquestion: x\nfields: [prompt]\nscale: [0, 2]\n---\n")
    result = [{"from_name": "answer", "type": "choices", "value": {"choices": ["0"]}}]
    assert read("e.json", [annotated(studio("odd")[0], result)])[0].score == 0


@pytest.mark.parametrize("name", RESULTS)
def test_through_argilla(out, read, desk, name) -> None:
    out(name, "rg", "argilla", annotators_each=2)
    folder = desk.root / "rg"
    records = json.loads((folder / "records.json").read_text())
    for record in records:
        value = ANSWERS.get(name, "right")
        record["responses"] = {"answer": [{"value": value, "user_id": "17d2dc51"}]}
    draft = {"value": ANSWERS.get(name, "left"), "user_id": "x", "status": "draft"}
    records[0]["responses"]["answer"].append(draft)
    labels = read("records.json", records)
    assert {label.annotator for label in labels} == {"argilla:17d2dc51"}
    assert [label.task_id for label in labels] == [record["id"] for record in records]
    if name == "better":
        rows = [json.loads(line) for line in (desk.root / "rows.jsonl").read_text().splitlines()]
        for label, record in zip(labels, records, strict=True):
            shown = {"a": "answer", "b": "other"}[label.preferred]
            assert rows[label.row_id][shown] == record["fields"]["right"]
    else:
        assert {label.answer for label in labels} == {ANSWERS[name]}
    settings = json.loads((folder / ".argilla" / "settings.json").read_text())
    assert {field["name"] for field in settings["fields"]} == set(records[0]["fields"])
    assert settings["distribution"]["min_submitted"] == 2


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ([{"x": 1}], "is neither Label Studio's export"),
        ([], "is neither Label Studio's export"),
        ([{"id": "x", "responses": {"answer": [3]}}], "record 1: a response without"),
        ([{"data": {}, "annotations": [3]}], "task 1: an annotation without"),
    ],
)
def test_other_documents(read, document, told) -> None:
    with pytest.raises(AnswersRefused, match=told):
        read("odd.json", document)


def test_files_that_cannot_be_read(desk) -> None:
    (desk.root / "broken.json").write_text("[{")
    for name, told in {"broken.json": "is not JSON", "none.json": "cannot be read"}.items():
        with pytest.raises(AnswersRefused, match=told):
            collect(desk.workspace, [desk.root / name], desk.root / "into.jsonl")
    with pytest.raises(AnswersRefused, match="is a folder"):
        collect(desk.workspace, [desk.root], desk.root / "into.jsonl")
