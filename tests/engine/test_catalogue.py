"""What is generated from the code is what is committed; `make docs` writes it again."""

from __future__ import annotations

import json
from pathlib import Path

from dagster_project.engine.catalogue import catalogue
from dagster_project.engine.json_schema import recipe_schema
from dagster_project.operators.registry import built_in_operators

ROOT = Path(__file__).parents[2]


def test_the_operator_catalogue_is_current() -> None:
    assert (ROOT / "docs/operators.md").read_text() == catalogue()


def test_the_recipe_schema_is_current_and_knows_every_operator() -> None:
    schema = json.loads((ROOT / "assets/recipe.schema.json").read_text())
    assert schema == recipe_schema()
    assert set(built_in_operators()) <= set(schema["$defs"])
