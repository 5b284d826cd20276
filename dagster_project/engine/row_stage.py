"""Runs fused row steps over one batch: annotate, edit, remove; quarantine what raises."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import polars as pl
from polars.exceptions import PanicException, ShapeError

from dagster_project.engine.accounts import RuleCount, StepCount
from dagster_project.engine.batch import (
    CHANGED,
    DISPOSITIONS,
    INPUT,
    KEY,
    LEDGER,
    ORDINAL,
    PARENT,
    StageResult,
    data_columns,
    dispositions,
    ledger,
    scores_of,
    user_schema,
)
from dagster_project.engine.plan import PlannedStep, RunStopped
from dagster_project.operators.base import (
    SYSTEM_PREFIX,
    Operator,
    OperatorMisuse,
    RowOperator,
    SplitOperator,
    without_expression,
)
from dagster_project.operators.calling import CallingOperator
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.snapshot import NotConserved

if TYPE_CHECKING:
    from dagster_project.engine.answering import Answering

ERROR_LENGTH = 500
NO_PIECES = "no_pieces"


def run_steps(
    batch: pl.DataFrame,
    steps: Sequence[PlannedStep],
    annotations: Collection[str],
    answers: Answering | None = None,
) -> StageResult:
    """Run row steps, one after the other, over a batch.

    Args:
        batch: rows with the columns that say who they are.
        steps: row and split operators.
        annotations: names of columns that were measured, here or by earlier steps; the rest is data.
        answers: what answers operators that make calls.

    Raises:
        NotConserved: when an operator loses or invents rows.
        BudgetReached: when a call does not fit the budget any more.
    """
    removed: list[pl.DataFrame] = []
    scores: list[pl.DataFrame] = []
    counts: list[tuple[int, StepCount]] = []
    paid: list[pl.DataFrame] = [pl.DataFrame(schema=LEDGER)]
    lasting = True
    for step in steps:
        started = time.perf_counter()
        failed: list[tuple[int, str]] = []
        asked = batch
        if isinstance(step.operator, CallingOperator):
            asked, failed, billed, lasts = _called(batch, step, step.operator, answers)
            paid.append(billed)
            lasting = lasting and lasts
        rows, gone, measured, count = run_step(
            asked, step, annotations, failed, batch if failed else None
        )
        count.seconds = time.perf_counter() - started
        count.prove(step.name)
        batch = rows
        removed.append(gone)
        scores.append(measured)
        counts.append((step.number, count))
    return StageResult(
        batch,
        pl.concat(removed) if removed else pl.DataFrame(schema=DISPOSITIONS),
        pl.concat(scores, how="diagonal_relaxed")
        if scores
        else scores_of(batch.clear(), annotations),
        counts,
        pl.concat(paid),
        lasting,
    )


def _called(
    batch: pl.DataFrame, step: PlannedStep, operator: CallingOperator, answers: Answering | None
) -> tuple[pl.DataFrame, list[tuple[int, str]], pl.DataFrame, bool]:
    """The rows whose calls were answered, with what they brought; those whose were not, as (position,
    error); what was paid; and whether the failures would be failures again."""
    check_reads(operator, batch.schema, step)
    brings = operator.brings(user_schema(batch.schema))
    if batch.height == 0:
        return (
            batch.with_columns(pl.lit(None, kind).alias(n) for n, kind in brings.items()),
            [],
            (pl.DataFrame(schema=LEDGER)),
            True,
        )
    assert answers is not None
    from dagster_project.llm.budget import BudgetReached

    columns = list(dict.fromkeys(operator.reads()))
    asked = batch.select(columns).to_dicts() if columns else [{}] * batch.height

    def work(row: dict) -> Callable:
        return lambda calls: operator.measured(row, calls)

    done = answers.all([work(row) for row in asked])
    reached = next((each.error for each in done if isinstance(each.error, BudgetReached)), None)
    if reached is not None:
        raise reached
    failed = [(at, _told(each.error)) for at, each in enumerate(done) if each.error is not None]
    good = [at for at, each in enumerate(done) if each.error is None]
    values = pl.DataFrame(
        [[(done[at].value or {}).get(name) for at in good] for name in brings],
        schema=brings,
        strict=False,
    )
    billed = ledger(batch, step.number, [each.calls for each in done])
    rows = batch[good].with_columns(values.get_columns())
    return rows, failed, billed, all(each.lasting for each in done)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {without_expression(str(error))}"[:ERROR_LENGTH]


def run_step(
    batch: pl.DataFrame,
    step: PlannedStep,
    annotations: Collection[str],
    failed: Sequence[tuple[int, str]] = (),
    whole: pl.DataFrame | None = None,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, StepCount]:
    """Run one row step: the rows that go on, dispositions and scores of the others, the count.

    Args:
        batch: rows.
        step: what to do with them.
        annotations: names of columns that were measured.
        failed: rows of the `whole` whose calls failed, as (position, error); `batch` is the others.
        whole: the rows before calls were made; None where none are.
    """
    operator = step.operator
    if isinstance(operator, SplitOperator):
        body = _Split(operator, step)
    elif isinstance(operator, RowOperator):
        body = _Rows(operator, step, annotations)
    else:
        raise TypeError(f"{step.name} is not a row step")
    done, failures = _isolated(batch, body)
    quarantined = pl.concat(
        [
            _quarantine(batch, failures, step, annotations),
            *([_quarantine(whole, failed, step, annotations)] if whole is not None else ()),
        ]
    )
    if isinstance(operator, SplitOperator):
        on, gone, counted = _split_outcome(done, step)
    else:
        on, gone, counted = _row_outcome(done, step)
    counted.rule_names = body.rule_names
    counted.rows_in = batch.height + len(failed)
    counted.quarantined = quarantined.height
    counted.rows_out = on.height
    kept_scores = scores_of(gone, annotations)
    lost_scores = scores_of(batch[[index for index, _ in failures]], annotations)
    if whole is not None and failed:
        unanswered = scores_of(whole[[index for index, _ in failed]], annotations)
        lost_scores = pl.concat([lost_scores, unanswered], how="diagonal_relaxed")
    every = pl.concat([_removed(gone, step), quarantined])
    counted.rules = [
        RuleCount(rule=rule or "error", disposition=how, parent_input=number, rows=rows)
        for rule, how, number, rows in every.group_by(
            "rule", "disposition", "parent_input", maintain_order=True
        )
        .len()
        .iter_rows()
    ]
    hidden = [name for name in on.columns if name.startswith(f"{SYSTEM_PREFIX}rule_")]
    scores = pl.concat([kept_scores, lost_scores], how="diagonal_relaxed")
    return on.drop(hidden), every, scores, counted


class _Rows:
    """A row operator as a function of a batch: same height, `__rule_*` columns tell the verdict."""

    def __init__(
        self, operator: RowOperator, step: PlannedStep, annotations: Collection[str]
    ) -> None:
        self.operator, self.step, self.annotations = operator, step, annotations
        self.rule_names: list[str] = []

    def __call__(self, batch: pl.DataFrame) -> pl.DataFrame:
        operator = self.operator
        check_reads(operator, batch.schema, self.step)
        height = batch.height
        annotated = operator.annotations(user_schema(batch.schema))
        batch = batch.with_columns(**annotated)
        edits = operator.edits(user_schema(batch.schema))
        if edits:
            edited = batch.with_columns(**edits).select(list(edits))
            differs = [
                batch[name].ne_missing(edited[name])
                if name in batch.columns and batch.schema[name] == edited.schema[name]
                else pl.Series(name, [True]).new_from_index(0, height)
                for name in edits
            ]
            changed = pl.DataFrame([s.alias(str(i)) for i, s in enumerate(differs)])
            batch = batch.with_columns(edited.get_columns()).with_columns(
                changed.select(pl.any_horizontal(pl.all()).alias("__edited")).to_series()
            )
            batch = _mark(batch, pl.col("__edited"), self.step.number).drop("__edited")
        out = set(operator.removes(user_schema(batch.schema))) - set(self.annotations)
        if out:
            batch = _mark(batch.drop(out), pl.lit(True), self.step.number)
        rules = list(operator.rules(user_schema(batch.schema)))
        self.rule_names = [rule.name for rule in rules]
        if rules:
            broken = [(~rule.keep.fill_null(False)) for rule in rules]
            choice = pl.coalesce(
                pl.when(expression).then(pl.lit(index, pl.UInt16))
                for index, expression in enumerate(broken)
            )
            batch = batch.with_columns(choice.alias("__rule_broken")).with_columns(
                _chosen([pl.lit(rule.name) for rule in rules]).alias("__rule_name"),
                _chosen([_text(rule.measured) for rule in rules]).alias("__rule_measured"),
                _chosen([pl.lit(rule.threshold) for rule in rules]).alias("__rule_threshold"),
            )
        if batch.height != height:
            raise NotConserved(
                f"step {self.step.name}: {height:,} rows in, but its expressions gave "
                f"{batch.height:,}; a row operator must give one value for each row"
            )
        return batch


class _Split:
    """A split operator as a function of a batch: more or fewer rows, each naming its parent."""

    def __init__(self, operator: SplitOperator, step: PlannedStep) -> None:
        self.operator, self.step = operator, step
        self.rule_names = [NO_PIECES]

    def __call__(self, batch: pl.DataFrame) -> pl.DataFrame:
        check_reads(self.operator, batch.schema, self.step)
        pieces = self.operator.pieces(user_schema(batch.schema))
        listed = batch.with_columns(**pieces).with_columns(
            pl.col(next(iter(pieces))).list.len().fill_null(0).alias("__rule_pieces")
        )
        names = list(pieces)
        empty = listed.filter(pl.col("__rule_pieces") == 0)
        full = listed.filter(pl.col("__rule_pieces") > 0).explode(names)
        empty = empty.with_columns(pl.lit(None, full.schema[name]).alias(name) for name in names)
        return pl.concat([full, empty.select(full.columns)])


def check_reads(operator: Operator, schema: pl.Schema, step: PlannedStep) -> None:
    """Refuse an operator whose columns are not there.

    Raises:
        RunStopped: naming the step, the column, and the nearest one.
    """
    for name in operator.reads():
        if name not in schema or name.startswith(SYSTEM_PREFIX):
            raise RunStopped(f"step {step.name}: {no_such('column', name, user_schema(schema))}")


def _isolated(
    batch: pl.DataFrame, body: Callable[[pl.DataFrame], pl.DataFrame]
) -> tuple[pl.DataFrame, list[tuple[int, str]]]:
    """`body(batch)`, without the rows on which it raises; those as (position, error)."""
    try:
        return body(batch), []
    except (NotConserved, RunStopped, OperatorMisuse):
        raise
    except ShapeError as error:
        raise NotConserved(f"an expression gave more or fewer values than rows: {error}") from error
    except (Exception, PanicException):
        body(batch.clear())  # an error that needs no row is the recipe's, not a row's
    good: list[pl.DataFrame] = []
    failures: list[tuple[int, str]] = []
    waiting = [(0, batch.height)]
    while waiting:
        start, end = waiting.pop()
        try:
            good.append(body(batch[start:end]))
        except (Exception, PanicException) as error:
            if end - start == 1:
                failures.append((start, _told(error)))
            else:
                middle = (start + end) // 2
                waiting += [(middle, end), (start, middle)]
    whole = pl.concat(good) if good else body(batch.clear())
    return whole, failures


def _quarantine(
    batch: pl.DataFrame,
    failures: Sequence[tuple[int, str]],
    step: PlannedStep,
    annotations: Collection[str],
) -> pl.DataFrame:
    rows = batch[[index for index, _ in failures]]
    content = [
        json.dumps(row, ensure_ascii=False, default=_plain)
        for row in rows.select(data_columns(batch.schema, annotations)).to_dicts()
    ]
    told = rows.with_columns(
        pl.Series("__error", [error for _, error in failures], dtype=pl.String),
        pl.Series("__content", content, dtype=pl.String),
    )
    return dispositions(
        told, step.number, "quarantined", error=pl.col("__error"), content=pl.col("__content")
    )


def _plain(value: object) -> str:
    """A value that JSON has no word for, as text: bytes in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _row_outcome(
    done: pl.DataFrame, step: PlannedStep
) -> tuple[pl.DataFrame, pl.DataFrame, StepCount]:
    if "__rule_broken" in done.columns:
        gone = done.filter(pl.col("__rule_broken").is_not_null())
        on = done.filter(pl.col("__rule_broken").is_null())
    else:
        gone, on = done.clear(), done
    changed = int(on.select(_has(step.number).sum()).item() or 0)
    return on, gone, StepCount(kept=on.height - changed, changed=changed, dropped=gone.height)


def _split_outcome(
    done: pl.DataFrame, step: PlannedStep
) -> tuple[pl.DataFrame, pl.DataFrame, StepCount]:
    gone = done.filter(pl.col("__rule_pieces") == 0).with_columns(
        pl.lit(NO_PIECES).alias("__rule_name"),
        pl.lit("0").alias("__rule_measured"),
        pl.lit(">= 1").alias("__rule_threshold"),
    )
    on = done.filter(pl.col("__rule_pieces") > 0)
    parents = on.select(KEY).unique().height
    on = _mark(on, pl.lit(True), step.number).with_columns(
        (pl.col(PARENT).cum_count().over(INPUT, PARENT) - 1).cast(pl.UInt32).alias(ORDINAL)
    )
    return on, gone, StepCount(split=parents, dropped=gone.height)


def _removed(gone: pl.DataFrame, step: PlannedStep) -> pl.DataFrame:
    if gone.height == 0:
        return pl.DataFrame(schema=DISPOSITIONS)
    return dispositions(
        gone,
        step.number,
        "dropped",
        rule=pl.col("__rule_name"),
        measured=pl.col("__rule_measured"),
        threshold=pl.col("__rule_threshold"),
    )


def _mark(batch: pl.DataFrame, changed: pl.Expr, step: int) -> pl.DataFrame:
    bit = pl.lit(1 << step, pl.UInt64)
    return batch.with_columns(
        pl.when(changed).then(pl.col(CHANGED) | bit).otherwise(pl.col(CHANGED)).alias(CHANGED)
    )


def _has(step: int) -> pl.Expr:
    return (pl.col(CHANGED) & pl.lit(1 << step, pl.UInt64)) != 0


def _chosen(values: list[pl.Expr]) -> pl.Expr:
    """The value of the rule that was broken."""
    return pl.coalesce(
        pl.when(pl.col("__rule_broken") == index).then(value) for index, value in enumerate(values)
    )


def _text(value: pl.Expr) -> pl.Expr:
    return value.cast(pl.String)
