"""Label Studio: tasks and labelling configuration to import there, and its export read back.

Written for the JSON that Label Studio imports and exports as `JSON`, with `annotations` in each task.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from dagster_project.release.annotation.answered import Answered, AnswersRefused, of_sides
from dagster_project.release.annotation.guideline import TIE, Guideline
from dagster_project.release.annotation.task import Task, left_of

ANSWER, TIED = "answer", "tie"
ANYBODY = "label-studio"
SEVERAL = "several choices"
"""The kind of tasks to which any number of labels is an answer, also none."""


def files(guideline: Guideline, tasks: Sequence[Task], seed: int) -> dict[str, bytes]:
    """The files to import, by name.

    Args:
        guideline: of the tasks.
        tasks: what to label.
        seed: of the order in which pairs are shown.
    """
    config = labelling_config(guideline)
    project = {
        "title": guideline.citation,
        "label_config": config,
        "expert_instruction": f"<pre>{html.escape(guideline.body)}</pre>",
        "show_instruction": True,
        "maximum_annotations": max((task.annotators_each for task in tasks), default=1),
    }
    listed = [{"data": _data(guideline, task, seed)} for task in tasks]
    return {
        "label_studio_tasks.json": _json(listed),
        "label_config.xml": config.encode(),
        "label_studio_project.json": _json(project),
    }


def labelling_config(guideline: Guideline) -> str:
    """The XML of the labelling interface."""
    asks, shown = guideline.asks, []
    for number, column in enumerate(asks.fields, 1):
        shown += [f"<Header value={quoteattr(column)}/>", _text(f"field_{number}")]
    target = "field_1"
    if asks.pair:
        target = "left"
        shown += [
            '<View style="display: flex; gap: 2em">',
            f'<View style="flex: 1">{_text("left")}</View>',
            f'<View style="flex: 1">{_text("right")}</View>',
            "</View>",
        ]
    lines = [*shown, f"<Header value={quoteattr(asks.question)}/>", *_controls(guideline, target)]
    config = "\n".join(["<View>", *(f"  {line}" for line in lines), "</View>", ""])
    ElementTree.fromstring(config)
    return config


def wrote(document: Any) -> bool:
    """Whether a document is an export of Label Studio."""
    return _all(document, "annotations", list) and _all(document, "data", dict)


def answers(document: list[dict[str, Any]], path: Path) -> Iterator[Answered]:
    """The answers of an export. Tasks that annotators skipped have none.

    Raises:
        AnswersRefused: when an annotation is not as Label Studio writes it.
    """
    for number, task in enumerate(document, 1):
        data = task["data"]
        for annotation in task["annotations"]:
            where = f"{path}: task {task.get('id', number)}"
            if not isinstance(annotation, dict) or not isinstance(annotation.get("result"), list):
                raise AnswersRefused(f"{where}: an annotation without `result`")
            if annotation.get("was_cancelled"):
                continue
            where = f"{where}, annotation {annotation.get('id', '?')}"
            yield Answered(
                where=where,
                task_id=data.get("task_id"),
                annotator=_annotator(annotation),
                answer=_answer(annotation["result"], data),
                left=data.get("left_is"),
                created_at=annotation.get("created_at"),
                seconds=annotation.get("lead_time"),
            )


def _controls(guideline: Guideline, target: str) -> list[str]:
    asks = guideline.asks
    if asks.kind == "pairwise":
        ties = f'<Choices name="{TIED}" toName="left" choice="single"><Choice value="{TIE}"/></Choices>'
        return [f'<Pairwise name="{ANSWER}" toName="left,right"/>', *([ties] if asks.ties else [])]
    if asks.kind == "text":
        return [f'<TextArea name="{ANSWER}" toName="{target}" required="true" maxSubmissions="1"/>']
    if asks.kind == "rating" and asks.answers[0] == 1:
        most = asks.answers[-1]
        return [f'<Rating name="{ANSWER}" toName="{target}" maxRating="{most}" required="true"/>']
    choices = "".join(f"<Choice value={quoteattr(str(each))}/>" for each in asks.answers)
    how = 'choice="multiple"' if asks.several else 'choice="single" required="true"'
    opening = f'<Choices name="{ANSWER}" toName="{target}" {how}>'
    return [f"{opening}{choices}</Choices>"]


def _data(guideline: Guideline, task: Task, seed: int) -> dict[str, Any]:
    asks = guideline.asks
    data: dict[str, Any] = {
        "task_id": task.task_id,
        "version": task.version,
        "content_id": task.content_id,
        "row_id": task.row_id,
        "guideline": task.guideline,
        "kind": SEVERAL if asks.several else asks.kind,
    }
    data |= {f"field_{n}": task.fields[column] for n, column in enumerate(asks.fields, 1)}
    if asks.pair:
        a, b = (task.fields[column] for column in asks.pair)
        left = left_of(task.task_id, ANYBODY, seed)
        data |= {"left_is": left, "left": a if left == "a" else b, "right": b if left == "a" else a}
    return data


def _answer(result: list[Any], data: dict[str, Any]) -> Any:
    """What the results of an annotation come to; None where there is no answer, as in one that was
    submitted empty."""
    values = {
        each.get("from_name"): each["value"]
        for each in result
        if isinstance(each, dict) and isinstance(each.get("value"), dict)
    }
    value = values.get(ANSWER, {})
    if values.get(TIED, {}).get("choices") == [TIE]:
        return f"{value['selected']} and {TIE}" if value.get("selected") else TIE
    if "selected" in value:
        return of_sides(value["selected"], data.get("left_is"))
    if "rating" in value:
        return value["rating"]
    if data.get("kind") == SEVERAL:
        return value.get("choices", [])
    listed = value.get("choices", value.get("text"))
    only = listed[0] if isinstance(listed, list) and len(listed) == 1 else listed
    if data.get("kind") == "rating" and isinstance(only, str) and only.isdigit():
        return int(only)
    return only


def _annotator(annotation: dict[str, Any]) -> str:
    by = annotation.get("completed_by")
    if isinstance(by, dict):
        by = by.get("email") or by.get("id")
    return by if isinstance(by, str) and by else f"{ANYBODY}:{'unknown' if by is None else by}"


def _text(name: str) -> str:
    return f'<Text name="{name}" value="${name}"/>'


def _all(document: Any, key: str, kind: type) -> bool:
    return (
        isinstance(document, list)
        and bool(document)
        and all(isinstance(each, dict) and isinstance(each.get(key), kind) for each in document)
    )


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
