"""A recipe materialized by Seedbed as a whole process: rows are landed in a cold store and the snapshot
is published with all provenance; it begins and ends as the command does.
`python -m benchmarks.building RECIPE FOLDER`."""

from __future__ import annotations

import atexit
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dagster_project.cli import end_quickly
from dagster_project.engine.collection import collected_seldom

if TYPE_CHECKING:
    import polars as pl

    from benchmarks.measuring import Program

HEAD = "description: benchmark rows\nphase: pretrain\n"


def program(corpus: Path, steps: str, folder: Path) -> Program:
    """The program that materializes a recipe of these steps, a line of YAML each, over a corpus."""
    indented = "\n".join(f"  - {step}" for step in steps.splitlines())
    return materializing(
        f"inputs:\n  rows: {{files: {corpus.resolve()}}}\nsteps:\n{indented}\n", folder
    )


def materializing(declared: str, folder: Path) -> Program:
    """The program that materializes a recipe of which this is declared, as YAML."""
    from benchmarks.measuring import Program

    folder.parent.mkdir(parents=True, exist_ok=True)
    recipe = folder.parent / f"{folder.name}.yaml"
    recipe.write_text(HEAD + declared)
    arguments = ["-m", "benchmarks.building", str(recipe), str(folder)]
    return Program(arguments, folder=folder)


def published(folder: Path, *columns: str) -> pl.DataFrame:
    """Columns of the rows that the program published."""
    from dagster_project.warehouse.connect import open_snapshot
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    store = Store(Workspace(folder).store)
    with open_snapshot(store, VersionName("bench", "v1")) as connection:
        return connection.sql(f"SELECT {', '.join(columns)} FROM snapshot.rows").pl()


def build(recipe: Path, folder: Path) -> None:
    """Materialize a recipe."""
    from dagster_project.engine.plan import plan
    from dagster_project.quality.gate import materialize
    from dagster_project.recipe.loading import read_recipe
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    workspace, name = Workspace(folder), VersionName("bench", "v1")
    materialize(plan(read_recipe(recipe, name)), [], workspace, Store(workspace.store))


if __name__ == "__main__":
    atexit.register(end_quickly)
    with collected_seldom():
        build(Path(sys.argv[1]), Path(sys.argv[2]))
