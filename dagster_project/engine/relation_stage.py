"""Runs one relation step: shows the operator narrow columns of all rows, applies its decisions.

Rows are not moved: each chunk keeps its texts where they are and gains the decisions about it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from dagster_project.engine.accounts import RuleCount, StepCount
from dagster_project.engine.batch import (
    CHANGED,
    INPUT,
    KEY,
    ORDINAL,
    PAIRS,
    PARENT,
    dispositions,
    scores_of,
    user_schema,
)
from dagster_project.engine.chunk import Chunk, frame_digest
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.row_stage import check_reads
from dagster_project.identity import digest
from dagster_project.operators.base import (
    PAIRS_SCHEMA,
    REMOVED_SCHEMA,
    Decisions,
    RelationOperator,
)
from dagster_project.warehouse.snapshot import NotConserved


@dataclass(frozen=True)
class RelationResult:
    """What a relation step made of all rows.

    Attributes:
        chunks: the rows that stay, where they were.
        removed: `DISPOSITIONS` of the others.
        scores: key and annotation columns of the others.
        pairs: `PAIRS` of rows that were found alike.
        order: positions of the rows that stay, over the chunks' rows, in their new order; None
            when the order stays.
        count: the step's books.
    """

    chunks: list[Chunk]
    removed: pl.DataFrame
    scores: pl.DataFrame
    pairs: pl.DataFrame
    order: pl.Series | None
    count: StepCount


def run_relation_step(
    chunks: Sequence[Chunk], step: PlannedStep, annotations: Collection[str]
) -> RelationResult:
    """Run a relation step over all rows.

    Raises:
        NotConserved: when the operator decides about rows that are not there, twice about one, or
            names a survivor that does not stay.
    """
    operator = step.operator
    assert isinstance(operator, RelationOperator)
    started = time.perf_counter()
    relation, keys = _narrow(chunks, operator, step)
    decisions = operator.decide(relation, _Fetch(chunks))
    gone = _proven(decisions, relation.height, operator, step)
    stays = relation["row"].filter(~relation["row"].is_in(gone["row"].implode()))
    removed = _dispositions(gone, keys, step)
    parts, lost, start = [], [], 0
    for chunk in chunks:
        verdict = _verdict(relation.select("row").slice(start, chunk.rows), gone, decisions)
        parts.append(_decided(chunk, verdict, step, changes=decisions.columns is not None))
        if annotations and not verdict["stays"].all():
            gained = chunk.load().with_columns(verdict.get_columns())
            lost.append(scores_of(gained.filter(~pl.col("stays")), annotations))
        start += chunk.rows
    added = decisions.columns.columns[1:] if decisions.columns is not None else []
    merged = gone.filter(pl.col("disposition") == "merged").height
    count = StepCount(
        rows_in=relation.height,
        kept=0 if added else stays.len(),
        changed=stays.len() if added else 0,
        merged=merged,
        dropped=gone.height - merged,
        rows_out=stays.len(),
        seconds=time.perf_counter() - started,
        rule_names=list(operator.rule_names),
        rules=[
            RuleCount(rule=rule, disposition=how, parent_input=number, rows=rows)
            for rule, how, number, rows in removed.group_by(
                "rule", "disposition", "parent_input", maintain_order=True
            )
            .len()
            .iter_rows()
        ],
    )
    count.prove(step.name)
    empty = scores_of(pl.DataFrame(schema=keys.schema), annotations)
    scores = pl.concat(lost, how="diagonal_relaxed") if lost else empty
    return RelationResult(
        parts,
        removed,
        scores,
        _pairs(decisions, keys, step),
        _new_order(decisions, stays, step),
        count,
    )


class _Fetch:
    """Reads columns of a few rows out of their chunks; a `Fetch`."""

    def __init__(self, chunks: Sequence[Chunk]) -> None:
        self.chunks = chunks

    def __call__(
        self, rows: pl.Series, columns: Callable[[pl.Schema], Mapping[str, pl.Expr]]
    ) -> pl.DataFrame:
        frames, start, rows = [], 0, rows.cast(pl.Int64)
        for chunk in self.chunks:
            first, last = rows.search_sorted(pl.Series([start, start + chunk.rows]))
            if last > first or not frames:
                batch = chunk.load()[rows[first:last] - start]
                wanted = columns(user_schema(batch.schema))
                frames.append(batch.with_columns(**wanted).select(list(wanted)))
            start += chunk.rows
        return pl.concat(frames).select(rows.cast(pl.UInt64).alias("row"), pl.all())


def _narrow(
    chunks: Sequence[Chunk], operator: RelationOperator, step: PlannedStep
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns the operator asked for, and who the rows are."""
    frames, keys = [], []
    for chunk in chunks:
        batch = chunk.load()
        check_reads(operator, batch.schema, step)
        wanted = operator.columns(user_schema(batch.schema))
        frames.append(batch.with_columns(**wanted).select(list(wanted)))
        keys.append(batch.select(KEY))
    relation = pl.concat(frames, rechunk=True)
    relation = relation.select(pl.int_range(pl.len(), dtype=pl.UInt64).alias("row"), pl.all())
    return relation, pl.concat(keys, rechunk=True)


def _proven(
    decisions: Decisions, rows: int, operator: RelationOperator, step: PlannedStep
) -> pl.DataFrame:
    gone = decisions.removed.select(list(REMOVED_SCHEMA)).cast(REMOVED_SCHEMA).sort("row")

    def lie(what: str) -> NotConserved:
        name = operator.operator_name()
        return NotConserved(f"step {step.name}: operator {name} {what}; nothing is published")

    if gone["row"].is_duplicated().any():
        raise lie("decided twice about one row")
    if gone.height and (gone["row"].null_count() or int(gone["row"].max()) >= rows):  # pyright: ignore
        raise lie("decided about a row that is not there")
    if not gone["disposition"].is_in(["dropped", "merged"]).all():
        raise lie("gave a disposition that is neither dropped nor merged")
    if gone["rule"].null_count():
        raise lie("removed a row without a rule")
    undeclared = set(gone["rule"].unique()) - set(operator.rule_names)
    if undeclared:
        raise lie(
            f"removed a row by the rule {min(undeclared)!r}, which its `rule_names` do not hold"
        )
    merged = gone.filter(pl.col("disposition") == "merged")
    if merged["survivor"].null_count():
        raise lie("merged a row into none")
    if merged["survivor"].is_in(gone["row"].implode()).any() or (merged["survivor"] >= rows).any():
        raise lie("merged a row into one that does not stay")
    return gone


def _verdict(span: pl.DataFrame, gone: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """For each row of a chunk: whether it stays, and what it gains."""
    verdict = span.join(gone.select("row", pl.lit(False).alias("stays")), on="row", how="left")
    verdict = verdict.with_columns(pl.col("stays").fill_null(True))
    for gained in (decisions.annotations, decisions.columns):
        if gained is not None:
            verdict = verdict.join(gained.cast({"row": pl.UInt64}), on="row", how="left")
    return verdict.sort("row").drop("row")


def _decided(chunk: Chunk, verdict: pl.DataFrame, step: PlannedStep, *, changes: bool) -> Chunk:
    """The chunk without the rows that go, with the columns that the others gain."""
    if verdict["stays"].all() and verdict.width == 1:
        return chunk

    def load() -> pl.DataFrame:
        batch = chunk.load().with_columns(verdict.get_columns()).filter("stays").drop("stays")
        if changes:
            bit = pl.lit(1 << step.number, pl.UInt64)
            batch = batch.with_columns((pl.col(CHANGED) | bit).alias(CHANGED))
        return batch

    key = digest([chunk.key, frame_digest(verdict)])
    return Chunk(key, chunk.input, int(verdict["stays"].sum()), load)


def _dispositions(gone: pl.DataFrame, keys: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    who = keys[gone["row"]]
    survivors = keys.with_row_index("survivor").cast({"survivor": pl.UInt64})
    rows = pl.concat([who, gone], how="horizontal").join(
        survivors.select(
            "survivor",
            pl.col(INPUT).alias("__survivor_input"),
            pl.col(PARENT).alias("__survivor_parent"),
            pl.col(ORDINAL).alias("__survivor_ordinal"),
        ),
        on="survivor",
        how="left",
        maintain_order="left",
    )
    frame = dispositions(
        rows,
        step.number,
        "",
        rule=pl.col("rule"),
        measured=pl.col("measured"),
        threshold=pl.col("threshold"),
        survivor_input=pl.col("__survivor_input"),
        survivor_row_id=pl.col("__survivor_parent"),
        survivor_ordinal=pl.col("__survivor_ordinal"),
        similarity=pl.col("similarity"),
    )
    return frame.with_columns(rows["disposition"])


def _pairs(decisions: Decisions, keys: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    """Who the rows of the pairs are."""
    if decisions.pairs is None:
        return pl.DataFrame(schema=PAIRS)
    pairs = decisions.pairs.select(list(PAIRS_SCHEMA)).cast(PAIRS_SCHEMA)
    one, other = keys[pairs["row"]], keys[pairs["other"]]
    return pl.DataFrame(
        [
            pl.repeat(step.number, pairs.height, dtype=pl.UInt16, eager=True),
            *one.get_columns(),
            *other.get_columns(),
            pairs["similarity"],
        ],
        schema=PAIRS,
    )


def _new_order(decisions: Decisions, stays: pl.Series, step: PlannedStep) -> pl.Series | None:
    """The new order as positions among the rows that stay."""
    if decisions.order is None:
        return None
    order = decisions.order.cast(pl.UInt64)
    if order.len() != stays.len() or not order.sort().equals(stays.sort(), check_names=False):
        raise NotConserved(f"step {step.name}: the new order is not one of the rows that stay")
    return stays.search_sorted(order)
