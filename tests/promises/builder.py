"""A process that materializes versions of a workspace; tests kill it, or run many at once."""

from __future__ import annotations

import sys
from pathlib import Path

from dagster_project.engine.plan import plan
from dagster_project.quality.gate import materialize
from dagster_project.quality.suite import load_suites, resolve_checks
from dagster_project.recipe.loading import load_recipes
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace


def main(root: Path, names: list[str]) -> None:
    """Materialize each named version, and print its ids."""
    workspace = Workspace(root)
    recipes = load_recipes(workspace)
    for name in names:
        declared = recipes.versions[VersionName.parse(name)]
        checks = resolve_checks(declared, load_suites(workspace))
        outcome = materialize(plan(declared), checks, workspace, Store(workspace.store))
        manifest = outcome.manifest
        print(manifest.recipe_id, manifest.build_id, manifest.content_id, manifest.rows, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
