"""One label a row, from those of several people; what is left open goes back to a person."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.agreement_report import Table
from dagster_project.release.annotation.cited_rows import FoundRow, found_rows
from dagster_project.release.annotation.dawid_skene import dawid_skene
from dagster_project.release.annotation.guideline import TIE, Answer, Guideline, Guidelines
from dagster_project.release.annotation.labels import Label, LabelsRefused, read_labels
from dagster_project.release.annotation.sample import shown_fields
from dagster_project.release.annotation.task import cited, task_of, tasks_jsonl
from dagster_project.warehouse.store import Store, write_atomically
from dagster_project.workspace import Workspace

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["majority", "weighted", "review"]
NEARLY = 1e-9
"""Answers with supports that differ by no more are a tie."""


@dataclass(frozen=True)
class Settled:
    """An answer that labels of a row come to.

    Attributes:
        task_id: the row's.
        answer: None if it is left open.
        support: from 0 to 1: share of the labels, or probability; of several labels that of the one that
            is least sure to be in or out.
        decider: who decided alone, if somebody did.
    """

    task_id: str
    answer: Answer | None
    support: float
    decider: str | None = None


@dataclass(frozen=True)
class Adjudicated:
    """What was adjudicated, and where it is.

    Attributes:
        settled: rows with an answer, in `path`.
        left: rows without, in `left_path`, as tasks for a person.
        path, left_path: the files; without rows that are left, there is no second file.
    """

    settled: int
    left: int
    path: Path
    left_path: Path | None


def settle(
    labels: Sequence[Label],
    guideline: Guideline,
    method: Method = "majority",
    *,
    decider: str | None = None,
    least: float = 0.5,
) -> list[Settled]:
    """Find the answer of each row.

    Args:
        labels: of the guideline.
        guideline: theirs.
        method: `majority`, the answer given most often; `weighted`, the most probable by Dawid and
            Skene, who weigh annotators by how they err; `review`, only what all agree on. Of several
            labels it is asked of each whether it belongs.
        decider: a person whose label decides, whatever others said.
        least: support below which a row is left open.

    Raises:
        AgreementRefused: when a label is no answer.
    """
    table = Table(labels, guideline)
    decides = table.annotators.index(decider) if decider in table.annotators else None
    found = _of_each(table, method) if guideline.asks.several else _of_all(table, method)
    settled = []
    for row, (task_id, each) in enumerate(zip(table.tasks, found, strict=True)):
        if decides is not None and not np.isnan(place := table.ratings[row, decides]):
            settled.append(Settled(task_id, table.answers[int(place)], 1.0, decider))
            continue
        open_ = each.open_ or each.support < least - NEARLY
        settled.append(Settled(task_id, None if open_ else each.answer, each.support))
    return settled


class _Found(NamedTuple):
    answer: Answer
    support: float
    open_: bool


def _of_all(table: Table, method: Method) -> list[_Found]:
    """The best answer of each row."""
    votes, support = _supports(table.ratings, len(table.answers), method)
    found = []
    for row in range(len(table.tasks)):
        most = float(support[row].max())
        tied = (support[row] >= most - NEARLY).sum() > 1
        disputed = method == "review" and votes[row].max() < 1
        found.append(
            _Found(table.answers[int(support[row].argmax())], most, bool(tied or disputed))
        )
    return found


def _of_each(table: Table, method: Method) -> list[_Found]:
    """The labels that belong to each row."""
    inside = {choice: _supports(found, 2, method) for choice, found in table.choices()}
    found = []
    for row in range(len(table.tasks)):
        shares = {choice: float(support[row, 1]) for choice, (_, support) in inside.items()}
        least = min(max(share, 1 - share) for share in shares.values())
        disputed = method == "review" and any(votes[row].max() < 1 for votes, _ in inside.values())
        tied = least <= 0.5 + NEARLY
        chosen = tuple(choice for choice, share in shares.items() if share > 0.5)
        found.append(_Found(chosen, least, tied or disputed))
    return found


def _supports(
    ratings: NDArray[np.float64], answers: int, method: Method
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each row, the share of its labels that give each answer, and the support of each."""
    given = ~np.isnan(ratings)
    counts = np.zeros((*ratings.shape, answers))
    rows, columns = np.nonzero(given)
    counts[rows, columns, ratings[given].astype(int)] = 1
    votes = counts.sum(axis=1) / counts.sum(axis=(1, 2))[:, None]
    return votes, dawid_skene(counts).answers if method == "weighted" else votes


def adjudicate(
    workspace: Workspace,
    path: Path,
    method: Method = "majority",
    *,
    decider: str | None = None,
    least: float = 0.5,
    guideline: str | None = None,
    with_rows: bool = False,
) -> Adjudicated:
    """Write one label a row of a file of labels to `NAME.adjudicated.jsonl` beside it, and what is left
    open to `NAME.left.jsonl`, as tasks for one more person each.

    Args:
        workspace: whose guidelines and snapshots the labels cite.
        path: `NAME.jsonl`.
        method, decider, least: as in `settle`.
        guideline: citation of the one whose labels are meant, where the file has several.
        with_rows: write the columns that were shown beside each label, as they are in the rows; of
            pairs `chosen` and `rejected`, unless it is a tie.

    Raises:
        LabelsRefused: when the labels cannot be used.
        SeedbedError: when a row that they cite is not there.
    """
    guidelines = Guidelines(workspace.root)
    labels = labels_of_one(read_labels(path), path, guideline)
    asks = guidelines.cited(labels[0].guideline)
    if asks.asks.kind == "text":
        raise LabelsRefused(f"{path}: texts are not adjudicated; ask people to choose between them")
    if decider is not None and decider not in {label.annotator for label in labels}:
        raise LabelsRefused(f"{path}: {decider!r}, who decides, gave no label")
    settled = settle(labels, asks, method, decider=decider, least=least)
    of_task: dict[str, list[Label]] = {}
    for label in labels:
        of_task.setdefault(label.task_id, []).append(label)
    rows: dict[str, FoundRow] = {}
    open_ = [each for each in settled if each.answer is None]
    if with_rows or open_:
        wanted = of_task if with_rows else [each.task_id for each in open_]
        rows = _rows(workspace, guidelines, list(wanted))
    lines = [
        _record(each, of_task[each.task_id], asks, method, rows if with_rows else {})
        for each in settled
        if each.answer is not None
    ]
    left_path = path.with_name(f"{path.stem}.left.jsonl")
    if open_:
        columns = asks.asks.shown
        tasks = [
            task_of(
                label.version,
                label.content_id,
                label.row_id,
                label.guideline,
                shown_fields(columns, [rows[each.task_id].values[column] for column in columns]),
                len(of_task[each.task_id]) + 1,
            )
            for each in open_
            for label in of_task[each.task_id][:1]
        ]
        write_atomically(left_path, tasks_jsonl(tasks))
    else:
        left_path.unlink(missing_ok=True)
    into = path.with_name(f"{path.stem}.adjudicated.jsonl")
    write_atomically(into, "".join(f"{line}\n" for line in lines).encode())
    return Adjudicated(len(lines), len(open_), into, left_path if open_ else None)


def labels_of_one(labels: Sequence[Label], path: Path, guideline: str | None) -> list[Label]:
    """The labels under one guideline.

    Raises:
        LabelsRefused: when there are none, or several guidelines and it is not said which is meant.
    """
    cited_here = list(dict.fromkeys(label.guideline for label in labels))
    if not cited_here:
        raise LabelsRefused(f"{path} holds no labels")
    if guideline is None and len(cited_here) > 1:
        raise LabelsRefused(
            f"{path} has labels under {', '.join(cited_here)}; say which is meant with --guideline"
        )
    meant = guideline or cited_here[0]
    if meant not in cited_here:
        raise LabelsRefused(f"{path} has no labels under {meant}, but {', '.join(cited_here)}")
    return [label for label in labels if label.guideline == meant]


def _rows(
    workspace: Workspace, guidelines: Guidelines, task_ids: Sequence[str]
) -> dict[str, FoundRow]:
    cites = {task_id: each for task_id in task_ids if (each := cited(task_id))}
    found = found_rows(Store(workspace.store), cites.values(), cache(guidelines.cited))
    rows = {}
    for task_id, each in cites.items():
        row = found[each]
        if isinstance(row, SeedbedError):
            raise SeedbedError(f"{task_id}: {row}") from row
        rows[task_id] = row
    return rows


def _record(
    each: Settled,
    labels: Sequence[Label],
    guideline: Guideline,
    method: Method,
    rows: Mapping[str, FoundRow],
) -> str:
    """A line of the adjudicated file."""
    asks, first = guideline.asks, labels[0]
    answer = each.answer
    record: dict[str, Any] = {
        "version": first.version,
        "content_id": first.content_id,
        "row_id": first.row_id,
        "task_id": first.task_id,
        "guideline": first.guideline,
        asks.key: answer,
        "support": round(each.support, 6),
        "labels": len(labels),
        "annotators": sorted(label.annotator for label in labels),
        "method": "decided" if each.decider else method,
    }
    if paid := [label.cost for label in labels if label.cost is not None]:
        record["cost"] = round(sum(paid), 6)
    if row := rows.get(each.task_id):
        values = dict(row.values)
        if asks.pair and answer != TIE:
            a, b = (values[column] for column in asks.pair)
            sides = {"chosen": a if answer == "a" else b, "rejected": b if answer == "a" else a}
            values |= sides
        if same := sorted(record.keys() & values.keys()):
            raise LabelsRefused(
                f"column {same[0]!r} has the name of a field of labels; leave out --with-rows"
            )
        record |= values
    return json.dumps(record, ensure_ascii=False, default=str)
