"""What everything that is declared in YAML has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from dagster_project.workspace import NameRefused, VersionName


class Declared(BaseModel):
    """Base of everything a recipe declares: fixed once read, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def version_name(value: str) -> str:
    """A version's name, if it is one.

    Raises:
        ValueError: saying what is wrong with it.
    """
    try:
        return str(VersionName.parse(value))
    except NameRefused as error:
        raise ValueError(str(error)) from error
