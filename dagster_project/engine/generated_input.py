"""Opens an input whose rows are made: from its landed records, or by making them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from dagster_project.engine.accounts import RuleCount, StepCount
from dagster_project.engine.batch import DISPOSITIONS, dispositions, identified, ledger
from dagster_project.engine.inputs import OpenInput, open_landed
from dagster_project.engine.plan import Plan, PlannedStep, RunStopped
from dagster_project.engine.schema_flow import flow
from dagster_project.engine.seed_rows import SeedRows
from dagster_project.identity import digest
from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.generator import Generator
from dagster_project.recipe.model import GeneratedInput
from dagster_project.warehouse.landing import (
    LandedBlock,
    LandedGeneration,
    LandedSource,
    block_folder,
    generation_path,
    land_block,
    land_source,
    read_source,
    source_path,
)
from dagster_project.warehouse.manifest import read_sealed, write_sealed
from dagster_project.warehouse.store import Store

if TYPE_CHECKING:
    from dagster_project.engine.answering import Answering
    from dagster_project.engine.generation import Made

MAX_DEPTH = 65_535

GENERATIONS = pl.Schema(
    {
        "parent_input": pl.UInt16,
        "parent_row_id": pl.Int64,
        "attempt": pl.Int64,
        "depth": pl.UInt16,
        "seed_input": pl.UInt16,
        "seed_row_ids": pl.List(pl.Int64),
        "made_from": pl.List(pl.Int64),
        "teachers": pl.List(pl.String),
        "rejected": pl.String,
    }
)
"""Candidates, as in the snapshot's `generations`."""


class NotMade(RunStopped):
    """An input whose rows have not been made yet, where none may be made."""


@dataclass(frozen=True)
class GeneratedRows(OpenInput):
    """A generated input, ready to be read.

    Attributes:
        count: the books of its generator.
        summary: its line in the snapshot's `generated_inputs`.
        generations: `GENERATIONS` of its candidates.
        ledger: what its candidates cost.
    """

    count: StepCount
    summary: dict
    generations: pl.DataFrame
    ledger: pl.DataFrame


def open_generated(
    plan: Plan,
    name: str,
    seeds: OpenInput | None,
    store: Store,
    answers: Answering | None,
    sample: int | None,
    say: Callable[[str], None],
) -> GeneratedRows:
    """Open a generated input; makes its rows where that was not done before.

    Args:
        plan: of the version, its steps ready to run.
        name: of the input.
        seeds: what its rows are made from, open.
        store: where records are.
        answers: what answers calls; None to make nothing.
        sample: so many rows are wanted, at most; None for as many as the recipe says.
        say: told of progress.

    Raises:
        NotMade: when its rows were not made yet, and nothing may be made.
        RunStopped: when they cannot be made.
    """
    recipe = plan.declared.recipe
    declared, step = recipe.inputs[name], plan.generators[name]
    assert isinstance(declared, GeneratedInput)
    number = list(recipe.inputs).index(name)
    rows = SeedRows(seeds, store, name)
    schema = _schema(step, rows)
    wanted = declared.rows if sample is None else min(sample, declared.rows)
    finished, source = _made_before(plan, name, seeds, wanted, store)
    if finished is None or source is None:
        if answers is None:
            raise NotMade(f"{plan.name}: the rows of {name} are not made yet")
        finished, source = _make(
            plan, name, declared, number, schema, rows, wanted, store, answers, say
        )
    opened = open_landed(
        number, name, declared, source, store, "generated", step.operator.operator_name(), schema
    )
    made = _candidates(source, store)
    frame = _generations(plan, number, made, rows)
    parents = identified(pl.DataFrame({"n": range(len(made))}), number, 0)
    return GeneratedRows(
        **{**vars(opened), "unreadable": _turned_down(parents, made, step)},
        count=_count(made, number, step),
        summary={
            "input": number,
            "step": step.number,
            "generator": step.operator.operator_name(),
            "motive": _generator(step).motive,
            "origin": _generator(step).origin,
            "asked": wanted,
            "enough": min(declared.enough, wanted),
            "accepted": finished.accepted,
            "candidates": len(made),
            "attempts": finished.attempts,
            "stopped_by": finished.stopped_by,
        },
        generations=frame,
        ledger=ledger(
            parents, step.number, [one.calls for one in made], [one.attempt for one in made]
        ),
    )


def _generator(step: PlannedStep) -> Generator:
    assert isinstance(step.operator, Generator)
    return step.operator


def _schema(step: PlannedStep, seeds: SeedRows) -> pl.Schema:
    generator = _generator(step)
    if generator.seeds() and not seeds.rows:
        raise RunStopped(f"step {step.name}: the seeds have no rows to make others from")
    try:
        produced = generator.produces(seeds.schema)
    except OperatorMisuse as error:
        raise RunStopped(f"step {step.name}: {error}") from error
    for name in generator.carry:
        if name not in seeds.schema:
            raise RunStopped(f"step {step.name}: it carries {name!r}, which the seeds do not have")
    return pl.Schema({**{name: seeds.schema[name] for name in generator.carry}, **produced})


def _key(plan: Plan, name: str, seeds: OpenInput | None, wanted: int) -> str:
    declared = plan.declared.recipe.inputs[name]
    assert isinstance(declared, GeneratedInput)
    return digest(
        [
            plan.generators[name].identity,
            [step.identity for step in plan.own_steps(name)],
            seeds.reference.content_id if seeds else None,
            wanted,
            declared.most_candidates,
        ]
    )


def _made_before(
    plan: Plan, name: str, seeds: OpenInput | None, wanted: int, store: Store
) -> tuple[LandedGeneration | None, LandedSource | None]:
    path = generation_path(store, _key(plan, name, seeds, wanted))
    if not path.exists():
        return None, None
    finished = read_sealed(path, LandedGeneration)
    if not source_path(store, finished.source_id).exists():
        return None, None
    return finished, read_source(store, finished.source_id)


def _make(
    plan: Plan,
    name: str,
    declared: GeneratedInput,
    number: int,
    schema: pl.Schema,
    seeds: SeedRows,
    wanted: int,
    store: Store,
    answers: Answering,
    say: Callable[[str], None],
) -> tuple[LandedGeneration, LandedSource]:
    from dagster_project.engine.generation import Generation

    _, measured = flow(schema, frozenset(), plan.own_steps(name))
    generation = Generation(
        number,
        declared,
        plan.generators[name],
        plan.input_stages[name],
        schema,
        seeds,
        answers,
        measured,
        say,
        wanted,
    )
    generation.run()
    blocks: list[LandedBlock] = []
    for records in generation.records():
        key = digest(
            [
                "generated",
                [[column, str(kind)] for column, kind in schema.items()],
                records.origin["raw"].to_list(),
                records.parsed.write_json(),
            ]
        )
        blocks.append(land_block(store, key, records.parsed, records.origin))
    source = land_source(store, blocks, [])
    finished = LandedGeneration(
        source_id=source.source_id,
        accepted=len(generation.accepted),
        attempts=generation.attempts,
        stopped_by=generation.stopped_by,
    )
    if generation.finished:
        key = _key(plan, name, seeds.opened, wanted)
        write_sealed(generation_path(store, key), finished)
    return finished, source


def _candidates(source: LandedSource, store: Store) -> list[Made]:
    from dagster_project.engine.generation import made_from_raw

    paths = [block_folder(store, block.key) / "origin.parquet" for block in source.blocks]
    raw = [text for path in paths for text in pl.read_parquet(path, columns=["raw"])["raw"]]
    return [made_from_raw(text) for text in raw]


def _turned_down(parents: pl.DataFrame, made: Sequence[Made], step: PlannedStep) -> pl.DataFrame:
    """`DISPOSITIONS` of candidates that are no rows: failed ones, and those that were rejected."""
    told = parents.with_columns(
        pl.Series("error", [one.error for one in made], dtype=pl.String),
        pl.Series("content", [one.raw if one.error else None for one in made], dtype=pl.String),
        *(
            pl.Series(
                part,
                [getattr(one.rejection, part) if one.rejection else None for one in made],
                dtype=pl.String,
            )
            for part in ("rule", "measured", "threshold")
        ),
    )
    failed = told.filter(pl.col("error").is_not_null())
    rejected = told.filter(pl.col("rule").is_not_null())
    return pl.concat(
        [
            pl.DataFrame(schema=DISPOSITIONS),
            dispositions(
                failed,
                step.number,
                "quarantined",
                error=pl.col("error"),
                content=pl.col("content"),
            ),
            dispositions(
                rejected,
                step.number,
                "dropped",
                rule=pl.col("rule"),
                measured=pl.col("measured"),
                threshold=pl.col("threshold"),
            ),
        ]
    )


def _count(made: Sequence[Made], number: int, step: PlannedStep) -> StepCount:
    failed = sum(one.error is not None for one in made)
    rules: dict[str, int] = {}
    for one in made:
        if one.rejection:
            rules[one.rejection.rule] = rules.get(one.rejection.rule, 0) + 1
    dropped = sum(rules.values())
    counts = [
        RuleCount(rule=rule, disposition="dropped", parent_input=number, rows=rows)
        for rule, rows in rules.items()
    ]
    if failed:
        counts.append(
            RuleCount(rule="error", disposition="quarantined", parent_input=number, rows=failed)
        )
    kept = len(made) - failed - dropped
    return StepCount(
        rows_in=len(made),
        kept=kept,
        dropped=dropped,
        quarantined=failed,
        generated=len(made),
        rows_out=kept,
        seconds=sum(call.seconds for one in made for call in one.calls),
        rules=counts,
        rule_names=list(_generator(step).rule_names),
    )


def _generations(plan: Plan, number: int, made: Sequence[Made], seeds: SeedRows) -> pl.DataFrame:
    """Whence each candidate comes, and how deep it is."""
    depths: list[int] = []
    teachers: list[tuple[str, ...]] = []
    asked, known = _asked(made), seeds.ancestry
    for one in made:
        above = [known[row] for row in one.seeds if row in known]
        above += [(depths[at], teachers[at]) for at in one.made_from]
        depths.append(min(1 + max((depth for depth, _ in above), default=0), MAX_DEPTH))
        names = asked[one.attempt]
        if above:
            names = tuple(sorted({*names, *(name for _, theirs in above for name in theirs)}))
        teachers.append(names)
    recipe = plan.declared.recipe
    position = len(recipe.inputs) + len(recipe.references)
    names = [name.removesuffix(".seeds") for name in recipe.seeds()]
    own = list(recipe.inputs)[number]
    return pl.DataFrame(
        {
            "parent_input": [number] * len(made),
            "parent_row_id": range(len(made)),
            "attempt": [one.attempt for one in made],
            "depth": depths,
            "seed_input": [position + names.index(own) if own in names else None] * len(made),
            "seed_row_ids": [list(one.seeds) for one in made],
            "made_from": [list(one.made_from) for one in made],
            "teachers": [list(names) for names in teachers],
            "rejected": [one.content if one.rejection else None for one in made],
        },
        schema=GENERATIONS,
    )


def _asked(made: Sequence[Made]) -> Mapping[int, tuple[str, ...]]:
    """The models that each attempt asked for what it made."""
    found: dict[int, set[str]] = {}
    for one in made:
        names = {call.model for call in one.calls if call.purpose == "generation"}
        found.setdefault(one.attempt, set()).update(names)
    return {attempt: tuple(sorted(names)) for attempt, names in found.items()}
