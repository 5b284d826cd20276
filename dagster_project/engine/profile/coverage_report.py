"""What is told of the coverage of a version."""

from __future__ import annotations

from dagster_project.engine.profile.gaps import Gap
from dagster_project.warehouse.address import Answer


class Value(Answer):
    """A value of an axis.

    Attributes:
        value: which.
        rows: that have it, of those looked at.
        share: of the rows that have any.
        target_share: of the rows of the target, or wanted; None where there is no target.
    """

    value: str
    rows: int
    share: float
    target_share: float | None


class AxisCoverage(Answer):
    """How rows spread over an axis.

    Attributes:
        axis: its name.
        how: values are told.
        told: rows that have a value.
        effective: how many equally frequent values would be as varied.
        values: in the axis' order; else the most frequent first.
        divergence: from the target, 0 to 1 (Jensen–Shannon, bits); None without one.
    """

    axis: str
    how: str
    told: int
    effective: float
    values: tuple[Value, ...]
    divergence: float | None


class TopicShown(Answer):
    """A topic and the row that shows it best.

    Attributes:
        topic: its most distinctive words.
        rows: of the version that are about it, of those whose topic was told.
        new: whether only the target has it, whose row is then shown.
        exemplar: `row_id`; None where no row is about it.
        text: how it begins.
    """

    topic: str
    rows: int
    new: bool
    exemplar: int | None
    text: str


class CrossTable(Answer):
    """Rows by the values of two axes.

    Attributes:
        axis, other: of rows and columns.
        values, other_values: of them.
        rows: how many rows have both, by row of the table.
    """

    axis: str
    other: str
    values: tuple[str, ...]
    other_values: tuple[str, ...]
    rows: tuple[tuple[int, ...], ...]


class CoverageReport(Answer):
    """What a version covers.

    Attributes:
        version: its snapshot.
        phase: that it is for.
        rows, looked_at: that it has, and that were looked at, drawn at random.
        topics_of: rows whose topic was told.
        method: how: `embeddings` (what texts mean) or `words`.
        axes: how rows spread.
        topics: each with a row that shows it.
        cross: a table of two axes, if asked for.
        target: what it is compared with; None for nothing.
        target_rows: of it that were looked at; None where it is wanted shares.
        divergence: from it: the mean of those of all axes that both have.
        gaps: what is lacking, the widest first.
        notes: what was left out, and why.
        seed: of all that is drawn at random.
    """

    version: str
    phase: str
    rows: int
    looked_at: int
    topics_of: int
    method: str
    axes: tuple[AxisCoverage, ...]
    topics: tuple[TopicShown, ...]
    cross: CrossTable | None
    target: str | None
    target_rows: int | None
    divergence: float | None
    gaps: tuple[Gap, ...]
    notes: tuple[str, ...]
    seed: int
