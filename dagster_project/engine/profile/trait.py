"""What is told of one trait of quality: figures, each with its threshold, and a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import polars as pl
from pydantic import field_serializer

from dagster_project.warehouse.address import Answer

Verdict = Literal["good", "look", "bad", "not measured"]
TRAITS = ("relevance", "alignment", "consistency", "format", "uniqueness", "compliance")
ORDER: tuple[Verdict, ...] = ("not measured", "good", "look", "bad")
"""From what is not known to the worst."""
MOST_IDS = 100
"""Ids of rows of a figure that are written as JSON."""


class Figure(Answer):
    """A number, what it means and what would mend it.

    Attributes:
        name: what was counted or measured.
        value: a share of rows where `rows` is given; else a measure.
        rows: rows that are counted.
        of: rows that were looked at for it.
        verdict: by the thresholds; None where there are none.
        thresholds: in words.
        mend: operators and checks, or what else to do.
        row_ids: of the rows that are counted, or that show it best. JSON has the first 100.
    """

    name: str
    value: float | None
    rows: int | None
    of: int | None
    verdict: Verdict | None
    thresholds: str
    mend: str
    row_ids: tuple[int, ...]

    @property
    def flags(self) -> bool:
        """Whether its rows are at fault, each by itself."""
        return self.rows is not None and self.verdict is not None

    @field_serializer("row_ids")
    def _first(self, row_ids: tuple[int, ...]) -> tuple[int, ...]:
        return row_ids[:MOST_IDS]


class Trait(Answer):
    """One trait of quality.

    Attributes:
        name: one of `TRAITS`.
        verdict: the worst of its figures.
        figures: what was measured.
        notes: how it was measured, what was not, and why.
    """

    name: str
    verdict: Verdict
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Thresholds:
    """From where on a figure is to be looked at, and from where on it is bad.

    Attributes:
        look, bad: bounds; the figure is beyond one when it is greater, or less where `low` is set.
        low: whether little is bad.
        share: whether they are shares.
    """

    look: float
    bad: float
    low: bool = False
    share: bool = True

    def verdict(self, value: float) -> Verdict:
        """Of a figure."""
        if self.low:
            return "bad" if value < self.bad else "look" if value < self.look else "good"
        return "bad" if value > self.bad else "look" if value > self.look else "good"

    def __str__(self) -> str:
        sign = "<" if self.low else ">"
        look, bad = (f"{x:.3g}" if not self.share else _percent(x) for x in (self.look, self.bad))
        return f"look {sign} {look}, bad {sign} {bad}"


def share_of_rows(
    name: str,
    rows: pl.Series | Iterable[int],
    of: int,
    mend: str,
    thresholds: Thresholds | None = None,
) -> Figure:
    """A figure that counts rows.

    Args:
        name: what they have.
        rows: their ids.
        of: how many were looked at.
        mend: what to do.
        thresholds: on their share.
    """
    ids = tuple(rows.to_list() if isinstance(rows, pl.Series) else rows)
    value = len(ids) / of if of else 0.0
    return Figure(
        name=name,
        value=value,
        rows=len(ids),
        of=of,
        verdict=thresholds.verdict(value) if thresholds else None,
        thresholds=str(thresholds or ""),
        mend=mend,
        row_ids=ids,
    )


def measure(
    name: str,
    value: float | None,
    mend: str = "",
    thresholds: Thresholds | None = None,
    of: int | None = None,
    rows: Iterable[int] = (),
) -> Figure:
    """A figure that is no share of rows; one that is None was not defined."""
    judged = thresholds is not None and value is not None
    return Figure(
        name=name,
        value=value,
        rows=None,
        of=of,
        verdict=thresholds.verdict(value) if judged else None,  # type: ignore[arg-type]
        thresholds=str(thresholds or ""),
        mend=mend,
        row_ids=tuple(rows),
    )


def trait(name: str, figures: Iterable[Figure], notes: Iterable[str] = ()) -> Trait:
    """A trait with the worst verdict of its figures."""
    figures = tuple(figures)
    verdicts: list[Verdict] = [each.verdict for each in figures if each.verdict is not None]
    worst = ORDER[max(map(ORDER.index, verdicts), default=0)]
    return Trait(name=name, verdict=worst, figures=figures, notes=tuple(notes))


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
