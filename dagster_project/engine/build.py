"""Builds one version: opens its inputs, runs its stages, writes an unpublished snapshot."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from dagster_project.engine.accounts import Accounts, StepCount
from dagster_project.engine.ancestry import ancestors, synthetic_rows, teachers
from dagster_project.engine.background import Background
from dagster_project.engine.batch import (
    CHANGED,
    INPUT,
    ORDINAL,
    PARENT,
    SYSTEM,
    StageResult,
    data_columns,
    scores_of,
)
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.column_lineage import column_lineage
from dagster_project.engine.decision_cache import DecisionCache
from dagster_project.engine.generated_input import GeneratedRows, open_generated
from dagster_project.engine.inputs import (
    OpenInput,
    Progress,
    open_inputs,
    open_references,
    open_seeds,
    trial_rows,
)
from dagster_project.engine.plan import Plan, PlannedStep, RunStopped, Stage
from dagster_project.engine.published_columns import require_own_names, require_publishable
from dagster_project.engine.references import ready
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.reorder import reorder
from dagster_project.engine.row_stage import run_steps
from dagster_project.engine.schema_flow import flow, joined_schema
from dagster_project.engine.scratch import Scratch
from dagster_project.engine.stage_cache import StageCache
from dagster_project.identity import canonical_json, digest
from dagster_project.operators.acquire.column_types import conform
from dagster_project.operators.base import SplitOperator
from dagster_project.warehouse.snapshot import SnapshotBuilder
from dagster_project.warehouse.store import Store
from dagster_project.workspace import Workspace

if TYPE_CHECKING:
    from dagster_project.engine.answering import Answering


@dataclass(frozen=True)
class Prepared:
    """A plan with its inputs open, so that its build id is known.

    Attributes:
        plan: what to do.
        inputs: open and, where external, landed.
        references: what rows are compared with, open.
        seeds: what rows are made from, open.
        build_id: identity of the recipe and the contents of its inputs, references and files.
        answers: what answers operators that make calls; None where none does.
        sample: rows of each input for a trial; None for all.
    """

    plan: Plan
    inputs: Sequence[OpenInput]
    references: Sequence[OpenInput]
    seeds: Sequence[OpenInput]
    build_id: str
    answers: Answering | None = None
    sample: int | None = None


def prepare(
    plan: Plan,
    workspace: Workspace,
    store: Store,
    answers: Answering | None = None,
    *,
    sample: int | None = None,
    say: Progress = lambda _: None,
) -> Prepared:
    """Open the inputs and references of a plan; makes the rows that are generated.

    Args:
        plan: of the version.
        workspace: where inputs are found.
        store: where snapshots and landed records are.
        answers: what answers operators that make calls; None to make none, and no rows.
        sample: rows of each input for a trial; None for all.
        say: told of progress.

    Raises:
        SeedbedError: when an input is missing, cannot be read or cannot be made.
    """
    recipe = plan.declared.recipe
    opened = {read.name: read for read in open_inputs(plan, workspace, store, say)}
    references = open_references(plan, workspace, store, say)
    seeds = open_seeds(plan, workspace, store, say)
    plan = ready(plan, references, workspace)
    for name in recipe.generated():
        opened[name] = open_generated(plan, name, seeds.get(name), store, answers, sample, say)
    inputs = [opened[name] for name in recipe.inputs]
    contents = [
        [read.name, read.reference.content_id] for read in (*inputs, *references, *seeds.values())
    ]
    files = sorted({file for step in plan.steps for file in step.files})
    build_id = digest([plan.recipe_id, contents, files])
    return Prepared(plan, inputs, references, list(seeds.values()), build_id, answers, sample)


@contextmanager
def build(
    prepared: Prepared, store: Store, say: Progress = lambda _: None
) -> Iterator[SnapshotBuilder]:
    """Write a snapshot of the version under a temporary name; it is deleted unless it is sealed
    before the context ends.

    Raises:
        RunStopped: when the rows do not fit the recipe, or a limit is passed.
        NotConserved: when a row is not accounted for.
    """
    plan = prepared.plan
    with SnapshotBuilder(store, plan.name, prepared.build_id) as snapshot:
        with Background() as background:
            run = _Run(prepared, store, snapshot, background, say)
            run.rows()
        run.books()
        snapshot.finish(
            {
                "recipe_id": plan.recipe_id,
                "phase": plan.declared.recipe.phase,
                "licence": plan.declared.recipe.licence,
                "recipe": plan.declared.recipe.model_dump(mode="json"),
                "sample": prepared.sample,
                "column_lineage": column_lineage(
                    plan, {opened.name: opened.schema for opened in prepared.inputs}
                ),
            },
            run.input_rows,
        )
        yield snapshot


@dataclass
class _Run:
    prepared: Prepared
    store: Store
    snapshot: SnapshotBuilder
    background: Background
    say: Progress
    accounts: Accounts = field(default_factory=Accounts)
    annotations: frozenset[str] = frozenset()
    input_rows: dict[int, int] = field(default_factory=dict)
    metrics: list[dict] = field(default_factory=list)
    emitted: int = 0

    def rows(self) -> None:
        """Let all rows flow through the stages, into the snapshot."""
        plan = self.prepared.plan
        joined = self._columns()
        for opened in self.prepared.inputs:
            self._removed(opened.unreadable)
            if isinstance(opened, GeneratedRows):
                self._generated(opened)
        chunks = self._input_chunks()
        for index, stage in enumerate(plan.stages):
            last = index == len(plan.stages) - 1
            if stage.relation is not None:
                chunks = self._relation_stage(chunks, stage)
            else:
                chunks = self._row_stage(chunks, stage, joined if index == 0 else None, last)
        if plan.stages[-1].relation is not None:
            for chunk in chunks:
                self._emit(chunk.load())

    def _generated(self, opened: GeneratedRows) -> None:
        """Write how an input's rows were made."""
        self.accounts.add([(opened.summary["step"], opened.count)])
        self._append("generations", opened.generations)
        self._append("ledger", opened.ledger)

    def _columns(self) -> pl.Schema:
        """The columns that inputs have in common once joined. Learns which columns are annotations,
        and creates `rows` and `scores` with their final columns."""
        plan = self.prepared.plan
        schemas: dict[str, pl.Schema] = {}
        measured: dict[str, pl.DataType] = {}
        annotations: frozenset[str] = frozenset()
        for opened in self.prepared.inputs:
            require_own_names(opened.name, opened.schema)
            own = plan.own_steps(opened.name)
            schemas[opened.name], named = flow(opened.schema, frozenset(), own)
            annotations |= named
        schema = joined = joined_schema(schemas)
        measured |= {name: joined[name] for name in annotations}
        for stage in plan.stages:
            schema, annotations = flow(schema, annotations, stage.steps)
            measured |= {name: schema[name] for name in annotations}
        self.annotations = frozenset(measured)
        data = {name: schema[name] for name in data_columns(schema, self.annotations)}
        has_rows = any(chunk.rows for opened in self.prepared.inputs for chunk in opened.chunks)
        require_publishable(plan.name, data, measured, has_rows=has_rows)
        self.snapshot.append("rows", pl.DataFrame(schema={"row_id": pl.Int64, **data}))
        keys = pl.DataFrame(schema={**SYSTEM, **measured, "row_id": pl.Int64})
        self.snapshot.append("scores", scores_of(keys, [*measured, "row_id"]))
        return joined

    def _input_chunks(self) -> list[Chunk]:
        """The rows of all inputs, those with steps of their own that need all rows after these."""
        chunks: list[Chunk] = []
        for opened in self.prepared.inputs:
            taken, sample = opened.chunks, self.prepared.sample
            if sample is not None and not isinstance(opened, GeneratedRows):
                taken = trial_rows(taken, sample)
            self.input_rows[opened.number] = (
                sum(chunk.rows for chunk in taken) + opened.unreadable.height
            )
            for stage in self.prepared.plan.input_stages[opened.name][:-1]:
                if stage.relation is not None:
                    taken = self._relation_stage(taken, stage)
                else:
                    taken = self._row_stage(taken, stage, None, False)
            chunks += taken
        return chunks

    def _row_stage(
        self, chunks: Sequence[Chunk], stage: Stage, joined: pl.Schema | None, last: bool
    ) -> list[Chunk]:
        """Run a row stage over each chunk. `joined`: for the first stage, what inputs become."""
        cache, plan, done = StageCache(self.store), self.prepared.plan, []
        names = {opened.number: opened.name for opened in self.prepared.inputs}
        for position, chunk in enumerate(chunks):
            own = plan.input_stages[names[chunk.input]][-1].steps if joined is not None else ()
            steps = (*own, *stage.steps)
            key = _stage_key(chunk, steps, joined, len(own), self.annotations)
            result = cache.get(key)
            if result is None:
                result = self._run(chunk.load(), own, stage.steps, joined)
                if not result.lasting:
                    key = digest([key, uuid.uuid4().hex])
                self.background.call(cache.put, key, result)
            self._account(result)
            done.append(_cached(cache, key, chunk.input, result.rows.height))
            if last:
                self._emit(result.rows)
            self.say(
                f"{_names(steps)}: chunk {position + 1} of {len(chunks)}, "
                f"{result.rows.height:,} of {chunk.rows:,} rows go on"
            )
        self.background.wait()
        self._limit_quarantine(stage.steps)
        return done

    def _run(
        self,
        batch: pl.DataFrame,
        own: Sequence[PlannedStep],
        joined: Sequence[PlannedStep],
        schema: pl.Schema | None,
    ) -> StageResult:
        first = run_steps(batch, own, self.annotations, self.prepared.answers)
        rows = first.rows
        if schema is not None:
            system = rows.select(list(SYSTEM))
            rows = conform(rows.drop(list(SYSTEM)), schema).with_columns(system.get_columns())
        second = run_steps(rows, joined, self.annotations, self.prepared.answers)
        return StageResult(
            second.rows,
            pl.concat([first.removed, second.removed]),
            pl.concat([first.scores, second.scores], how="diagonal_relaxed"),
            [*first.counts, *second.counts],
            pl.concat([first.ledger, second.ledger]),
            first.lasting and second.lasting,
        )

    def _relation_stage(self, chunks: Sequence[Chunk], stage: Stage) -> list[Chunk]:
        step = stage.steps[0]
        self.say(f"{step.name}: {sum(chunk.rows for chunk in chunks):,} rows")
        if not chunks:
            self.accounts.add([(step.number, StepCount())])
            return []
        result = run_relation_step(
            chunks,
            step,
            self.annotations,
            DecisionCache(self.store),
            Scratch(self.store.cache / "spill"),
        )
        self.accounts.add([(step.number, result.count)])
        self._removed(result.removed)
        self._scores(result.scores)
        self._append("pairs", result.pairs)
        self._append("cuts", result.cuts)
        self.metrics += [
            {"metric": name, "stage": step.name, "subject": subject, "value": value}
            for name, subject, value in result.metrics
        ]
        if result.order is not None and result.chunks:
            return reorder(result.chunks, result.order, self.store)
        return result.chunks

    def _account(self, result: StageResult) -> None:
        self.accounts.add(result.counts)
        self._removed(result.removed)
        self._scores(result.scores)
        if result.ledger.height:
            self._append("ledger", result.ledger)

    def _removed(self, removed: pl.DataFrame) -> None:
        if removed.height == 0:
            return
        self._append("dispositions", removed.drop("content"))
        quarantined = removed.filter(pl.col("disposition") == "quarantined")
        if quarantined.height:
            columns = ["parent_input", "parent_row_id", "ordinal", "step", "error", "content"]
            self._append("quarantine", quarantined.select(columns))

    def _scores(self, scores: pl.DataFrame) -> None:
        if scores.width > 3 and scores.height:
            self._append("scores", scores)

    def _append(self, table: str, frame: pl.DataFrame) -> None:
        self.background.call(self.snapshot.append, table, frame)

    def _emit(self, batch: pl.DataFrame) -> None:
        """Write rows that reached the end, with their lineage and scores."""
        start = self.emitted
        self.emitted += batch.height
        row_id = pl.int_range(start, start + batch.height, dtype=pl.Int64).alias("row_id")
        data = data_columns(batch.schema, self.annotations)
        measured = [name for name in batch.columns if name in self.annotations]
        self._append("rows", batch.select(row_id, *data))
        made = [one.number for one in self.prepared.inputs if isinstance(one, GeneratedRows)]
        relation = (
            pl.when(pl.col(INPUT).is_in(made)).then(pl.lit("generated"))
            .when(pl.col("__split")).then(pl.lit("split"))
            .when(pl.col(CHANGED) != 0).then(pl.lit("changed"))
            .otherwise(pl.lit("kept"))
        )  # fmt: skip
        lineage = batch.with_columns(
            ((pl.col(CHANGED) & pl.lit(self._split_bits(), pl.UInt64)) != 0).alias("__split")
        ).select(
            row_id,
            pl.col(INPUT).alias("parent_input"),
            pl.col(PARENT).alias("parent_row_id"),
            pl.col(ORDINAL).alias("ordinal"),
            relation.alias("relation"),
            pl.col(CHANGED).alias("changed_by"),
        )
        self._append("lineage", lineage)
        if measured:
            self._scores(scores_of(batch.with_columns(row_id), [*measured, "row_id"]))

    def _split_bits(self) -> int:
        return sum(
            1 << step.number
            for step in self.prepared.plan.steps
            if isinstance(step.operator, SplitOperator)
        )

    def _limit_quarantine(self, steps: Sequence[PlannedStep]) -> None:
        plan = self.prepared.plan
        limit = plan.declared.recipe.limits.quarantine
        own = [
            step
            for name in plan.input_stages
            if name not in plan.generators
            for step in plan.own_steps(name)
        ]
        for step in (*own, *steps):
            count = self.accounts.steps.get(step.number)
            if count and count.quarantined > limit * count.rows_in:
                raise RunStopped(
                    f"{self.prepared.plan.name}: step {step.name} failed on {count.quarantined:,} "
                    f"of {count.rows_in:,} rows, more than the limit of {limit:.2%}. Nothing is "
                    "published. First error: " + self._first_error(step)
                )

    def _first_error(self, step: PlannedStep) -> str:
        found = self.snapshot.connection.execute(
            "SELECT parent_input, parent_row_id, error FROM staging_quarantine WHERE step = ? "
            "ORDER BY ALL LIMIT 1",
            [step.number],
        ).fetchone()
        if found is None:
            return "not recorded"
        name = self.prepared.inputs[found[0]].name
        return f"row {found[1]} of input {name}: {found[2]}"

    def books(self) -> None:
        """Write what each step did and what the inputs were; prove each step's conservation."""
        snapshot = self.snapshot
        for step in self.prepared.plan.steps:
            count = self.accounts.steps.get(step.number, StepCount())
            count.prove(step.name)
            known = count.model_dump(exclude={"rules"})
            snapshot.append_records(
                "steps",
                [
                    {
                        "step": step.number,
                        "name": step.name,
                        "operator": type(step.operator).operator_name(),
                        "input": step.input,
                        "parameters": canonical_json(step.operator.model_dump(mode="json")),
                        "code_hash": step.code_hash,
                        **known,
                    }
                ],
            )
            snapshot.append_records(
                "step_rules",
                [
                    {
                        "step": step.number,
                        "rule": rule.rule,
                        "disposition": rule.disposition,
                        "parent_input": rule.parent_input,
                        "row_count": rule.rows,
                    }
                    for rule in count.rules
                ],
            )
        snapshot.append_records("metrics", self.metrics)
        for opened in self.prepared.inputs:
            seen = {"row_count": self.input_rows[opened.number]}  # of a trial, those it drew
            snapshot.append_records("inputs", [opened.record | seen])
            snapshot.append_records("input_files", opened.files)
        for reference in self.prepared.references:
            snapshot.append_records("reference_inputs", [reference.record])
            snapshot.append_records("input_files", reference.files)
        for opened in self.prepared.seeds:
            snapshot.append_records("seed_inputs", [opened.record])
            snapshot.append_records("input_files", opened.files)
        made = [each for each in self.prepared.inputs if isinstance(each, GeneratedRows)]
        snapshot.append_records("generated_inputs", [each.summary for each in made])
        models = self.prepared.plan.declared.recipe.models.values()
        read = [*self.prepared.inputs, *self.prepared.seeds]
        paid = [each.ledger for each in made]
        snapshot.append_records("teachers", teachers(read, paid, models, self.store))
        seeds = {each.name.removesuffix(".seeds"): each for each in self.prepared.seeds}
        above = ancestors(self.prepared.inputs, seeds, self.store)
        snapshot.append_records("ancestors", above)
        snapshot.mark_synthetic(
            {
                opened.number: synthetic_rows(opened, self.store)
                for opened in self.prepared.inputs
                if opened.reference.version is not None
            }
        )


def _stage_key(
    chunk: Chunk,
    steps: Sequence[PlannedStep],
    schema: pl.Schema | None,
    own: int,
    annotations: frozenset[str],
) -> str:
    return digest(
        [
            chunk.key,
            [step.identity for step in steps],
            own,
            [[name, str(kind)] for name, kind in schema.items()] if schema is not None else None,
            sorted(annotations),
        ]
    )


def _cached(cache: StageCache, key: str, number: int, rows: int) -> Chunk:
    return Chunk(key, number, rows, lambda: cache.rows(key))


def _names(steps: Sequence[PlannedStep]) -> str:
    return " → ".join(step.name for step in steps) or "read"
