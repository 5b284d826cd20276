"""All operators by name: the package's own, and those in Python files beside recipes."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import ModuleType

from dagster_project import operators
from dagster_project.errors import SeedbedError
from dagster_project.operators.base import (
    Operator,
    RelationOperator,
    RowOperator,
    SplitOperator,
)
from dagster_project.operators.generator import Generator
from dagster_project.workspace_code import unrun_module

KINDS = (RowOperator, SplitOperator, RelationOperator, Generator)
CHAPTERS = ("acquire", "curate", "synthesize", "process", "verify")


class OperatorFileBroken(SeedbedError):
    """A Python file beside a recipe that cannot be loaded."""


class _BuiltIn(Mapping[str, type[Operator]]):
    """The package's operators. Asked for one name, only the module of that name is imported: a recipe
    names few of them."""

    def __getitem__(self, name: str) -> type[Operator]:
        for chapter, module in _modules():
            if module == name:
                return _imported(chapter, module)[name]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return any(
            module == name and name in _imported(chapter, module) for chapter, module in _modules()
        )

    def __iter__(self) -> Iterator[str]:
        for chapter, module in _modules():
            yield from _imported(chapter, module)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def built_in_operators() -> Mapping[str, type[Operator]]:
    """The package's operators by name, in the order of chapters and names. Each is in a module of its
    own, which has its name."""
    return _BuiltIn()


@cache
def _modules() -> list[tuple[str, str]]:
    """All modules of the chapters; some hold what operators share."""
    root = Path(operators.__path__[0])
    return [
        (chapter, module)
        for chapter in CHAPTERS
        for module in sorted(item.name for item in pkgutil.iter_modules([str(root / chapter)]))
    ]


@cache
def _imported(chapter: str, module: str) -> Mapping[str, type[Operator]]:
    imported = importlib.import_module(f"{operators.__name__}.{chapter}.{module}")
    found = {operator.operator_name(): operator for operator in operators_of(imported)}
    for name in found:
        if name != module:
            raise TypeError(f"{imported.__name__}: the module of {name} must have its name")
    return found


def operators_beside(folder: Path) -> Mapping[str, type[Operator]]:
    """Operators defined in the Python files of a recipe's folder.

    Only files that name `dagster_project.operators` are loaded.

    Raises:
        OperatorFileBroken: when a file cannot be imported, naming file and line.
    """
    found: dict[str, type[Operator]] = {}
    for path in sorted(folder.glob("*.py")):
        content = path.read_bytes()
        if b"dagster_project.operators" in content:
            for operator in operators_of(_load(path, content)):
                found[operator.operator_name()] = operator
    return found


def operators_of(module: ModuleType) -> Iterator[type[Operator]]:
    """The operators a module defines itself."""
    for value in vars(module).values():
        if (
            isinstance(value, type)
            and issubclass(value, KINDS)
            and value.__module__ == module.__name__
            and not value.__name__.startswith("_")
        ):
            yield value


@cache
def _load(path: Path, content: bytes) -> ModuleType:
    name = f"seedbed_workspace_{hashlib.sha256(content).hexdigest()[:16]}"
    module = unrun_module(name, path, content)
    assert module.__spec__ is not None and module.__spec__.loader is not None
    sys.modules[name] = module
    try:
        module.__spec__.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        line = error.__traceback__.tb_next.tb_lineno if _inner(error) else 1  # pyright: ignore
        raise OperatorFileBroken(
            f"{path}:{line}: cannot be loaded: {type(error).__name__}: {error}"
        ) from error
    return module


def _inner(error: Exception) -> bool:
    return error.__traceback__ is not None and error.__traceback__.tb_next is not None
