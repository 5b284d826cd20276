"""What another threshold would change, told from what was measured, without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import polars as pl
import yaml
from pydantic import ValidationError

from dagster_project.engine.plan import Plan, PlannedStep
from dagster_project.errors import SeedbedError
from dagster_project.operators.base import OperatorMisuse, RelationOperator, RowOperator, Rule
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.address import Answer, Row, RowAddress, Snapshot, SnapshotAddress
from dagster_project.warehouse.landing import read_source
from dagster_project.warehouse.reading import OpenSnapshot, Reader
from dagster_project.warehouse.records import read_record
from dagster_project.warehouse.store import Store

EXCERPT = 200
KEY = ("parent_input", "parent_row_id", "ordinal")


class CannotTell(SeedbedError):
    """A question that what was measured does not answer."""


class Example(Answer):
    """A row whose lot would change.

    Attributes:
        row: of the snapshot, for one that would go; of the upstream snapshot, for one that would
            come back; None for a record of an external input.
        input: the input that it, or what it was made from, is a row of.
        number: its number there.
        rule: that removes it, now or then.
        measured: the value that the rule looks at.
        text: its beginning.
    """

    row: Row | None
    input: str
    number: int
    rule: str
    measured: str | None
    text: str


class InputChange(Answer):
    """Rows of one input whose lot would change."""

    input: str
    rows: int
    would_go: int
    would_come_back: int


class WhatIf(Answer):
    """What another value of a step's parameter would change.

    Attributes:
        snapshot: the one that was looked at.
        step, parameter: what would be changed.
        before, after: its values.
        seen: rows that reached the step.
        removed, would_remove: of them, by this step, now and then.
        would_go: rows of the snapshot that it would no longer hold.
        would_come_back: rows that this step removed and would not; later steps may remove them.
        inputs: the same for each input.
        going, coming: examples, spread evenly over all of them.
        note: what the figures leave out; empty when they are exact.
    """

    snapshot: Snapshot
    step: str
    parameter: str
    before: Any
    after: Any
    seen: int
    removed: int
    would_remove: int
    would_go: int
    would_come_back: int
    inputs: tuple[InputChange, ...]
    going: tuple[Example, ...]
    coming: tuple[Example, ...]
    note: str


@dataclass(frozen=True)
class _Verdicts:
    """Rows that reached a step: key, `row_id` (null unless in the snapshot), `was` and `now`: the rule
    that removes it at this step (null for none), `measured`: the value that rule looks at."""

    rows: pl.DataFrame
    note: str = ""


def what_if(plan: Plan, store: Store, setting: str, examples: int = 3) -> WhatIf:
    """What the current snapshot of a version would be with another value of one parameter.

    Args:
        plan: of the version, as its current snapshot was built.
        store: where the snapshot is.
        setting: `step.parameter=value`, such as `near_duplicates.threshold=0.7`; the value as YAML.
        examples: rows shown each way.

    Raises:
        CannotTell: when the setting is not one, the recipe was changed since, or the snapshot does not
            hold what is needed to tell.
        NotPublished: when there is no current snapshot.
    """
    step, parameter, value = _parsed(plan, setting)
    operator = _changed(step, parameter, value)
    with Reader(store) as reader:
        snapshot = reader.open(SnapshotAddress(plan.name))
        if snapshot.manifest.recipe_id != plan.recipe_id:
            raise CannotTell(
                f"{plan.name}: the recipe, or code that it uses, was changed since "
                f"{snapshot.address} was built; materialize it first"
            )
        if isinstance(operator, RelationOperator) and operator.least_similarity:
            verdicts = _by_pairs(reader, snapshot, step, parameter, operator)
        elif isinstance(operator, RelationOperator | RowOperator):
            verdicts = _by_scores(reader, snapshot, step, parameter, operator)
        else:
            raise _not_measured(step, [])
        rows = verdicts.rows.sort(KEY)
        goes = rows.filter(pl.col("row_id").is_not_null() & pl.col("now").is_not_null())
        comes = rows.filter(pl.col("was").is_not_null() & pl.col("now").is_null())
        return WhatIf(
            snapshot=snapshot.address,
            step=step.name,
            parameter=parameter,
            before=_shown(step.operator, parameter),
            after=_shown(operator, parameter),
            seen=rows.height,
            removed=rows["was"].count(),
            would_remove=rows["now"].count(),
            would_go=goes.height,
            would_come_back=comes.height,
            inputs=_by_input(snapshot, rows, goes, comes),
            going=_examples(reader, snapshot, goes, "now", examples),
            coming=_examples(reader, snapshot, comes, "was", examples),
            note=verdicts.note,
        )


def _parsed(plan: Plan, setting: str) -> tuple[PlannedStep, str, Any]:
    place, equals, text = setting.partition("=")
    name, dot, parameter = place.strip().rpartition(".")
    if not (equals and dot):
        raise CannotTell(
            f"{setting!r} is no setting; write it `step.parameter=value`, such as "
            "`near_duplicates.threshold=0.7`"
        )
    steps = {step.name: step for step in plan.steps}
    if name not in steps:
        raise CannotTell(f"{plan.name}: {no_such('step', name, steps)}")
    fields = {
        field.alias or key: key for key, field in type(steps[name].operator).model_fields.items()
    }
    if parameter not in fields:
        raise CannotTell(f"step {name}: {no_such('parameter', parameter, fields)}")
    try:
        return steps[name], parameter, yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise CannotTell(f"{setting!r}: {text!r} is no YAML value") from error


def _changed(step: PlannedStep, parameter: str, value: Any):
    given = step.operator.model_dump(by_alias=True) | {parameter: value}
    try:
        return type(step.operator).model_validate(given)
    except ValidationError as error:
        said = "; ".join(problem["msg"] for problem in error.errors())
        raise CannotTell(f"step {step.name}: {parameter} = {value!r}: {said}") from error


def _shown(operator: Any, parameter: str) -> Any:
    return operator.model_dump(mode="json", by_alias=True)[parameter]


def _reached(step: PlannedStep, snapshot: OpenSnapshot) -> str:
    """SQL for the key, `row_id`, `was` and `measured` of rows that reached a step."""
    number = step.number
    own = [n for n, item in snapshot.inputs.items() if step.input in (None, item.name)]
    return f"""
        SELECT row_id, {", ".join(KEY)}, NULL AS was, NULL AS measured
        FROM {snapshot.table("lineage")} WHERE parent_input IN ({", ".join(map(str, own))})
        UNION ALL
        SELECT NULL, {", ".join(KEY)}, CASE WHEN step = {number} THEN rule END, measured
        FROM {snapshot.table("dispositions")}
        WHERE parent_input IN ({", ".join(map(str, own))}) AND step BETWEEN {number} AND 65534
        AND NOT (step = {number} AND disposition = 'quarantined')"""


def _by_scores(
    reader: Reader,
    snapshot: OpenSnapshot,
    step: PlannedStep,
    parameter: str,
    operator: RowOperator | RelationOperator,
) -> _Verdicts:
    """The verdicts of an operator's rules on the values measured when the snapshot was built."""
    own = [n for n, item in snapshot.inputs.items() if step.input in (None, item.name)]
    if any(snapshot.renumbered(number, step.number) for number in own):
        raise CannotTell(
            f"step {step.name}: rows are split after it, so that what was measured cannot be told "
            "apart; try a trial: `seedbed build --sample`"
        )
    scores = reader.connection.sql(f"SELECT * FROM {snapshot.table('scores')} LIMIT 0").pl().schema
    data = reader.connection.sql(f"SELECT * FROM {snapshot.table('rows')} LIMIT 0").pl().schema
    schema = pl.Schema({**data, **scores})
    try:
        rules = list(operator.rules(schema))
    except OperatorMisuse as error:
        raise _not_measured(step, [str(error)]) from error
    needed = {name for rule in rules for name in rule.keep.meta.root_names()}
    needed |= {name for rule in rules for name in rule.measured.meta.root_names()}
    missing = sorted(needed - (set(scores) - {*KEY, "row_id"}))
    if missing or not rules:
        raise _not_measured(step, [f"`{name}`" for name in missing])
    _require_threshold(step, parameter, operator, rules, schema)
    wanted = ", ".join(f'scores."{name}"' for name in sorted(needed))
    rows = reader.connection.sql(
        f"SELECT reached.*, {wanted} FROM ({_reached(step, snapshot)}) AS reached "
        f"JOIN {snapshot.table('scores')} AS scores USING ({', '.join(KEY)})"
    ).pl()
    return _Verdicts(_judged(rows, rules))


def _require_threshold(
    step: PlannedStep,
    parameter: str,
    operator: RowOperator | RelationOperator,
    rules: Sequence[Rule],
    schema: pl.Schema,
) -> None:
    """Refuse a parameter that changes what is measured, and no rule, or more than rules."""
    assert isinstance(step.operator, RowOperator | RelationOperator)
    if isinstance(operator, RelationOperator):
        decides = parameter in operator.decides_by
    else:
        before = step.operator.rules(schema)
        decides = operator == step.operator or not (
            len(before) == len(rules)
            and all(
                one.threshold == other.threshold and one.keep.meta.eq(other.keep)
                for one, other in zip(before, rules, strict=True)
            )
        )
    if not decides:
        raise CannotTell(
            f"step {step.name}: `{parameter}` changes what is measured, so that this cannot be told "
            "from what was; try a trial: `seedbed build --sample`"
        )


def _judged(rows: pl.DataFrame, rules: Sequence[Rule]) -> pl.DataFrame:
    broken = [~rule.keep.fill_null(False) for rule in rules]
    first = pl.coalesce(
        pl.when(expression).then(pl.lit(rule.name))
        for expression, rule in zip(broken, rules, strict=True)
    )
    value = pl.coalesce(
        pl.when(expression).then(rule.measured.cast(pl.String))
        for expression, rule in zip(broken, rules, strict=True)
    )
    return rows.with_columns(now=first).with_columns(
        measured=pl.when(pl.col("now").is_not_null()).then(value).otherwise("measured")
    )


def _not_measured(step: PlannedStep, missing: Sequence[str]) -> CannotTell:
    return CannotTell(
        f"step {step.name}: this cannot be told from what was measured"
        + (f" (not measured: {', '.join(missing)})" if missing else "")
        + "; try a trial: `seedbed build --sample`"
    )


def _by_pairs(
    reader: Reader,
    snapshot: OpenSnapshot,
    step: PlannedStep,
    parameter: str,
    operator: RelationOperator,
) -> _Verdicts:
    """The verdicts of an operator that merges alike rows, from the pairs it told."""
    if operator.least_similarity != parameter:
        raise _not_measured(step, [])
    (rule,) = operator.rule_names
    before, after = getattr(step.operator, parameter), getattr(operator, parameter)
    pairs = reader.connection.sql(
        f"SELECT * EXCLUDE (step) FROM {snapshot.table('pairs')} WHERE step = {step.number} "
        "ORDER BY ALL"
    ).pl()
    assert isinstance(step.operator, RelationOperator)
    told = step.operator.pairs_told_from()
    if after < told:
        raise CannotTell(
            f"step {step.name}: pairs are stored from a similarity of {told:g} on; to ask about "
            f"{after:g}, materialize with `recorded_from: {after:g}`"
        )
    rows = reader.connection.sql(_reached(step, snapshot)).pl()
    similarity = pl.col("measured").cast(pl.Float64, strict=False)
    was = pl.col("was").is_not_null()
    if after >= before:
        stays = was & (similarity < after)
        judged = rows.with_columns(now=pl.when(was & ~stays).then("was"))
        note = "of rows that come back, some may be alike to each other" if after > before else ""
        return _Verdicts(judged, note)
    merged = _merged_below(pairs, rows.filter(was), after)
    rows = rows.join(merged, on=list(KEY), how="left", nulls_equal=True)
    judged = rows.with_columns(
        now=pl.when(was | pl.col("alike").is_not_null()).then(pl.lit(rule)),
        measured=pl.coalesce(pl.col("alike").cast(pl.String), "measured"),
    )
    return _Verdicts(judged.drop("alike"), "rows are found from pairs among those that stay now")


def _merged_below(pairs: pl.DataFrame, gone: pl.DataFrame, least: float) -> pl.DataFrame:
    """Rows that would be merged into one that stays, at a lower similarity; with the similarity. Of a
    pair, the second came first."""
    others = ["other_input", "other_row_id", "other_ordinal"]
    left = pairs.filter(pl.col("similarity") >= least).join(gone, on=list(KEY), how="anti")
    found: dict[tuple, list[tuple[tuple, float]]] = {}
    for row in left.select(*KEY, *others, "similarity").iter_rows():
        found.setdefault(row[:3], []).append((row[3:6], row[6]))
    order = TopologicalSorter({row: [other for other, _ in near] for row, near in found.items()})
    merged: dict[tuple, float] = {}
    for row in order.static_order():
        alike = [similarity for other, similarity in found.get(row, ()) if other not in merged]
        if alike:
            merged[row] = max(alike)
    schema = {name: pairs.schema[name] for name in KEY} | {"alike": pl.Float64}
    return pl.DataFrame([(*row, alike) for row, alike in merged.items()], schema, orient="row")


def _by_input(
    snapshot: OpenSnapshot, rows: pl.DataFrame, goes: pl.DataFrame, comes: pl.DataFrame
) -> tuple[InputChange, ...]:
    counts = [
        dict(frame.group_by("parent_input").len().iter_rows()) for frame in (rows, goes, comes)
    ]
    return tuple(
        InputChange(
            input=item.name,
            rows=counts[0].get(number, 0),
            would_go=counts[1].get(number, 0),
            would_come_back=counts[2].get(number, 0),
        )
        for number, item in snapshot.inputs.items()
        if number in counts[0]
    )


def _examples(
    reader: Reader, snapshot: OpenSnapshot, rows: pl.DataFrame, rule: str, count: int
) -> tuple[Example, ...]:
    spread = sorted({index * rows.height // count for index in range(count)}) if count else []
    return tuple(
        _example(reader, snapshot, row, row[rule])
        for row in rows[[index for index in spread if index < rows.height]].iter_rows(named=True)
    )


def _example(reader: Reader, snapshot: OpenSnapshot, row: dict[str, Any], rule: str) -> Example:
    source = snapshot.inputs[row["parent_input"]]
    number = row["parent_row_id"]
    address = source.row(number)
    if row["row_id"] is not None:
        here = snapshot.address
        address = RowAddress(here.version, here.snapshot_id, row["row_id"])
    if address is not None:
        text = _row_text(reader, address)
    else:
        assert source.source_id is not None
        landed = read_source(reader.store, source.source_id)
        text = read_record(reader.verified, landed, number, str(snapshot.address)).excerpt(EXCERPT)
    return Example(
        row=address,
        input=source.name,
        number=number,
        rule=rule,
        measured=row["measured"],
        text=text,
    )


def _row_text(reader: Reader, address: RowAddress) -> str:
    snapshot = reader.open(address.snapshot)
    ((text,),) = reader.all(
        f"SELECT to_json(r)::VARCHAR FROM (SELECT * EXCLUDE (row_id) FROM {snapshot.table('rows')} "
        f"WHERE row_id = {address.row_id}) AS r"
    )
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else line[: EXCERPT - 1] + "…"
