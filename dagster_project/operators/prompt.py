"""Prompts: Jinja templates that a recipe may replace."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import AfterValidator

from dagster_project.operators.base import OperatorMisuse


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True, lstrip_blocks=True
    )


@cache
def _parsed(template: str) -> Template:
    return _environment().from_string(template)


def _well_formed(template: str) -> str:
    try:
        _parsed(template)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise ValueError(
            "this is no Jinja template" + (f": line {line}" if line else "") + f": {error}"
        ) from None
    return template


Prompt = Annotated[str, AfterValidator(_well_formed)]
"""A field that holds a Jinja template, refused where it is none."""


def rendered(template: str, **values: Any) -> str:
    """A prompt, filled in.

    Raises:
        OperatorMisuse: when it uses a name that it is not given, naming those that it is.
    """
    try:
        return _parsed(template).render(values)
    except TemplateError as error:
        raise OperatorMisuse(
            f"a prompt cannot be filled in: {error}; it may use {', '.join(sorted(values))}"
        ) from None
