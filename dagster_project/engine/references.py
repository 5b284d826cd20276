"""Makes the steps of a plan ready to run: shows each the rows of the references and the files it reads.

What was read is part of the identity of a step's results.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from dagster_project.engine.batch import PARENT
from dagster_project.engine.inputs import OpenInput
from dagster_project.engine.plan import Compared, Plan, PlannedStep, RunStopped, Stage
from dagster_project.identity import file_digest
from dagster_project.recipe.problems import no_such
from dagster_project.workspace import Workspace


def ready(plan: Plan, references: Sequence[OpenInput], workspace: Workspace) -> Plan:
    """The plan, with every step ready to run.

    Raises:
        RunStopped: when a reference does not have a column that a step needs, or a file is missing.
    """
    opened = {reference.name: reference for reference in references}

    def step(planned: PlannedStep) -> PlannedStep:
        operator = planned.operator
        wanted = operator.references()
        files = {name: workspace.root / name for name in operator.files()}
        if not wanted and not files:
            return planned
        for name, path in files.items():
            if not path.is_file():
                raise RunStopped(f"step {planned.name}: there is no file {name}")
        rows = {name: _rows(planned, opened[name], columns) for name, columns in wanted.items()}
        return replace(
            planned,
            operator=operator.prepared(rows, files),
            compared=tuple(
                Compared(name, opened[name].number, opened[name].reference.content_id)
                for name in wanted
            ),
            files=tuple((name, file_digest(path)) for name, path in files.items()),
        )

    def stages(planned: Sequence[Stage]) -> tuple[Stage, ...]:
        return tuple(Stage(tuple(map(step, stage.steps))) for stage in planned)

    return replace(
        plan,
        generators={name: step(made_by) for name, made_by in plan.generators.items()},
        input_stages={name: stages(own) for name, own in plan.input_stages.items()},
        stages=stages(plan.stages),
    )


def _rows(step: PlannedStep, reference: OpenInput, columns: Sequence[str]) -> pl.DataFrame:
    """The columns of a reference, and the number of each row."""
    for column in columns:
        if column not in reference.schema:
            raise RunStopped(
                f"step {step.name}: "
                + no_such("column", column, reference.schema, f" in reference {reference.name}")
            )
    number = pl.col(PARENT).alias("row")
    empty = pl.DataFrame(
        schema={"row": pl.Int64, **{name: reference.schema[name] for name in columns}}
    )
    chunks = [chunk.load().select(number, *columns) for chunk in reference.chunks]
    return pl.concat([empty, *chunks], rechunk=True)
