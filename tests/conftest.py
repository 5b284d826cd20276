"""Small real workspaces for tests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from dagster_project.engine.plan import plan
from dagster_project.quality.gate import Outcome, materialize
from dagster_project.quality.suite import load_suites, resolve_checks
from dagster_project.recipe.loading import load_recipes
from dagster_project.recipe.problems import DeclarationError
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace

settings.register_profile("seedbed", deadline=None, derandomize=True)
settings.load_profile("seedbed")

HEADER = "description: test rows\nphase: sft\n"


@dataclass(frozen=True)
class Space:
    """A workspace in a temporary folder, and what tests do with it."""

    root: Path

    @property
    def workspace(self) -> Workspace:
        """The workspace."""
        return Workspace(self.root)

    @property
    def store(self) -> Store:
        """Its store."""
        return Store(self.workspace.store)

    def recipe(self, name: str, body: str) -> None:
        """Write a recipe; description and phase are added."""
        path = self.root / "assets" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEADER + body)

    def suite(self, name: str, body: str) -> None:
        """Write an expectation suite."""
        path = self.root / "checks" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)

    def jsonl(self, name: str, rows: Iterable[Mapping[str, Any] | str]) -> Path:
        """Write a JSONL file; strings are written as they are."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    def publish(
        self, name: str, say: Callable[[str], None] = lambda _: None, sample: int | None = None
    ) -> Outcome:
        """Materialize a version without Dagster."""
        recipes = load_recipes(self.workspace)
        if name in recipes.problems:
            raise DeclarationError(recipes.problems[name])
        declared = recipes.versions[VersionName.parse(name)]
        checks = resolve_checks(declared, load_suites(self.workspace))
        return materialize(
            plan(declared), checks, self.workspace, self.store, sample=sample, say=say
        )


@pytest.fixture
def space(tmp_path: Path) -> Space:
    """An empty workspace."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "workspace.yaml").write_text("load_from: []\n")
    return Space(tmp_path)
