"""Tasks: rows that annotators are asked about, and files of them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.identity import canonical_json, digest
from dagster_project.operators.curate.splitmix64 import start
from dagster_project.release.annotation.guideline import CITATION, A, B

TASKS = "tasks.jsonl"
SHORT = 12
TASK_ID = re.compile(
    rf"(?P<version>[^@:#\s]+)@(?P<content>[0-9a-f]{{{SHORT}}}):(?P<row>[0-9]{{1,19}})"
    rf"#(?P<guideline>{CITATION.pattern})#(?P<shown>[0-9a-f]{{{SHORT}}})"
)


class TasksRefused(SeedbedError):
    """A file of tasks that cannot be used, naming file and line."""


class Cited(NamedTuple):
    """What a task's id cites.

    Attributes:
        version: `dataset/version`.
        content: the first digits of the snapshot's content id.
        row_id: of the row in it.
        guideline: its citation.
        shown: the first digits of the digest of what annotators saw.
    """

    version: str
    content: str
    row_id: int
    guideline: str
    shown: str


class Task(BaseModel):
    """A row that annotators are asked about. Its id cites all that its labels need to cite.

    Attributes:
        task_id: `version@content id:row#guideline#what was shown`, digests by their first 12 digits.
        version: `dataset/version`.
        content_id: of the snapshot.
        row_id: in the snapshot.
        guideline: citation of the guideline.
        fields: what annotators see, by column, as text.
        annotators_each: how many people are to label it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    task_id: str
    version: str
    content_id: str
    row_id: int = Field(ge=0)
    guideline: str
    fields: dict[str, str]
    annotators_each: int = Field(default=1, ge=1)


def task_of(
    version: str,
    content_id: str,
    row_id: int,
    guideline: str,
    fields: dict[str, str],
    annotators_each: int = 1,
) -> Task:
    """A task, with its id."""
    shown = digest(fields)[:SHORT]
    return Task(
        task_id=f"{version}@{content_id[:SHORT]}:{row_id}#{guideline}#{shown}",
        version=version,
        content_id=content_id,
        row_id=row_id,
        guideline=guideline,
        fields=fields,
        annotators_each=annotators_each,
    )


def cited(task_id: Any) -> Cited | None:
    """What a task's id cites; None for what is no such id."""
    match = TASK_ID.fullmatch(task_id) if isinstance(task_id, str) else None
    if match is None:
        return None
    return Cited(
        match["version"], match["content"], int(match["row"]), match["guideline"], match["shown"]
    )


def shown_text(value: Any) -> str:
    """A value of a row as annotators see it: messages with their roles, texts as they are, nothing for
    null, and other values as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(_is_message(each) for each in value):
        return "\n\n".join(f"{each['role'] or ''}: {shown_text(each['content'])}" for each in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def left_of(task_id: str, annotator: str, seed: int) -> str:
    """Which of a pair an annotator is shown on the left, `a` or `b`: as a coin falls that is the same
    for the same task, annotator and seed."""
    return A if start(canonical_json([task_id, annotator]), seed) % 2 else B


def tasks_jsonl(tasks: Iterable[Task]) -> bytes:
    """Tasks as a file."""
    lines = (json.dumps(task.model_dump(), ensure_ascii=False) for task in tasks)
    return "".join(f"{line}\n" for line in lines).encode()


def read_tasks(path: Path) -> list[Task]:
    """The tasks of a file, or of the `tasks.jsonl` of a folder.

    Raises:
        TasksRefused: when there is none, or a line is no task.
    """
    path = path / TASKS if path.is_dir() else path
    tasks: dict[str, Task] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            task = Task.model_validate_json(line)
        except ValidationError as error:
            problem = error.errors(include_url=False)[0]
            field = ".".join(str(part) for part in problem["loc"])
            raise TasksRefused(f"{path}:{number}: no task: {field}: {problem['msg']}") from error
        remade = task_of(**task.model_dump(exclude={"task_id"}))
        if remade != task:
            raise TasksRefused(
                f"{path}:{number}: the task was altered: by what it shows, its id is "
                f"{remade.task_id}, not {task.task_id[:200]}"
            )
        tasks[task.task_id] = task
    if not tasks:
        raise TasksRefused(f"{path} holds no tasks")
    return list(tasks.values())


def _lines(path: Path) -> list[bytes]:
    try:
        return path.read_bytes().split(b"\n")
    except OSError as error:
        raise TasksRefused(f"{path} cannot be read: {error.strerror}") from error


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and "role" in value and "content" in value
