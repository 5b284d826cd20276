"""What came back from annotators, whatever they worked with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.guideline import A, B


class AnswersRefused(SeedbedError):
    """A file of answers that cannot be read, naming file and task."""


@dataclass(frozen=True)
class Answered:
    """An answer, as it stands in a file.

    Attributes:
        where: file and line or task, for messages.
        task_id: as exported; anything, where the file was altered.
        annotator: who.
        answer: a number, a text, labels, or of a pair a, b or tie.
        content_id: of the snapshot, where the file tells it in full.
        left: of a pair: which was on the left.
        created_at, seconds, cost, note: as in a label.
    """

    where: str
    task_id: Any
    annotator: str
    answer: Any
    content_id: str | None = None
    left: str | None = None
    created_at: str | None = None
    seconds: float | None = None
    cost: float | None = None
    note: str | None = None


def of_sides(side: Any, left: Any) -> Any:
    """An answer about sides, `left` or `right`, as one about `a` and `b`; others as they are."""
    if left not in (A, B) or side not in ("left", "right"):
        return side
    return left if side == "left" else ({A, B} - {left}).pop()


def read_json(path: Path) -> Any:
    """A JSON document.

    Raises:
        AnswersRefused: when it cannot be read.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise AnswersRefused(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise AnswersRefused(f"{path} is not JSON: {error}") from error
