"""What each step did, input by input, and how it shifted the lengths of the source texts."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from dagster_project.engine.inspection.source_rows import SourceRows
from dagster_project.engine.inspection.text_columns import text_columns, total_characters
from dagster_project.warehouse.address import Answer
from dagster_project.warehouse.reading import END, OpenSnapshot, Reader
from dagster_project.warehouse.schema import LANDING_STEP


class Length(Answer):
    """Characters of the source texts of some rows: median and 95 %; None where there is none."""

    median: float | None
    p95: float | None


class InputFlow(Answer):
    """Rows of one input at a step; None where rows were split, so that it cannot be told."""

    input: str
    rows_in: int | None
    rows_out: int | None


class StepEffect(Answer):
    """What a step did.

    Attributes:
        step, operator: its name, and what it is.
        input: whose own step it is; None for the joined rows.
        rows_in, rows_out, changed: rows.
        seconds: it took, without rows whose result came from the cache.
        inputs: rows in and out of each input.
        removed: rows by rule.
        before, after: lengths of the source texts of the rows that were there.
    """

    step: str
    operator: str
    input: str | None
    rows_in: int
    rows_out: int
    changed: int
    seconds: float
    inputs: tuple[InputFlow, ...]
    removed: dict[str, int]
    before: Length
    after: Length


class StepEffects(Answer):
    """What all steps did.

    Attributes:
        steps: in order.
        columns: of each input, those whose texts are measured: what published columns were computed
            from.
        sampled: inputs of which so many rows were measured, not all.
    """

    steps: tuple[StepEffect, ...]
    columns: dict[str, tuple[str, ...]]
    sampled: dict[str, int]


@dataclass(frozen=True)
class _Row:
    """A row of the table of steps."""

    number: int
    name: str
    operator: str
    input: str | None
    rows_in: int
    rows_out: int
    changed: int
    split: int
    generated: int
    seconds: float


def step_effects(
    sources: SourceRows, seed: int = 0, most_rows: int | None = 100_000
) -> StepEffects:
    """Tell what each step did.

    Args:
        sources: the snapshot and its inputs.
        seed: of the samples.
        most_rows: rows of each input whose texts are measured; None for all.
    """
    reader, snapshot = sources.reader, sources.snapshot
    columns = {number: _source_texts(sources, number) for number in snapshot.inputs}
    sampled = {
        item.name: most_rows
        for item in snapshot.inputs.values()
        if most_rows is not None and item.rows > most_rows
    }
    _measure_sources(sources, columns, seed, most_rows)
    steps = [
        _Row(*row)
        for row in reader.all(
            "SELECT step, name, operator, input, rows_in, rows_out, changed, split, generated, "
            f"seconds FROM {snapshot.table('steps')} ORDER BY step"
        )
    ]
    removed = _removed(reader, snapshot)
    flows = _flows(reader, snapshot, steps, removed)
    lengths = _lengths(reader, snapshot, steps, removed)
    return StepEffects(
        steps=tuple(
            StepEffect(
                step=step.name,
                operator=step.operator,
                input=step.input,
                rows_in=step.rows_in,
                rows_out=step.rows_out,
                changed=step.changed,
                seconds=step.seconds,
                inputs=tuple(flows[step.number]),
                removed=_by_rule(removed.get(step.number, {})),
                before=lengths[step.number][0],
                after=lengths[step.number][1],
            )
            for step in steps
        ),
        columns={snapshot.inputs[number].name: names for number, names in columns.items()},
        sampled=sampled,
    )


def _source_texts(sources: SourceRows, number: int) -> tuple[str, ...]:
    """The columns of an input that hold texts which published columns of text were computed from; all
    that hold texts, if nothing is known."""
    texts = text_columns(sources.schema(number))
    used = {
        column for published in sources.lineage for column in sources.origins(number, published)
    }
    return tuple(column for column in texts if column in used) or tuple(texts)


def _measure_sources(
    sources: SourceRows,
    columns: Mapping[int, tuple[str, ...]],
    seed: int,
    most_rows: int | None,
) -> None:
    """Temporary table `source_lengths`: input, row, characters, and the step at which the last of it
    went (`gone`; -1 before any step, 65534 for never)."""
    reader, snapshot = sources.reader, sources.snapshot
    reader.all(
        "CREATE OR REPLACE TEMP TABLE source_lengths "
        '("input" USMALLINT, "row" BIGINT, characters BIGINT, gone INTEGER)'
    )
    for number, item in snapshot.inputs.items():
        if not item.rows:
            continue
        chosen, fates = "", ""
        if most_rows is not None and item.rows > most_rows:
            drawn = random.Random(seed).sample(range(_all_rows(sources, number)), most_rows)
            frame = pl.DataFrame({"__row": drawn}, schema={"__row": pl.Int64})
            reader.connection.register("incoming", frame.to_arrow())
            reader.all("CREATE OR REPLACE TEMP TABLE chosen_sources AS FROM incoming")
            reader.connection.unregister("incoming")
            chosen = "SEMI JOIN chosen_sources USING (__row)"
            fates = "AND parent_row_id IN (SELECT __row FROM chosen_sources)"
        length = total_characters(sources.schema(number), columns[number])
        here = f"parent_input = {number} {fates}"
        reader.all(f"""
            INSERT INTO source_lengths
            SELECT {number}, __row, characters, gone
            FROM (SELECT __row, {length} AS characters FROM ({sources.relation(number)}) {chosen})
            JOIN (SELECT parent_row_id AS __row, max(gone) AS gone FROM (
                SELECT parent_row_id, {END} AS gone FROM {snapshot.table("lineage")} WHERE {here}
                UNION ALL
                SELECT parent_row_id, CASE step WHEN {LANDING_STEP} THEN -1 ELSE step END
                FROM {snapshot.table("dispositions")} WHERE {here}) GROUP BY ALL) USING (__row)""")


def _all_rows(sources: SourceRows, number: int) -> int:
    """How many rows an input has there, of which a trial saw some."""
    ((rows,),) = sources.reader.all(f"SELECT count(*) FROM ({sources.relation(number)})")
    return rows


def _removed(reader: Reader, snapshot: OpenSnapshot) -> dict[int, dict[tuple[str, int], int]]:
    """Rows removed by step, rule and input."""
    removed: dict[int, dict[tuple[str, int], int]] = {}
    for step, rule, number, rows in reader.all(
        "SELECT step, rule, parent_input, sum(row_count)::BIGINT AS n "
        f"FROM {snapshot.table('step_rules')} GROUP BY ALL ORDER BY step, n DESC, rule, parent_input"
    ):
        removed.setdefault(step, {})[rule, number] = rows
    return removed


def _by_rule(removed: Mapping[tuple[str, int], int]) -> dict[str, int]:
    rules: dict[str, int] = {}
    for (rule, _), rows in removed.items():
        rules[rule] = rules.get(rule, 0) + rows
    return rules


def _flows(
    reader: Reader,
    snapshot: OpenSnapshot,
    steps: list[_Row],
    removed: Mapping[int, Mapping[tuple[str, int], int]],
) -> dict[int, list[InputFlow]]:
    """Rows of each input at each step: counted from the inputs up to the first step that splits rows,
    and back from the snapshot to the last."""
    landed = dict(
        reader.all(
            f"SELECT parent_input, count(*) FROM {snapshot.table('dispositions')} "
            f"WHERE step = {LANDING_STEP} GROUP BY ALL"
        )
    )
    arrived = dict(
        reader.all(
            f"SELECT parent_input, count(*) FROM {snapshot.table('lineage')} "
            "WHERE relation <> 'merged' GROUP BY ALL"
        )
    )
    flows: dict[int, list[InputFlow]] = {step.number: [] for step in steps}
    for number, item in snapshot.inputs.items():
        own = [step for step in steps if step.input in (None, item.name)]
        gone = {
            step.number: sum(
                rows
                for (_, parent), rows in removed.get(step.number, {}).items()
                if parent == number
            )
            for step in own
        }
        known: dict[int, tuple[int | None, int | None]] = {}
        rows: int | None = item.rows - landed.get(number, 0)
        for step in own:
            left = None if rows is None or _unequal(step) else rows - gone[step.number]
            known[step.number] = rows, left
            rows = left
        rows = arrived.get(number, 0)
        for step in reversed(own):
            came, left = known[step.number]
            known[step.number] = came, rows if left is None else left
            rows = None if rows is None or _unequal(step) else rows + gone[step.number]
            came, left = known[step.number]
            known[step.number] = rows if came is None else came, left
        for step in own:
            came, left = known[step.number]
            flows[step.number].append(InputFlow(input=item.name, rows_in=came, rows_out=left))
    return flows


def _unequal(step: _Row) -> bool:
    """Whether a step made other numbers of rows than it was given and did not remove."""
    return bool(step.split or step.generated)


def _lengths(
    reader: Reader,
    snapshot: OpenSnapshot,
    steps: list[_Row],
    removed: Mapping[int, Mapping[tuple[str, int], int]],
) -> dict[int, tuple[Length, Length]]:
    """Lengths before and after each step: of one that removed nothing they are the same."""
    numbers = {item.name: number for number, item in snapshot.inputs.items()}

    def length(after: int, own: str | None) -> Length:
        here = f'AND "input" = {numbers[own]}' if own is not None else ""
        ((median, p95),) = reader.all(
            "SELECT median(characters), quantile_cont(characters, 0.95) FROM source_lengths "
            f"WHERE gone > {after} {here}"
        )
        return Length(median=median, p95=p95)

    found: dict[int, tuple[Length, Length]] = {}
    last: dict[str | None, Length] = {}
    for step in steps:
        before = last[step.input] if step.input in last else length(step.number - 1, step.input)
        after = length(step.number, step.input) if step.number in removed else before
        found[step.number] = before, after
        last[step.input] = after
    return found
