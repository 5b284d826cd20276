"""Labels: what one person answered about one row, and files of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dagster_project.errors import SeedbedError
from dagster_project.release.annotation.guideline import Answer, said
from dagster_project.release.annotation.task import cited
from dagster_project.warehouse.store import exclusive, write_atomically

ANSWERS = ("score", "preferred", "label", "choices", "text")
MOST_LISTED = 20


class LabelsRefused(SeedbedError):
    """Labels that cannot be used, with file and line."""


class Label(BaseModel):
    """What one person answered about one row. Exactly one of the five kinds of answer is there.

    Attributes:
        version, content_id, row_id: the row, in the snapshot with this content id.
        task_id: cites the row, the guideline and what was shown.
        annotator: who.
        score: of a rating.
        preferred: of a pair: a, b or tie.
        label: of a choice.
        choices: of a choice of several labels, in the guideline's order; perhaps none.
        text: of a text.
        guideline: citation of the guideline.
        left: of a pair: which of the two was shown on the left.
        created_at: when, UTC.
        seconds: how long it took.
        cost: what was paid for it, US dollars.
        note: what the annotator remarked.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: str
    content_id: str = Field(pattern="^[0-9a-f]{64}$")
    row_id: int = Field(ge=0)
    task_id: str
    annotator: str = Field(min_length=1, max_length=200)
    score: int | None = None
    preferred: Literal["a", "b", "tie"] | None = None
    label: str | None = None
    choices: tuple[str, ...] | None = None
    text: str | None = None
    guideline: str
    left: Literal["a", "b"] | None = None
    created_at: datetime | None = Field(default=None, strict=False)
    seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    cost: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    note: str | None = None

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if sum(getattr(self, name) is not None for name in ANSWERS) != 1:
            raise ValueError(f"exactly one answer is to be given: {', '.join(ANSWERS)}")
        cites = cited(self.task_id)
        if cites is None:
            raise ValueError(f"task_id: {self.task_id[:120]!r} is not the id of a task")
        if (cites.version, cites.row_id, cites.guideline) != (
            self.version,
            self.row_id,
            self.guideline,
        ) or not self.content_id.startswith(cites.content):
            raise ValueError("version, content_id, row_id or guideline is not what task_id cites")
        return self

    @property
    def answer(self) -> Answer:
        """What was answered."""
        return next(each for name in ANSWERS if (each := getattr(self, name)) is not None)

    @property
    def given(self) -> tuple[str, str]:
        """Of one task, a person gives one label."""
        return self.task_id, self.annotator


@dataclass(frozen=True)
class Merged:
    """What became of labels that were merged into a file.

    Attributes:
        added: how many are new.
        known: how many were there already.
        replaced: how many took the place of another answer by the same person.
        labels: in the file now.
        empty: how many were submitted without an answer, and left out.
    """

    added: int
    known: int
    replaced: int
    labels: int
    empty: int = 0


@dataclass(frozen=True)
class Placed:
    """A label, and where it stands, for messages: `file.json: task 3`."""

    where: str
    label: Label


def line_of(label: Label) -> str:
    """A label as a line of a file: JSON, without what it does not have."""
    return json.dumps(label.model_dump(mode="json", exclude_none=True), ensure_ascii=False)


def read_labels(path: Path) -> list[Label]:
    """The labels of a file.

    Raises:
        LabelsRefused: when it cannot be read, a line is no label, or a person labelled a task twice.
    """
    placed = placed_labels(path)
    first: dict[tuple[str, str], str] = {}
    for each in placed:
        if each.label.given in first:
            raise LabelsRefused(
                f"{each.where}: {each.label.annotator} labelled {each.label.task_id} already, in "
                f"{first[each.label.given]}; leave one of the two lines"
            )
        first[each.label.given] = each.where
    return [each.label for each in placed]


def placed_labels(path: Path) -> list[Placed]:
    """As `read_labels`, with file and line of each."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise LabelsRefused(f"{path} cannot be read: {error.strerror}") from error
    placed = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            where = f"{path}:{number}"
            try:
                placed.append(Placed(where, Label.model_validate_json(line)))
            except ValidationError as error:
                raise LabelsRefused(f"{where}: no label: {why(error)}") from error
    return placed


def merge(path: Path, placed: Sequence[Placed], *, replace: bool = False) -> Merged:
    """Put labels into a file, all of them or, after an error or a crash, none. What is in it stays.

    Args:
        path: of the file, which is made if there is none.
        placed: the labels; one that is in the file, with the same answer, is not added again.
        replace: let a new answer take the place of an earlier one by the same person.

    Raises:
        LabelsRefused: when a person has answered something else before, unless `replace`.
    """
    with exclusive(path.with_name(f".{path.name}.lock")):
        here = {label.given: label for label in (read_labels(path) if path.exists() else ())}
        before, added, replaced, problems = len(here), 0, 0, []
        for each in placed:
            earlier = here.get(each.label.given)
            if earlier is not None and earlier.answer == each.label.answer:
                continue
            if earlier is not None and not replace:
                problems.append(
                    f"{each.where}: {each.label.annotator} answered {said(earlier.answer)[:80]!r} to "
                    f"{each.label.task_id} before, and now {said(each.label.answer)[:80]!r}"
                )
            added += earlier is None
            replaced += earlier is not None
            here[each.label.given] = each.label
        refuse(problems, "; with --replace the new answers take their places")
        if added or replaced:
            write_labels(path, here.values())
    return Merged(added, len(placed) - added - replaced, replaced, before + added)


def withdraw(path: Path, given: tuple[str, str]) -> Label | None:
    """Take a label out of a file; None if it is not there."""
    with exclusive(path.with_name(f".{path.name}.lock")):
        labels = read_labels(path) if path.exists() else []
        found = next((label for label in labels if label.given == given), None)
        if found is not None:
            write_labels(path, (label for label in labels if label.given != given))
    return found


def write_labels(path: Path, labels: Iterable[Label]) -> None:
    """Replace a file of labels; it is on the disk afterwards."""
    write_atomically(path, "".join(f"{line_of(label)}\n" for label in labels).encode())


def refuse(problems: Sequence[str], advice: str = "") -> None:
    """Raise what is wrong, if anything is.

    Raises:
        LabelsRefused: with the first few problems, and how many more there are.
    """
    if problems:
        more = len(problems) - MOST_LISTED
        told = [*problems[:MOST_LISTED], *([f"and {more} more"] if more > 0 else [])]
        raise LabelsRefused("\n".join(told) + f"\nnothing was written{advice}")


def why(error: ValidationError) -> str:
    """The first thing that is wrong with a label."""
    problem = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in problem["loc"])
    message = problem["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message
