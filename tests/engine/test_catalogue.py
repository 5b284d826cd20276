"""What is generated from the code is what is committed; `make docs` writes it again."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

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


@pytest.mark.parametrize(
    "path", sorted((ROOT / "assets").glob("*/*.yaml")), ids=lambda path: path.stem
)
def test_an_editor_that_checks_by_the_schema_takes_the_examples(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(recipe_schema())
    assert [
        error.message for error in validator.iter_errors(yaml.safe_load(path.read_text()))
    ] == []
