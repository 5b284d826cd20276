"""Labels as annotators give them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagster_project.release.annotation.labels import Label
from dagster_project.release.annotation.task import Task


def label(task: Task, annotator: str, **answer: Any) -> Label:
    """A label of a task."""
    return Label(
        version=task.version,
        content_id=task.content_id,
        row_id=task.row_id,
        task_id=task.task_id,
        annotator=annotator,
        guideline=task.guideline,
        **answer,
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def written(path: Path, labels: Sequence[Label]) -> Path:
    """A file of labels, as an annotator's tool writes it."""
    path.write_text("".join(f"{each.model_dump_json(exclude_none=True)}\n" for each in labels))
    return path
