"""Bringing labels back: from files of several tools into one file of labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.answered import Answered, AnswersRefused, read_json
from dagster_project.release.annotation.cited_rows import FoundRow, found_rows
from dagster_project.release.annotation.guideline import Guideline, Guidelines
from dagster_project.release.annotation.labels import (
    Label,
    Merged,
    Placed,
    merge,
    placed_labels,
    refuse,
    why,
)
from dagster_project.release.annotation.paid import enter_labels
from dagster_project.release.annotation.task import Cited, cited
from dagster_project.warehouse.store import Store
from dagster_project.workspace import Workspace


def collect(
    workspace: Workspace, files: Sequence[Path], into: Path, *, replace: bool = False
) -> Merged:
    """Put the labels of some files into one, all of them or none. Annotations that were submitted
    without an answer are counted, and left out.

    Args:
        workspace: whose guidelines and snapshots the labels cite.
        files: of Label Studio (JSON), Argilla (`records.json`) or Seedbed (JSON lines).
        into: the file of labels, which is made if there is none.
        replace: let a new answer take the place of an earlier one by the same person.

    Raises:
        LabelsRefused: when an answer is none, or cites a guideline or row that is not there; with the
            file and line or task of each.
        AnswersRefused: when a file cannot be read.
    """
    submitted = [each for path in files for each in _read(path)]
    answered = [each for each in submitted if each.answer is not None]
    guideline = cache(Guidelines(workspace.root).cited)
    cites = [each_cites for each in answered if (each_cites := cited(each.task_id))]
    there = found_rows(Store(workspace.store), cites, guideline)
    placed, problems = [], []
    for each in answered:
        try:
            label = _label(each, there, guideline)
            placed.append(Placed(each.where, label))
        except SeedbedError as error:
            problems.append(f"{each.where}: {error}")
    refuse(problems)
    merged = merge(into, placed, replace=replace)
    enter_labels(Store(workspace.store), (each.label for each in placed))
    return dataclasses.replace(merged, empty=len(submitted) - len(answered))


def _read(path: Path) -> Iterator[Answered]:
    """The answers of a file, whoever wrote it."""
    from dagster_project.release.annotation import argilla, label_studio

    if path.is_dir():
        raise AnswersRefused(f"{path} is a folder; name the file of labels in it")
    try:
        begins = path.open("rb").read(4096).lstrip()[:1]
    except OSError as error:
        raise AnswersRefused(f"{path} cannot be read: {error.strerror}") from error
    if begins != b"[":
        yield from _own(path)
        return
    document = read_json(path)
    for reader in (label_studio, argilla):
        if reader.wrote(document):
            yield from reader.answers(document, path)
            return
    raise AnswersRefused(
        f"{path} is neither Label Studio's export as JSON (with `annotations`), nor Argilla's "
        "records.json (with `responses`), nor JSON lines of labels"
    )


def _own(path: Path) -> Iterator[Answered]:
    for each in placed_labels(path):
        label = each.label
        yield Answered(
            where=each.where,
            task_id=label.task_id,
            annotator=label.annotator,
            answer=label.answer,
            content_id=label.content_id,
            left=label.left,
            created_at=label.created_at.isoformat() if label.created_at else None,
            seconds=label.seconds,
            cost=label.cost,
            note=label.note,
        )


def _label(
    each: Answered,
    there: dict[Cited, FoundRow | SeedbedError],
    guideline: Callable[[str], Guideline],
) -> Label:
    """The label an answer comes to.

    Raises:
        SeedbedError: when it comes to none.
    """
    cites = cited(each.task_id)
    if cites is None:
        raise SeedbedError(f"{str(each.task_id)[:120]!r} is not the id of an exported task")
    found = there[cites]
    if isinstance(found, SeedbedError):
        raise found
    if each.content_id not in (None, found.content_id):
        raise SeedbedError(f"content_id is not {found.content_id}, that of the row's snapshot")
    asks = guideline(cites.guideline).asks
    if problem := asks.problem_with(each.answer):
        raise SeedbedError(f"{cites.guideline}: {problem}")
    fields = {
        "version": cites.version,
        "content_id": found.content_id,
        "row_id": cites.row_id,
        "task_id": each.task_id,
        "annotator": each.annotator,
        asks.key: asks.in_order(each.answer),
        "guideline": cites.guideline,
        "left": each.left,
        "created_at": each.created_at,
        "seconds": each.seconds,
        "cost": asks.cost(each.seconds) if each.cost is None else each.cost,
        "note": each.note,
    }
    try:
        return Label.model_validate(fields)
    except ValidationError as error:
        raise SeedbedError(why(error)) from error
