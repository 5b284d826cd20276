"""The axes along which rows are told apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dagster_project.engine.profile import task_kinds
from dagster_project.engine.profile.profiled_rows import SaidRows, SnapshotRows
from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import no_such

TOPIC = "topic"
LABEL = "label:"
"""What the axis of a column of few values begins with."""

LANGUAGE_READ = 200
"""Characters of prose by which a language is told."""
MANY_SLIPS = 0.05
"""Share of words that are misspelt from which on there are many."""

MEASURED = ("difficulty", "ifd")
"""Measured columns that tell difficulty, where there is one; more is harder."""

LENGTH_BOUNDS = (20, 50, 100, 200, 500, 1000)
TURN_BOUNDS = (1, 2, 3, 5)


class NoAxis(SeedbedError):
    """An axis that there is not, or that the rows do not have."""


@dataclass(frozen=True)
class Axis:
    """A way to tell rows apart.

    Attributes:
        name: of it.
        how: values are told.
        values: all there are, in their order; none where they are the rows' own.
    """

    name: str
    how: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True)
class Thirds:
    """Difficulty by a measured column.

    Attributes:
        column: which.
        low, high: bounds of the middle third of the version's rows.
    """

    column: str
    low: float
    high: float

    @property
    def how(self) -> str:
        """Values are told."""
        return f"thirds of the version by the measured column `{self.column}`"


def _ranges(bounds: tuple[int, ...], unit: str) -> tuple[str, ...]:
    lows = (1, *(bound + 1 for bound in bounds))
    told = [
        f"{low} {unit}" + ("s" if low > 1 else "") if low == high else f"{low}-{high} {unit}s"
        for low, high in zip(lows, bounds, strict=False)
    ]
    return (*told, f"{lows[-1]} {unit}s or more")


LENGTHS = _ranges(LENGTH_BOUNDS, "word")
TURNS = _ranges(TURN_BOUNDS, "turn")

AXES = {
    axis.name: axis
    for axis in (
        Axis("task", "a guess, by the request's first words, in English", task_kinds.TASKS),
        Axis(TOPIC, "clusters of requests, or of texts where there are none"),
        Axis("language", f"fastText's lid.176, on {LANGUAGE_READ} characters without code"),
        Axis("length", "words of the answer, or of the text where there is none", LENGTHS),
        Axis("request length", "words of what the user says first", LENGTHS),
        Axis("turns", "how often the user speaks", TURNS),
        Axis("style", "a guess, by the request's first words and its end", task_kinds.STYLES),
        Axis(
            "difficulty",
            "a proxy: how hard it is to read (ARI, by letters a word and words a sentence): easy "
            "below school year 6, hard from 12 on",
            ("easy", "medium", "hard"),
        ),
        Axis(
            "typos",
            "a guess: words of 5 letters and more that are one slip away from a frequent English one; "
            f"many from {MANY_SLIPS:.0%} of them on; English requests only",
            ("none", "few", "many"),
        ),
    )
}
"""The axes that all rows may have."""


def axes_of(rows: SaidRows, requests: bool | None = None) -> dict[str, Axis]:
    """The axes that rows have, by name.

    Args:
        rows: which.
        requests: whether what they say is requests; None for: where they have prompts.
    """
    requests = rows.parts.has_prompts if requests is None else requests
    left_out = set() if rows.parts.chat is not None else {"turns"}
    if not requests:
        left_out |= {"task", "style", "request length"}
    built_in = {name: axis for name, axis in AXES.items() if name not in left_out}
    labels = {LABEL + name: Axis(LABEL + name, "a column of the rows") for name in rows.labels}
    return built_in | labels


def axis_named(axes: Mapping[str, Axis], name: str) -> Axis:
    """An axis; a column's may be called without `label:`.

    Raises:
        NoAxis: when there is none of this name.
    """
    found = axes.get(name) or axes.get(LABEL + name)
    if found is None:
        raise NoAxis(no_such("axis", name, axes))
    return found


def in_order(axis: Axis, values: Iterable[str]) -> list[str]:
    """Values in the axis' order; else as they come."""
    there = list(values)
    if not axis.values:
        return there
    return [value for value in axis.values if value in set(there)]


def thirds_of(rows: SnapshotRows) -> Thirds | None:
    """How difficulty is measured, where it is."""
    for column in MEASURED:
        kind = rows.scores.get(column)
        if kind is not None and kind.is_numeric():
            value = rows.measured(column)["value"]
            low, high = value.quantile(1 / 3), value.quantile(2 / 3)
            if low is not None and high is not None and low < high:
                return Thirds(column, low, high)
    return None
