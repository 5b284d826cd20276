"""What the rows of a version cover: along axes, by topic, and against a target."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from dagster_project.engine.model_memory import ModelMemory
from dagster_project.engine.profile.axes import TOPIC, axes_of, axis_named, in_order
from dagster_project.engine.profile.comparison import THIN, Comparison, beginning
from dagster_project.engine.profile.coverage_report import (
    AxisCoverage,
    CoverageReport,
    CrossTable,
    TopicShown,
    Value,
)
from dagster_project.engine.profile.divergence import effective_values, jensen_shannon
from dagster_project.engine.profile.gaps import Gap, gaps_of
from dagster_project.engine.profile.placing import asked
from dagster_project.engine.profile.profiled_rows import snapshot_rows
from dagster_project.engine.profile.target import read_target
from dagster_project.engine.profile.text_vectors import best_method
from dagster_project.engine.profile.topics import MOST_ROWS, Topics
from dagster_project.operators.models.memory import remembering
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.reading import Reader, reading
from dagster_project.warehouse.store import Store

SAMPLE = 100_000
"""Rows that are looked at by default."""
MOST_CROSSED = 24
"""Values of an axis that a cross-table has, the most frequent; the others are left out."""


@dataclass(frozen=True)
class Covered:
    """A report with what it was made from.

    Attributes:
        report: of it.
        topics: told; None where they were not asked for.
    """

    report: CoverageReport
    topics: Topics | None


def coverage(store: Store | Reader, address: SnapshotAddress, **options) -> CoverageReport:
    """The report of `covered`, which see for options and errors."""
    return covered(store, address, **options).report


def covered(
    store: Store | Reader,
    address: SnapshotAddress,
    *,
    axes: Sequence[str] | None = None,
    cross: tuple[str, str] | None = None,
    against: str | None = None,
    sample: int | None = SAMPLE,
    topic_rows: int | None = None,
    topic_count: int | None = None,
    embeddings: bool | None = None,
    seed: int = 0,
) -> Covered:
    """Tell what the rows of a version cover.

    Args:
        store: where; or an open reader of it.
        address: which version.
        axes: names of those that are told; None for all.
        cross: two axes to cross.
        against: what to compare with, as `target.read_target` has it.
        sample: rows that are looked at, of the version and of the target; None for all.
        topic_rows: rows of them whose topic is told; by default 1,000 by embeddings, 4,000 by words.
        topic_count: topics; by default the root of half those rows, 4 to 24.
        embeddings: whether topics are told by embeddings; None for: where they are installed.
        seed: of all that is drawn at random.

    Raises:
        NoAxis: when there is no such axis.
        NoText: when there is no text in the rows.
        NotPublished: when the version has no current snapshot.
        ModelMissing: when embeddings are asked for and not installed.
        DeclarationError, TargetRefused: when the target cannot be read.
    """
    with reading(store) as reader, remembering(ModelMemory(reader.store)):
        rows = snapshot_rows(reader, address, seed=seed, most_rows=sample)
        there = axes_of(rows)
        crossed = tuple(axis_named(there, name).name for name in cross or ())
        named = [axis_named(there, name).name for name in axes or there]
        target = None
        if against is not None:
            target = read_target(reader, against, there, seed=seed, most_rows=sample)
        method = best_method(embeddings)
        compared = Comparison(
            rows=rows,
            target=target,
            axes={name: there[name] for name in there if name in {*named, *crossed}},
            method=method,
            topic_rows=topic_rows or MOST_ROWS[method],
            topic_count=topic_count,
            seed=seed,
        )
        return Covered(_report(compared, crossed), compared.topics)


def _report(compared: Comparison, crossed: tuple[str, ...]) -> CoverageReport:
    rows, target = compared.rows, compared.target
    told = [_axis(compared, name) for name in compared.axes]
    apart = [each.divergence for each in told if each.divergence is not None]
    gaps = [gap for name in compared.axes for gap in _gaps(compared, name)]
    return CoverageReport(
        version=rows.name,
        phase=rows.phase,
        rows=rows.total,
        looked_at=rows.frame.height,
        topics_of=compared.topics.rows.height if compared.topics else 0,
        method=compared.method,
        axes=tuple(told),
        topics=tuple(_topics(compared)),
        cross=_cross(compared, crossed) if crossed else None,
        target=target.name if target else None,
        target_rows=target.rows.frame.height if target and target.rows else None,
        divergence=sum(apart) / len(apart) if apart else None,
        gaps=tuple(sorted(gaps, key=lambda gap: -gap.more_rows)),
        notes=tuple(_notes(compared)),
        seed=compared.seed,
    )


def _axis(compared: Comparison, name: str) -> AxisCoverage:
    axis, counts, here = compared.axes[name], compared.counts(name), compared.shares(name)
    wanted = compared.wanted(name)
    return AxisCoverage(
        axis=name,
        how=compared.thirds.how if name == "difficulty" and compared.thirds else axis.how,
        told=sum(counts.values()),
        effective=effective_values(here),
        values=tuple(
            Value(
                value=value,
                rows=counts.get(value, 0),
                share=here.get(value, 0.0),
                target_share=wanted.get(value, 0.0) if wanted else None,
            )
            for value in in_order(axis, {**counts, **(wanted or {})})
        ),
        divergence=jensen_shannon(here, wanted) if wanted and counts else None,
    )


def _gaps(compared: Comparison, name: str) -> list[Gap]:
    wanted = compared.wanted(name)
    if wanted is None or compared.target is None:
        return []
    declared = compared.target.shares
    if declared is not None:
        wanted = declared.axes[name]
    size = declared.rows if declared and declared.rows else compared.rows.total
    return gaps_of(
        name,
        compared.shares(name),
        wanted,
        compared.rows.total,
        size,
        compared.examples(name),
        compared.maker(),
    )


def _topics(compared: Comparison) -> Iterator[TopicShown]:
    if compared.topics is None:
        return
    counts = compared.counts(TOPIC)
    theirs = compared.target.rows if compared.target else None
    for place_, name in enumerate(compared.topics.names):
        new = place_ >= len(compared.topics.names) - compared.topics.new
        row = compared.topics.exemplars.get(name)
        said = theirs if new and theirs is not None else compared.rows
        there = pl.lit(False) if row is None else pl.col("row_id") == row
        text = said.frame.filter(there).select(beginning(asked(said)))
        yield TopicShown(
            topic=name,
            rows=counts.get(name, 0),
            new=new,
            exemplar=row,
            text=(text.item() or "") if text.height else "",
        )


def _cross(compared: Comparison, crossed: tuple[str, ...]) -> CrossTable:
    one, other = crossed
    counted = {
        (row[0], row[1]): row[2]
        for row in compared.placed.select(a=one, b=other)
        .drop_nulls()
        .group_by("a", "b")
        .len()
        .iter_rows()
    }
    values = [
        in_order(compared.axes[name], list(compared.counts(name))[:MOST_CROSSED])
        for name in crossed
    ]
    return CrossTable(
        axis=one,
        other=other,
        values=tuple(values[0]),
        other_values=tuple(values[1]),
        rows=tuple(tuple(counted.get((a, b), 0) for b in values[1]) for a in values[0]),
    )


def _notes(compared: Comparison) -> Iterator[str]:
    rows, target = compared.rows, compared.target
    if rows.frame.height < rows.total:
        yield f"looked at {rows.frame.height:,} of {rows.total:,} rows, drawn at random"
    if compared.topics and compared.topics.rows.height < rows.frame.height:
        yield f"topics are told of {compared.topics.rows.height:,} rows, drawn at random"
    if compared.topics and compared.method == "words":
        yield (
            "topics are told by words; by what texts mean with `pip install 'seedbed[embeddings]'`"
        )
    if not rows.parts.has_prompts:
        yield "rows have no requests: tasks and styles are not told"
    thin = [name for name in compared.axes if compared.thin(name)]
    if thin:
        yield f"a value is told of less than {THIN:.0%} of rows: {', '.join(thin)}"
    if target is not None and target.rows is not None:
        left_out = [
            name for name in compared.axes if name not in thin and compared.wanted(name) is None
        ]
        if left_out:
            yield f"not compared, as the target does not have it: {', '.join(left_out)}"
