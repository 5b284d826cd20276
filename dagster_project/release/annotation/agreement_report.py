"""How far annotators agree, with each other and in which answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Literal, cast

import numpy as np
from pydantic import BaseModel, ConfigDict

from dagster_project.errors import SeedbedError
from dagster_project.operators.verify.agreement import (
    Level,
    bootstrap,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
    masi_distances,
)
from dagster_project.release.annotation.guideline import TIE, Answer, Guideline
from dagster_project.release.annotation.labels import Label

if TYPE_CHECKING:
    from numpy.typing import NDArray


class AgreementRefused(SeedbedError):
    """Labels of which no agreement can be told."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Measured(_Part):
    """A coefficient with the bounds of 95 % of bootstrap samples of rows; None where not defined."""

    value: float | None
    low: float | None
    high: float | None
    rows: int


class Pair(_Part):
    """Two annotators, on the rows that both labelled: the share of equal answers, and Cohen's kappa."""

    one: str
    other: str
    equal: float
    kappa: Measured


class Annotator(_Part):
    """One annotator.

    Attributes:
        name: who.
        labels: how many.
        equal: share of others' labels of the same rows that are the same.
        above: of ratings: how much higher than others on the same rows, on average.
        left: of pairs: share of those that are not ties in which the left side won; beyond what
            chance explains, a habit.
        seconds: median of a label.
    """

    name: str
    labels: int
    equal: float | None
    above: float | None
    left: float | None
    seconds: float | None


class Confused(_Part):
    """Two answers, and how often two annotators gave them to the same row."""

    one: Answer
    other: Answer
    times: int


class Chosen(_Part):
    """One of several labels: the share of all answers that it is in, and Krippendorff's alpha of whether
    it is."""

    label: str
    share: float
    alpha: Measured


class Disputed(_Part):
    """A row on which annotators disagree, from 0 to 1: the share of pairs of annotators that differ, or
    by how much they do: of the scale for ordered answers, by MASI for several labels."""

    task_id: str
    answers: dict[str, Answer]
    disagreement: float


class AgreementReport(_Part):
    """How far annotators agree on the rows of one guideline.

    Attributes:
        guideline: citation.
        level: at which answers are compared: ordinal for ratings and ordered choices, masi for several
            labels, else nominal.
        labels, rows: how many.
        rated_twice: rows that two annotators or more labelled.
        alpha: Krippendorff's, of all labels.
        fleiss: kappa of rows with as many labels as most, where these are two or more.
        pairs: of annotators who share rows.
        annotators: each of them.
        choices: of several labels, each of them.
        confused: answers that are given to the same row, most often first.
        disputed: rows, the most disputed first.
        seconds, cost: in all, where labels tell.
    """

    guideline: str
    level: Level | Literal["masi"]
    labels: int
    rows: int
    rated_twice: int
    alpha: Measured
    fleiss: Measured
    pairs: tuple[Pair, ...]
    annotators: tuple[Annotator, ...]
    choices: tuple[Chosen, ...]
    confused: tuple[Confused, ...]
    disputed: tuple[Disputed, ...]
    seconds: float
    cost: float


def agreement(
    labels: Sequence[Label], guideline: Guideline, *, draws: int = 1_000, worst: int = 10
) -> AgreementReport:
    """How far annotators agree.

    Args:
        labels: of the guideline.
        guideline: theirs.
        draws: bootstrap samples of rows for each interval.
        worst: how many disputed rows are told.

    Raises:
        AgreementRefused: for texts, whose agreement is not told, and when there are no labels.
    """
    asks = guideline.asks
    if asks.kind == "text":
        raise AgreementRefused(
            f"{guideline.citation} asks for texts, of which no two are expected to be equal; ask "
            "others to rate them"
        )
    if not labels:
        raise AgreementRefused(f"there are no labels under {guideline.citation}")
    level: Level = "ordinal" if asks.kind == "rating" or asks.ordered else "nominal"
    table = Table(labels, guideline)
    ratings, each = table.ratings, table.each
    usual = max(((n, count) for count, n in Counter(each[each > 1].tolist()).items()), default=None)
    like_most = ratings[each == usual[1]] if usual else ratings[:0]

    def measured(found: Callable[[NDArray[np.float64]], float | None], of: NDArray) -> Measured:
        interval = bootstrap(found, of, draws=draws)
        low, high = interval or (None, None)
        return Measured(value=found(of), low=low, high=high, rows=len(of))

    pairs = []
    for one, other in combinations(range(len(table.annotators)), 2):
        both = ratings[:, [one, other]]
        both = both[~np.isnan(both).any(axis=1)]
        if len(both):
            pairs.append(
                Pair(
                    one=table.annotators[one],
                    other=table.annotators[other],
                    equal=float((both[:, 0] == both[:, 1]).mean()),
                    kappa=measured(cohen_kappa, both),
                )
            )
    twice = ratings[each > 1]
    return AgreementReport(
        guideline=guideline.citation,
        level="masi" if asks.several else level,
        labels=len(labels),
        rows=len(ratings),
        rated_twice=len(twice),
        alpha=measured(lambda of: krippendorff_alpha(of, level, table.distances), twice),
        fleiss=measured(fleiss_kappa, like_most),
        pairs=tuple(pairs),
        annotators=tuple(_annotator(name, labels, table) for name in table.annotators),
        choices=tuple(
            Chosen(
                label=str(choice),
                share=float(np.nanmean(found)),
                alpha=measured(krippendorff_alpha, found[each > 1]),
            )
            for choice, found in table.choices()
        ),
        confused=_confused(table),
        disputed=_disputed(table, level)[:worst],
        seconds=sum(label.seconds or 0.0 for label in labels),
        cost=sum(label.cost or 0.0 for label in labels),
    )


class Table:
    """Labels as ratings: rows by annotators, an answer by its place among those of the guideline, or of
    several labels among the answers that were given.

    Attributes:
        answers: by place.
        distances: of several labels, how far answers are from each other; see `masi_distances`.
        tasks: the task of each row, in the order of their first labels.
        annotators: sorted.
        ratings: NaN where there is no label.
        each: how many labels each row has.
    """

    def __init__(self, labels: Sequence[Label], guideline: Guideline) -> None:
        self.answers: tuple[Answer, ...] = guideline.asks.answers
        self.labels, self.distances = guideline.asks.labels, None
        if guideline.asks.several:
            given = {label.choices for label in labels if label.choices is not None}
            self.answers = tuple(sorted(given))
            self.distances = masi_distances(sorted(given))
        self.kind = guideline.asks.kind
        self.tasks = list(dict.fromkeys(label.task_id for label in labels))
        self.annotators = sorted({label.annotator for label in labels})
        row = {task: number for number, task in enumerate(self.tasks)}
        column = {name: number for number, name in enumerate(self.annotators)}
        place = {answer: number for number, answer in enumerate(self.answers)}
        self.ratings = np.full((len(row), len(column)), np.nan)
        for label in labels:
            if label.answer not in place:
                problem = guideline.asks.problem_with(label.answer)
                raise AgreementRefused(f"{label.annotator}, {label.task_id}: {problem}")
            self.ratings[row[label.task_id], column[label.annotator]] = place[label.answer]
        self.each = (~np.isnan(self.ratings)).sum(axis=1)

    def choices(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Of several labels, each one with ratings: 1 where it was chosen, 0 where it was not."""
        if self.distances is None:
            return
        for choice in self.labels:
            inside = np.array([choice in cast("tuple[str, ...]", each) for each in self.answers])
            found = self.ratings.copy()
            there = ~np.isnan(found)
            found[there] = inside[found[there].astype(int)]
            yield choice, found


def _annotator(name: str, labels: Sequence[Label], table: Table) -> Annotator:
    mine = [label for label in labels if label.annotator == name]
    column = table.annotators.index(name)
    own, others = table.ratings[:, [column]], np.delete(table.ratings, column, axis=1)
    both = ~np.isnan(own) & ~np.isnan(others)
    differences = (own - others)[both]
    decided = [each for each in mine if each.left is not None and each.preferred != TIE]
    seconds = [each.seconds for each in mine if each.seconds is not None]
    return Annotator(
        name=name,
        labels=len(mine),
        equal=float((differences == 0).mean()) if len(differences) else None,
        above=float(differences.mean()) if table.kind == "rating" and len(differences) else None,
        left=sum(each.preferred == each.left for each in decided) / len(decided)
        if decided
        else None,
        seconds=float(np.median(seconds)) if seconds else None,
    )


def _pairs_of_answers(table: Table) -> list[tuple[int, int, int]]:
    """Row and both places of each two different labels of a row, the lower place first."""
    found = []
    for row, ratings in enumerate(table.ratings):
        given = sorted(ratings[~np.isnan(ratings)].astype(int).tolist())
        found += [(row, one, other) for one, other in combinations(given, 2) if one != other]
    return found


def _confused(table: Table) -> tuple[Confused, ...]:
    counts = Counter((one, other) for _, one, other in _pairs_of_answers(table))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    answers = table.answers
    return tuple(
        Confused(one=answers[one], other=answers[other], times=times)
        for (one, other), times in ordered
    )


def _disputed(table: Table, level: Level) -> tuple[Disputed, ...]:
    apart: dict[int, float] = defaultdict(float)
    most = max(len(table.answers) - 1, 1)
    for row, one, other in _pairs_of_answers(table):
        if table.distances is not None:
            apart[row] += float(table.distances[one, other])
        else:
            apart[row] += (other - one) / most if level == "ordinal" else 1.0
    found = []
    for row, distance in apart.items():
        count = int(table.each[row])
        given = {
            name: table.answers[int(place)]
            for name, place in zip(table.annotators, table.ratings[row], strict=True)
            if not np.isnan(place)
        }
        share = distance / (count * (count - 1) / 2)
        found.append(Disputed(task_id=table.tasks[row], answers=given, disagreement=share))
    return tuple(sorted(found, key=lambda each: -each.disagreement))
