"""Argilla: a dataset that its client reads from disk, and its records read back.

Written for Argilla 2: `rg.Dataset.from_disk` reads a folder with `.argilla/dataset.json`,
`.argilla/settings.json` and `records.json`, which is what `to_disk` writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from dagster_project.release.annotation.answered import Answered, AnswersRefused, of_sides
from dagster_project.release.annotation.guideline import TIE, Guideline
from dagster_project.release.annotation.task import Task, left_of

ANSWER = "answer"
ANYBODY = "argilla"
SUBMITTED = ("submitted", None)
"""Statuses of responses that count; other versions of the client write none."""


def files(guideline: Guideline, tasks: Sequence[Task], seed: int) -> dict[str, bytes]:
    """The files of the dataset, by name.

    Args:
        guideline: of the tasks.
        tasks: what to label.
        seed: of the order in which pairs are shown.
    """
    each = max((task.annotators_each for task in tasks), default=1)
    distribution = {"strategy": "overlap", "min_submitted": each}
    dataset = {
        "name": guideline.citation.replace("@", "-"),
        "guidelines": guideline.body or guideline.asks.question,
        "allow_extra_metadata": True,
        "distribution": distribution,
    }
    settings = {
        "guidelines": guideline.body or guideline.asks.question,
        "questions": [_question(guideline)],
        "fields": [
            {"name": name, "title": title, "required": False, "settings": _plain_text()}
            for name, title in _fields(guideline)
        ],
        "vectors": [],
        "metadata": [],
        "allow_extra_metadata": True,
        "distribution": distribution,
    }
    records = [_record(guideline, task, seed) for task in tasks]
    return {
        ".argilla/dataset.json": _json(dataset),
        ".argilla/settings.json": _json(settings),
        "records.json": _json(records),
    }


def wrote(document: Any) -> bool:
    """Whether a document is records of Argilla."""
    return (
        isinstance(document, list)
        and bool(document)
        and all(
            isinstance(each, dict) and "id" in each and isinstance(each.get("responses"), dict)
            for each in document
        )
    )


def answers(document: list[dict[str, Any]], path: Path) -> Iterator[Answered]:
    """The answers of records. Drafts and what was discarded are none.

    Raises:
        AnswersRefused: when a response is not as Argilla writes it.
    """
    for number, record in enumerate(document, 1):
        metadata = record.get("metadata") or {}
        for response in record["responses"].get(ANSWER, ()):
            where = f"{path}: record {number}"
            if not isinstance(response, dict) or "value" not in response:
                raise AnswersRefused(f"{where}: a response without `value`")
            if response.get("status") not in SUBMITTED:
                continue
            user = response.get("user_id")
            where = f"{where}, response of {user}"
            left = metadata.get("left_is")
            yield Answered(
                where=where,
                task_id=record["id"],
                annotator=f"{ANYBODY}:{user or 'unknown'}",
                answer=of_sides(response["value"], left),
                left=left,
            )


def _fields(guideline: Guideline) -> list[tuple[str, str]]:
    asks = guideline.asks
    named = [(f"field_{number}", column) for number, column in enumerate(asks.fields, 1)]
    return [*named, *([("left", "Left"), ("right", "Right")] if asks.pair else [])]


def _question(guideline: Guideline) -> dict[str, Any]:
    asks = guideline.asks
    if asks.kind == "text":
        settings = _plain_text()
    elif asks.kind == "rating":
        settings = {"type": "rating", "options": [{"value": each} for each in asks.answers]}
    else:
        sides = ("left", *([TIE] if asks.ties else []), "right")
        options = sides if asks.pair else asks.answers
        settings = {
            "type": "multi_label_selection" if asks.several else "label_selection",
            "options": [{"value": each, "text": each} for each in options],
            "visible_options": max(3, len(options)),
            **({"options_order": "natural"} if asks.several else {}),
        }
    required = not asks.several  # none of the labels is an answer, too
    return {"name": ANSWER, "title": asks.question, "required": required, "settings": settings}


def _record(guideline: Guideline, task: Task, seed: int) -> dict[str, Any]:
    asks = guideline.asks
    fields = {f"field_{n}": task.fields[column] for n, column in enumerate(asks.fields, 1)}
    metadata = {
        "version": task.version,
        "content_id": task.content_id,
        "row_id": task.row_id,
        "guideline": task.guideline,
    }
    if asks.pair:
        a, b = (task.fields[column] for column in asks.pair)
        left = left_of(task.task_id, ANYBODY, seed)
        fields |= {"left": a, "right": b} if left == "a" else {"left": b, "right": a}
        metadata["left_is"] = left
    return {
        "id": task.task_id,
        "fields": fields,
        "metadata": metadata,
        "suggestions": {},
        "responses": {},
        "vectors": {},
    }


def _plain_text() -> dict[str, Any]:
    return {"type": "text", "use_markdown": False}


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()
