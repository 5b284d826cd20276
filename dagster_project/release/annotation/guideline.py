"""Annotation guidelines: what annotators are asked, as versioned files that labels cite."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import DeclarationError, Problem, no_such
from dagster_project.recipe.validation import problems_of
from dagster_project.recipe.yaml_source import MAX_BYTES, parse_yaml
from dagster_project.warehouse.store import write_atomically

FOLDER = "guidelines"
VERSIONS = "versions"
GUIDELINE = "guideline.md"
"""A guideline's name in a folder of tasks."""
NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
CITATION = re.compile(rf"({NAME.pattern})@([0-9a-f]{{12}})")

Kind = Literal["rating", "pairwise", "choice", "text"]
Answer = int | str | tuple[str, ...]
A, B, TIE = "a", "b", "tie"
MOST_STEPS = 10


class GuidelineUnknown(SeedbedError):
    """A guideline that is cited, but of which there is no file."""


class Price(BaseModel):
    """What is paid for a label, US dollars: `label` each, or by the `hour` that it took."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    hour: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.label is None) == (self.hour is None):
            raise ValueError("a price is of a `label` or of an `hour`: give one of them")
        return self

    def of(self, seconds: float | None) -> float | None:
        """What a label costs that took so long; None where that is not known."""
        if self.label is not None:
            return self.label
        return round(self.hour * seconds / 3600, 6) if self.hour and seconds is not None else None


class Question(BaseModel):
    """The front matter of a guideline.

    Attributes:
        kind: `rating` on a scale, `pairwise` between two columns, `choice` of one label, or `text`.
        question: what annotators are asked.
        fields: columns they are shown; for `pairwise` those beside the two.
        scale: of a rating: lowest and highest whole number.
        pair: of `pairwise`: the columns compared, called `a` and `b` in labels.
        ties: of `pairwise`: whether neither may be better.
        labels: of a choice.
        ordered: of a choice: whether labels are written from the least to the most.
        several: of a choice: whether any number of labels may be chosen, also none.
        price: what is paid for a label, where somebody is paid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Kind
    question: str = Field(min_length=1, max_length=1_000)
    fields: tuple[str, ...] = ()
    scale: tuple[int, int] | None = None
    pair: tuple[str, str] | None = None
    ties: bool = True
    labels: tuple[str, ...] = ()
    ordered: bool = False
    several: bool = False
    price: Price | None = None

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        belongs = {"scale": "rating", "pair": "pairwise", "ties": "pairwise"}
        belongs |= {"labels": "choice", "ordered": "choice", "several": "choice"}
        for name, kind in belongs.items():
            if name in self.model_fields_set and self.kind != kind:
                raise ValueError(f"`{name}` is for the kind {kind}, not for {self.kind}")
        if self.kind == "rating":
            low, high = self.scale or (1, 5)
            if not 1 <= high - low < MOST_STEPS or low < 0:
                raise ValueError(f"`scale` is from 0 or more, of 2 to {MOST_STEPS} numbers")
        if self.kind == "pairwise" and (self.pair is None or self.pair[0] == self.pair[1]):
            raise ValueError("`pair` must name the two columns that are compared")
        if self.kind == "choice":
            if not 2 <= len(self.labels) <= 100 or not all(self.labels):
                raise ValueError("`labels` must have 2 to 100 labels, none of them empty")
            if len(set(self.labels)) < len(self.labels):
                raise ValueError("`labels` has one label twice")
            if self.ordered and self.several:
                raise ValueError("`several` labels have no order: leave out `ordered`")
        if not self.shown:
            raise ValueError("`fields` must name the columns that annotators see")
        if len(set(self.shown)) < len(self.shown):
            raise ValueError("a column is shown twice")
        return self

    @property
    def shown(self) -> tuple[str, ...]:
        """All columns that annotators see."""
        return (*self.fields, *(self.pair or ()))

    @property
    def answers(self) -> tuple[int | str, ...]:
        """What may be answered, or be among several labels, in order; empty for texts."""
        if self.kind == "rating":
            low, high = self.scale or (1, 5)
            return tuple(range(low, high + 1))
        if self.kind == "pairwise":
            return (A, TIE, B) if self.ties else (A, B)
        return self.labels

    @property
    def key(self) -> str:
        """The field of a label that holds the answer."""
        if self.several:
            return "choices"
        return {"rating": "score", "pairwise": "preferred", "choice": "label", "text": "text"}[
            self.kind
        ]

    def cost(self, seconds: float | None) -> float | None:
        """What a label costs that took so long, US dollars; None where nothing is paid, or not known."""
        return self.price.of(seconds) if self.price else None

    def problem_with(self, answer: Any) -> str | None:
        """Why something is no answer, if it is none."""
        if self.kind == "text":
            sound = isinstance(answer, str) and answer.strip() != ""
            return None if sound else "the answer is to be a text that is not empty"
        if self.several:
            if not isinstance(answer, list | tuple):
                return f"{str(answer)[:80]!r} is no list of labels"
            unknown = [each for each in answer if each not in self.labels]
            if not unknown and len(set(answer)) == len(answer):
                return None
            answer = unknown[0] if unknown else ", ".join(answer)
        elif type(answer) in (int, str) and answer in self.answers:
            return None
        allowed = ", ".join(str(each) for each in self.answers)
        some = "each once, of" if self.several else "one of"
        return f"{str(answer)[:80]!r} is no answer; {some} {allowed}"

    def in_order(self, answer: Any) -> Answer:
        """An answer as labels have it: several labels in the guideline's order."""
        if self.several:
            return tuple(each for each in self.labels if each in answer)
        return answer


def said(answer: Answer) -> str:
    """An answer as it is shown to people."""
    if isinstance(answer, tuple):
        return " + ".join(answer) or "none of them"
    return str(answer)


@dataclass(frozen=True)
class Guideline:
    """A guideline as it was read.

    Attributes:
        name: of its file.
        content: the bytes of its file.
        asks: its front matter.
        body: its text, Markdown.
    """

    name: str
    content: bytes
    asks: Question
    body: str

    @property
    def sha256(self) -> str:
        """Its version."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def citation(self) -> str:
        """How labels cite it: its name and the start of its version."""
        return f"{self.name}@{self.sha256[:12]}"


class Guidelines:
    """The guidelines of a workspace.

    `guidelines/NAME.md` is the current version. Each version that was handed to annotators is kept as
    `guidelines/versions/NAME@<first 12 digits of its sha256>.md`, so that what a label was given
    under can be read after the guideline has changed.

    Args:
        root: the workspace's folder.
    """

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER

    def current(self, name: str) -> Guideline:
        """The current version of a guideline.

        Raises:
            GuidelineUnknown: when there is none of this name, naming the nearest.
            DeclarationError: when its file cannot be used, with lines.
        """
        known = sorted(path.stem for path in self.folder.glob("*.md"))
        if name not in known:
            raise GuidelineUnknown(no_such("guideline", name, known, f" in {self.folder}"))
        return read_guideline(self.folder / f"{name}.md")

    def cited(self, citation: str) -> Guideline:
        """The version that a label cites.

        Raises:
            GuidelineUnknown: when there is none, or a kept file is not as it was.
            DeclarationError: when its file cannot be used.
        """
        match = CITATION.fullmatch(citation)
        if match is None:
            raise GuidelineUnknown(
                f"{citation[:80]!r} cites no guideline; they look like name@0123…"
            )
        kept = self.folder / VERSIONS / f"{citation}.md"
        current = self.folder / f"{match[1]}.md"
        for path in (kept, current):
            if path.is_file():
                found = read_guideline(path, match[1])
                if found.citation == citation:
                    return found
                if path == kept:
                    raise GuidelineUnknown(f"{path} was altered: its text is {found.citation}")
        raise GuidelineUnknown(
            f"no guideline {citation} is known: neither {current} is this version, nor is it kept in "
            f"{kept.parent}"
        )

    def keep(self, guideline: Guideline) -> None:
        """Keep a version, so that it can be read when it is no longer the current one."""
        path = self.folder / VERSIONS / f"{guideline.citation}.md"
        if not path.exists():
            write_atomically(path, guideline.content)


def read_guideline(path: Path, name: str | None = None) -> Guideline:
    """Read a guideline: YAML between two lines of `---`, then Markdown.

    Args:
        path: of the file.
        name: of the guideline; by default that of the file.

    Raises:
        DeclarationError: when it cannot be used, naming the line.
    """
    name = path.stem if name is None else name
    if not NAME.fullmatch(name):
        allowed = "a small letter, then small letters, digits, `_` and `-`, 64 at most"
        raise DeclarationError(
            [Problem(path, 1, "", f"{name!r} cannot name a guideline: {allowed}")]
        )
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise DeclarationError([Problem(path, 1, "", message)]) from error
    except UnicodeDecodeError as error:
        raise DeclarationError([Problem(path, 1, "", "is not UTF-8 text")]) from error
    lines = text.split("\n")
    if len(content) > MAX_BYTES:
        message = f"{len(content):,} bytes; at most {MAX_BYTES:,}"
        raise DeclarationError([Problem(path, 1, "", message)])
    if lines[0].rstrip() != "---" or "---" not in (ends := [line.rstrip() for line in lines[1:]]):
        message = "begins with its front matter: YAML between two lines of `---`"
        raise DeclarationError([Problem(path, 1, "", message)])
    end = ends.index("---") + 1
    source = parse_yaml("\n".join(["", *lines[1:end]]), path)
    if not isinstance(source.data, dict):
        raise DeclarationError([Problem(path, 1, "", "the front matter is to be a mapping")])
    try:
        asks = Question.model_validate(source.data)
    except ValidationError as error:
        raise DeclarationError(problems_of(error, Question, source)) from error
    return Guideline(name, content, asks, "\n".join(lines[end + 1 :]).strip())
