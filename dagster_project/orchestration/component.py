"""A recipe as a Dagster component, so that a version can be declared in any `dg` project."""

from typing import Any

import dagster as dg
from pydantic import BaseModel, Field, field_validator

from dagster_project.engine.plan import plan
from dagster_project.orchestration.version_asset import version_asset
from dagster_project.quality.suite import load_suites, resolve_checks
from dagster_project.recipe.loading import DeclaredVersion
from dagster_project.recipe.model import Recipe
from dagster_project.workspace import NameRefused, VersionName, Workspace


class _Attributes(Recipe):
    """A recipe, with the version's name, which a recipe file has in its path."""

    name: str = Field(description="`dataset/version`.")

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        try:
            return str(VersionName.parse(value))
        except NameRefused as error:
            raise ValueError(str(error)) from error


class DatasetVersion(dg.Component):
    """A dataset version, declared with the fields of a recipe and its `name`.

    Python files are looked for beside the component's YAML; inputs, suites and the store are those
    of the `dg` project's root folder.
    """

    def __init__(self, attributes: _Attributes) -> None:
        self.attributes = attributes

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """The fields."""
        return _Attributes

    @classmethod
    def load(cls, attributes: Any, context: dg.ComponentLoadContext) -> "DatasetVersion":
        """From validated fields."""
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """The version's asset and checks.

        Raises:
            DeclarationError: when an operator, parameter or check is wrong.
        """
        workspace = Workspace(context.project_root)
        recipe = Recipe.model_validate(self.attributes.model_dump(exclude={"name"}))
        declared = DeclaredVersion(VersionName.parse(self.attributes.name), recipe, context.path)
        checks = resolve_checks(declared, load_suites(workspace))
        return dg.Definitions(assets=[version_asset(plan(declared), checks, workspace)])
