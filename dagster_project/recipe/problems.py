"""What is wrong with a declaration, said so that a person can mend it."""

from __future__ import annotations

import difflib
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from dagster_project.errors import SeedbedError

if TYPE_CHECKING:
    from dagster_project.recipe.yaml_source import YamlSource


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file: where, what was found, what is allowed."""

    file: Path
    line: int
    field: str
    message: str
    found: Any = None
    allowed: tuple[str, ...] = ()

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}"
        parts = [f"{where}: {self.field}: {self.message}" if self.field else f"{where}: {self.message}"]
        if self.found is not None:
            text = repr(self.found)
            parts.append(f"found {text if len(text) <= 80 else text[:77] + '…'}")
            near = nearest(self.found, self.allowed)
            if near:
                parts.append(f"did you mean {near!r}?")
        if self.allowed:
            shown = list(self.allowed[:30])
            more = len(self.allowed) - len(shown)
            parts.append(f"allowed: {', '.join(shown)}" + (f" and {more} more" if more else ""))
        return "; ".join(parts)


class DeclarationError(SeedbedError):
    """A recipe or suite that cannot be used, with all its problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def nearest(found: Any, allowed: Iterable[str]) -> str | None:
    """The allowed name closest to what was found, if one is close."""
    close = difflib.get_close_matches(str(found).lower(), list(allowed), n=1, cutoff=0.55)
    return close[0] if close else None


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
        if kind == "extra_forbidden":
            message, found = "unknown field", location[-1]
            allowed = tuple(_fields(model, location[:-1]))
        elif kind == "missing":
            message, found = "is required", None
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
    return [f.alias or name for name, f in candidates[0].model_fields.items()] if candidates else []


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
