"""pydantic's errors as problems at their lines."""

from __future__ import annotations

import typing
from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from dagster_project.recipe.problems import Problem
from dagster_project.recipe.yaml_source import YamlSource

WORDS = {
    "tuple_type": "a list is expected, such as `[a, b]`",
    "list_type": "a list is expected, such as `[a, b]`",
    "dict_type": "a mapping is expected, such as `{a: b}`",
    "string_type": "text is expected; write it in quotes",
    "int_type": "a whole number is expected",
    "int_parsing": "a whole number is expected",
    "int_from_float": "a whole number is expected",
    "float_type": "a number is expected",
    "float_parsing": "a number is expected",
    "bool_type": "true or false is expected",
    "bool_parsing": "true or false is expected",
    "too_short": "must have {min_length} or more",
    "string_too_short": "must not be empty",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be {le} or less",
}
"""What pydantic finds, by its type, as a person who writes YAML would say it."""


def problems_of(
    error: ValidationError, model: type[BaseModel], source: YamlSource, at: Sequence[str | int] = ()
) -> list[Problem]:
    """pydantic's errors as problems at their lines in `source`.

    Args:
        error: what pydantic raised.
        model: the model that was validated, to tell which fields it allows.
        source: the file the data came from.
        at: where in the file the validated data stands.
    """
    problems = []
    for item in error.errors(include_url=False):
        location = tuple(part for part in item["loc"] if isinstance(part, str | int))
        kind, found = item["type"], item.get("input")
        message, allowed = item["msg"], ()
        if kind in WORDS:
            message = WORDS[kind].format(**item.get("ctx", {}))
        if kind == "extra_forbidden":
            message, found = "unknown field", location[-1]
            allowed = tuple(_fields(model, location[:-1]))
        elif kind == "missing":
            message, found = "is required", None
            allowed = tuple(_values(model, location))
        elif kind == "literal_error":
            message = "not an allowed value"
            expected = (item.get("ctx") or {}).get("expected", "")
            allowed = tuple(part.strip(" '") for part in expected.replace(" or ", ",").split(","))
        elif kind in ("value_error", "assertion_error"):
            message = message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
        shown = found if isinstance(found, str | int | float | bool) else None
        branches = {branch.__name__ for branch in _branches(model)}
        full = (*at, *(part for part in location if part not in branches))
        problems.append(source.problem(full, message, found=shown, allowed=allowed))
    return problems


def _fields(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The field names allowed at `location` below `model`."""
    candidates = _models_at(model, location)
    return [f.alias or name for name, f in candidates[0].model_fields.items()] if candidates else []


def _values(model: type[BaseModel], location: Sequence[str | int]) -> list[str]:
    """The values of the field at `location` below `model`, where they are few and known."""
    fields = (
        field
        for candidate in _models_at(model, location[:-1])
        for name, field in candidate.model_fields.items()
        if location and location[-1] in (name, field.alias)
    )
    found = next(fields, None)
    if found is None or typing.get_origin(found.annotation) is not typing.Literal:
        return []
    return [str(value) for value in typing.get_args(found.annotation)]


def _models_at(model: type[BaseModel], location: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that may stand at `location` below `model`."""
    candidates = [model]
    for part in location:
        named = [candidate for candidate in candidates if candidate.__name__ == part]
        fields = [
            field
            for candidate in candidates
            for name, field in candidate.model_fields.items()
            if part in (name, field.alias)
        ]
        if named:
            candidates = named
        elif fields:
            candidates = list(_models(fields[0].annotation))
    return candidates


def _branches(model: type[BaseModel]) -> Iterable[type[BaseModel]]:
    """Every model below `model`; pydantic puts the names of union branches into locations."""
    for field in model.model_fields.values():
        for branch in _models(field.annotation):
            yield branch
            yield from _branches(branch)


def _models(annotation: Any) -> Iterable[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)
