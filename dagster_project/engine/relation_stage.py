"""Runs one relation step: shows the operator narrow columns of all rows, applies its decisions.

Rows are not moved: each chunk keeps its texts where they are and gains the decisions about it.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dagster_project.engine.accounts import RuleCount, StepCount
from dagster_project.engine.batch import (
    CHANGED,
    CUTS,
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
from dagster_project.engine.cutting import without
from dagster_project.engine.decision_cache import DecisionCache
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.row_stage import check_reads
from dagster_project.engine.scratch import Scratch
from dagster_project.identity import digest
from dagster_project.operators.base import (
    CUTS_SCHEMA,
    PAIRS_SCHEMA,
    REMOVED_SCHEMA,
    Columns,
    Decisions,
    Metric,
    RelationOperator,
    completed,
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
        cuts: `CUTS` that were made in texts.
        metrics: what else the operator has to say.
        order: positions of the rows that stay, over the chunks' rows, in their new order; None
            when the order stays.
        count: the step's books.
    """

    chunks: list[Chunk]
    removed: pl.DataFrame
    scores: pl.DataFrame
    pairs: pl.DataFrame
    cuts: pl.DataFrame
    metrics: Sequence[Metric]
    order: pl.Series | None
    count: StepCount


def run_relation_step(
    chunks: Sequence[Chunk],
    step: PlannedStep,
    annotations: Collection[str],
    cache: DecisionCache | None = None,
    scratch: Scratch | None = None,
) -> RelationResult:
    """Run a relation step over all rows.

    Args:
        chunks: the rows.
        step: with a relation operator.
        annotations: names of columns that were measured, here or by earlier steps.
        cache: where its decisions may be, or are kept.
        scratch: where large frames and arrays are; None for the system's folder of temporary files.

    Raises:
        NotConserved: when the operator decides about rows that are not there, twice about one, or
            names a survivor that does not stay.
    """
    operator = step.operator
    assert isinstance(operator, RelationOperator)
    started = time.perf_counter()
    known = digest([[chunk.key for chunk in chunks], step.identity])
    decisions = cache.get(known) if cache else None
    cached = decisions is not None
    if decisions is not None:
        keys = pl.concat([chunk.load().select(KEY) for chunk in chunks], rechunk=True)
    else:
        scratch = scratch or Scratch(Path(tempfile.gettempdir()))
        relation, keys = _narrow(chunks, operator, step, scratch)
        decisions = operator.decide(relation, _Fetch(chunks, scratch))
    rows = pl.int_range(keys.height, dtype=pl.UInt64, eager=True).alias("row")
    gone = _proven(decisions, keys.height, operator, step)
    stays = rows.filter(~rows.is_in(gone["row"].implode()))
    cuts = _proven_cuts(decisions, stays, operator, step)
    removed = _dispositions(gone, keys, step)
    parts, lost, start = [], [], 0
    for chunk in chunks:
        span = rows.slice(start, chunk.rows).to_frame()
        verdict = _verdict(span, gone, decisions)
        own = cuts.filter(pl.col("row").is_between(start, start + chunk.rows, closed="left"))
        own = own.with_columns((pl.col("row") - start).cast(pl.UInt32))
        parts.append(_decided(chunk, verdict, own, step, gains=decisions.columns is not None))
        if annotations and not verdict["stays"].all():
            gained = chunk.load().with_columns(verdict.get_columns())
            lost.append(scores_of(gained.filter(~pl.col("stays")), annotations))
        start += chunk.rows
    changed = stays.len() if decisions.columns is not None else cuts["row"].n_unique()
    merged = gone.filter(pl.col("disposition") == "merged").height
    count = StepCount(
        rows_in=keys.height,
        kept=stays.len() - changed,
        changed=changed,
        merged=merged,
        dropped=gone.height - merged,
        rows_out=stays.len(),
        cached=keys.height if cached else 0,
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
    if cache and not cached:
        cache.put(known, decisions)
    empty = scores_of(pl.DataFrame(schema=keys.schema), annotations)
    scores = pl.concat(lost, how="diagonal_relaxed") if lost else empty
    return RelationResult(
        parts,
        removed,
        scores,
        _pairs(decisions, keys, step),
        _cuts(cuts, keys, step),
        decisions.metrics,
        _new_order(decisions, stays, step),
        count,
    )


class _Fetch:
    """Reads columns of some rows out of their chunks; a `Fetch`."""

    def __init__(self, chunks: Sequence[Chunk], scratch: Scratch) -> None:
        self.chunks, self.scratch = chunks, scratch
        self.empty, self.concatenated = scratch.empty, scratch.concatenated

    def __call__(self, rows: pl.Series, columns: Columns) -> pl.DataFrame:
        return self.scratch.frame(self.batches(rows, columns))

    def batches(self, rows: pl.Series, columns: Columns) -> Iterator[pl.DataFrame]:
        start, told, rows = 0, False, rows.cast(pl.Int64).alias("row")
        for chunk in self.chunks:
            first, last = rows.search_sorted(pl.Series([start, start + chunk.rows]))
            if last > first or not told:
                own = rows[first:last]
                batch = chunk.load()[own - start]
                wanted = columns(user_schema(batch.schema))
                computed = batch.with_columns(**wanted).select(list(wanted))
                yield computed.select(own.cast(pl.UInt64), pl.all())
                told = True
            start += chunk.rows


def _narrow(
    chunks: Sequence[Chunk], operator: RelationOperator, step: PlannedStep, scratch: Scratch
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The columns the operator asked for, and who the rows are."""
    keys = []

    def columns() -> Iterator[pl.DataFrame]:
        start = 0
        for chunk in chunks:
            batch = chunk.load()
            check_reads(operator, batch.schema, step)
            wanted = operator.columns(user_schema(batch.schema))
            rows = pl.int_range(start, start + batch.height, dtype=pl.UInt64).alias("row")
            yield batch.with_columns(**wanted).select(rows, *wanted)
            keys.append(batch.select(KEY))
            start += batch.height

    return scratch.frame(columns()), pl.concat(keys, rechunk=True)


def _proven(
    decisions: Decisions, rows: int, operator: RelationOperator, step: PlannedStep
) -> pl.DataFrame:
    gone = completed(decisions.removed, REMOVED_SCHEMA).sort("row")

    def lie(what: str) -> NotConserved:
        return _lie(operator, step, what)

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
    here = merged.filter(pl.col("reference").is_null())["survivor"]
    if here.is_in(gone["row"].implode()).any() or (here >= rows).any():
        raise lie("merged a row into one that does not stay")
    compared = [reference.name for reference in step.compared]
    if not gone["reference"].drop_nulls().is_in(compared).all():
        raise lie("merged a row into one of a reference that it does not compare with")
    return gone


def _proven_cuts(
    decisions: Decisions, stays: pl.Series, operator: RelationOperator, step: PlannedStep
) -> pl.DataFrame:
    if decisions.cuts is None:
        return pl.DataFrame(schema=CUTS_SCHEMA)
    cuts = completed(decisions.cuts, CUTS_SCHEMA)
    before = cuts.shift(1)
    same = (cuts["row"] == before["row"]) & (cuts["column"] == before["column"])
    overlap = same & (cuts["start"] < before["start"] + before["length"])
    if not cuts["row"].is_in(stays.implode()).all():
        raise _lie(operator, step, "cut the text of a row that does not stay")
    if overlap.any():
        raise _lie(operator, step, "cut the same text twice")
    return cuts


def _lie(operator: RelationOperator, step: PlannedStep, what: str) -> NotConserved:
    name = operator.operator_name()
    return NotConserved(f"step {step.name}: operator {name} {what}; nothing is published")


def _verdict(span: pl.DataFrame, gone: pl.DataFrame, decisions: Decisions) -> pl.DataFrame:
    """For each row of a chunk: whether it stays, and what it gains."""
    verdict = span.join(gone.select("row", pl.lit(False).alias("stays")), on="row", how="left")
    verdict = verdict.with_columns(pl.col("stays").fill_null(True))
    for gained in (decisions.annotations, decisions.columns):
        if gained is not None:
            verdict = verdict.join(gained.cast({"row": pl.UInt64}), on="row", how="left")
    return verdict.sort("row").drop("row")


def _decided(
    chunk: Chunk, verdict: pl.DataFrame, cuts: pl.DataFrame, step: PlannedStep, *, gains: bool
) -> Chunk:
    """The chunk without the rows that go and the text that is cut, with the columns that rows gain."""
    if verdict["stays"].all() and verdict.width == 1 and cuts.is_empty():
        return chunk
    bit = pl.lit(1 << step.number, pl.UInt64)

    def load() -> pl.DataFrame:
        batch = chunk.load()
        changed = pl.lit(gains)
        if cuts.height:
            texts = [without(batch[name], own) for (name,), own in cuts.group_by("column")]
            rows = pl.int_range(pl.len(), dtype=pl.UInt32)
            batch = batch.with_columns(texts)
            changed = changed | rows.is_in(cuts["row"].unique().implode())
        batch = batch.with_columns(pl.when(changed).then(pl.col(CHANGED) | bit).otherwise(CHANGED))
        return batch.with_columns(verdict.get_columns()).filter("stays").drop("stays")

    key = digest([chunk.key, frame_digest(verdict), frame_digest(cuts)])
    return Chunk(key, chunk.input, int(verdict["stays"].sum()), load)


def _dispositions(gone: pl.DataFrame, keys: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    survivors = _others(keys, gone["survivor"], gone["reference"], step)
    rows = keys[gone["row"]].with_columns(
        *gone.select("rule", "measured", "threshold", "similarity").get_columns(),
        *(own.alias(f"__survivor{own.name}") for own in survivors.get_columns()),
    )
    frame = dispositions(
        rows,
        step.number,
        "",
        rule=pl.col("rule"),
        measured=pl.col("measured"),
        threshold=pl.col("threshold"),
        survivor_input=pl.col(f"__survivor{INPUT}"),
        survivor_row_id=pl.col(f"__survivor{PARENT}"),
        survivor_ordinal=pl.col(f"__survivor{ORDINAL}"),
        similarity=pl.col("similarity"),
    )
    return frame.with_columns(gone["disposition"])


def _others(keys: pl.DataFrame, other: pl.Series, of: pl.Series, step: PlannedStep) -> pl.DataFrame:
    """Who other rows are: of the relation, or, where `of` names one, of a reference."""
    numbers = {each.name: each.number for each in step.compared}
    here = keys.select(pl.all().gather(pl.select(pl.when(of.is_null()).then(other)).to_series()))
    elsewhere = [
        of.replace_strict(numbers, return_dtype=pl.UInt16, default=None),
        other.cast(pl.Int64),
        pl.repeat(0, len(other), dtype=pl.UInt32, eager=True),
    ]
    return pl.DataFrame(
        [
            pl.select(pl.when(of.is_null()).then(own).otherwise(theirs).alias(name)).to_series()
            for name, own, theirs in zip(KEY, here.get_columns(), elsewhere, strict=True)
        ]
    )


def _pairs(decisions: Decisions, keys: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    """Who the rows of the pairs are."""
    if decisions.pairs is None:
        return pl.DataFrame(schema=PAIRS)
    pairs = completed(decisions.pairs, PAIRS_SCHEMA)
    return pl.DataFrame(
        [
            pl.repeat(step.number, pairs.height, dtype=pl.UInt16, eager=True),
            *keys[pairs["row"]].get_columns(),
            *_others(keys, pairs["other"], pairs["reference"], step).get_columns(),
            pairs["similarity"],
            pairs["matched"],
        ],
        schema=PAIRS,
    )


def _cuts(cuts: pl.DataFrame, keys: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    """Who the rows of the cuts are."""
    return pl.DataFrame(
        [
            pl.repeat(step.number, cuts.height, dtype=pl.UInt16, eager=True),
            *keys[cuts["row"]].get_columns(),
            *cuts.select("column", "start", "length").get_columns(),
            *keys[cuts["other"]].get_columns(),
        ],
        schema=CUTS,
    )


def _new_order(decisions: Decisions, stays: pl.Series, step: PlannedStep) -> pl.Series | None:
    """The new order as positions among the rows that stay."""
    if decisions.order is None:
        return None
    order = decisions.order.cast(pl.UInt64)
    if order.len() != stays.len() or not order.sort().equals(stays.sort(), check_names=False):
        raise NotConserved(f"step {step.name}: the new order is not one of the rows that stay")
    return stays.search_sorted(order)
