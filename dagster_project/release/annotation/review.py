"""One person labelling tasks, one after the other; every label is on the disk before the next task."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.answered import of_sides
from dagster_project.release.annotation.guideline import (
    GUIDELINE,
    TIE,
    Guideline,
    Guidelines,
    GuidelineUnknown,
    read_guideline,
)
from dagster_project.release.annotation.labels import (
    Label,
    Placed,
    merge,
    read_labels,
    why,
    withdraw,
)
from dagster_project.release.annotation.paid import enter_labels
from dagster_project.release.annotation.task import Task, left_of
from dagster_project.warehouse.store import Store


class ReviewRefused(SeedbedError):
    """A review, a label or an undo that cannot be."""


class Review:
    """A person's way through some tasks.

    Whoever starts again goes on where she stopped: a task is shown if she has not labelled it, and
    fewer people than it asks for have. What others write into the same file meanwhile counts.

    Args:
        tasks: of one guideline, in the order in which they are shown.
        guideline: theirs.
        path: of the file of labels.
        annotator: who labels.
        seed: of which side the two of a pair are shown on.
        now: tells the time.
        store: whose ledger is told what labels cost; None for: when they are imported.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        guideline: Guideline,
        path: Path,
        annotator: str,
        *,
        seed: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        store: Store | None = None,
    ) -> None:
        if others := {task.guideline for task in tasks} - {guideline.citation}:
            raise ReviewRefused(
                f"a task is of the guideline {min(others)}, not of {guideline.citation}"
            )
        if not annotator.strip() or len(annotator) > 200:
            raise ReviewRefused("say who labels, in 200 characters at most")
        self.tasks = {task.task_id: task for task in tasks}
        self.guideline = guideline
        self.path = path
        self.annotator = annotator
        self.seed = seed
        self.now = now
        self.store = store
        self.last: list[str] = []
        self.first: str | None = None

    def state(self) -> dict[str, Any]:
        """What the page shows: the task, the answers and their keys, and how much is done."""
        labels = read_labels(self.path) if self.path.exists() else []
        mine = [label.task_id for label in labels if self._is_mine(label)]
        waiting = self._waiting(labels)
        state: dict[str, Any] = {
            "done": len(mine),
            "total": len(mine) + len(waiting),
            "can_undo": bool(mine),
            "task": None,
        }
        if waiting:
            state["task"] = self._shown(waiting[0])
        return state

    def label(self, task_id: str, answer: Any, seconds: Any = None, note: Any = None) -> None:
        """Write a label of the task that is shown.

        Args:
            task_id: of the task that the page shows.
            answer: what was answered; of a pair left, right or tie.
            seconds: how long it took.
            note: what was remarked, if anything.

        Raises:
            ReviewRefused: when another task is shown by now, or this is no answer to it.
            LabelsRefused: when the file of labels cannot be read.
        """
        task = self._current(task_id)
        asks, left = self.guideline.asks, None
        if asks.pair:
            left = left_of(task.task_id, self.annotator, self.seed)
            answer = of_sides(answer, left) if answer in ("left", "right", TIE) else None
        if problem := asks.problem_with(answer):
            raise ReviewRefused(problem)
        seconds = round(seconds, 1) if isinstance(seconds, int | float) else None
        fields = {
            "version": task.version,
            "content_id": task.content_id,
            "row_id": task.row_id,
            "task_id": task.task_id,
            "annotator": self.annotator,
            asks.key: asks.in_order(answer),
            "guideline": task.guideline,
            "left": left,
            "created_at": self.now().replace(microsecond=0),
            "seconds": seconds,
            "cost": asks.cost(seconds),
            "note": note or None,
        }
        try:
            placed = Placed(f"task {task_id}", Label.model_validate(fields))
        except ValidationError as error:
            raise ReviewRefused(why(error)) from error
        merge(self.path, [placed])
        if self.store is not None:
            enter_labels(self.store, [placed.label])
        self.first = None

    def skip(self, task_id: str) -> None:
        """Show the task after all others.

        Raises:
            ReviewRefused: when another task is shown by now.
        """
        self._current(task_id)
        self.last = [each for each in self.last if each != task_id] + [task_id]
        self.first = None

    def undo(self) -> None:
        """Withdraw the newest label of this person, and show its task.

        Raises:
            ReviewRefused: when there is none.
        """
        labels = read_labels(self.path) if self.path.exists() else []
        mine = [label for label in labels if self._is_mine(label)]
        if not mine:
            raise ReviewRefused("there is no label to undo")
        withdraw(self.path, mine[-1].given)
        self.first = mine[-1].task_id

    def _current(self, task_id: str) -> Task:
        shown = self.state()["task"]
        if shown is None or shown["task_id"] != task_id:
            raise ReviewRefused("another task is shown by now")
        return self.tasks[task_id]

    def _waiting(self, labels: Sequence[Label]) -> list[Task]:
        """The tasks to show, in order."""
        given = {label.given for label in labels}
        counts = Counter(label.task_id for label in labels)
        waiting = [
            task
            for task_id, task in self.tasks.items()
            if (task_id, self.annotator) not in given and counts[task_id] < task.annotators_each
        ]
        places = {task_id: place for place, task_id in enumerate(self.last, 1)}
        places |= {self.first: -1} if self.first else {}
        return sorted(waiting, key=lambda task: places.get(task.task_id, 0))

    def _is_mine(self, label: Label) -> bool:
        return label.annotator == self.annotator and label.task_id in self.tasks

    def _shown(self, task: Task) -> dict[str, Any]:
        asks = self.guideline.asks
        sides = list(asks.pair or ())
        if left_of(task.task_id, self.annotator, self.seed) == "b":
            sides.reverse()
        return {
            "task_id": task.task_id,
            "row": f"{task.version}:{task.row_id}",
            "fields": [{"name": name, "text": task.fields[name]} for name in asks.fields],
            "sides": [task.fields[name] for name in sides],
        }


def guideline_of(tasks: Path, root: Path | None, citation: str) -> Guideline:
    """The guideline of tasks: `guideline.md` beside them if it is the version that they cite, else the
    one that the workspace knows.

    Args:
        tasks: the folder or file of the tasks.
        root: of the workspace; None outside of one.
        citation: what the tasks cite.

    Raises:
        GuidelineUnknown: when neither is there.
    """
    beside = (tasks if tasks.is_dir() else tasks.parent) / GUIDELINE
    if beside.is_file():
        found = read_guideline(beside, citation.partition("@")[0])
        if found.citation == citation:
            return found
    if root is None:
        raise GuidelineUnknown(f"{beside} is not {citation}, which the tasks cite")
    return Guidelines(root).cited(citation)


def answers_and_keys(guideline: Guideline) -> list[dict[str, Any]]:
    """The buttons of the page: what each answers, what is written on it, and its key."""
    asks = guideline.asks
    if asks.pair:
        tie = [{"value": TIE, "text": "Tie", "key": "t"}] if asks.ties else []
        return [
            {"value": "left", "text": "Left", "key": "ArrowLeft"},
            *tie,
            {"value": "right", "text": "Right", "key": "ArrowRight"},
        ]
    keys = [str(number) if number < 10 else "" for number in range(1, len(asks.answers) + 1)]
    if asks.kind == "rating":
        keys = [str(int(each) % 10) for each in asks.answers]
    return [
        {"value": each, "text": str(each), "key": key}
        for each, key in zip(asks.answers, keys, strict=True)
    ]
