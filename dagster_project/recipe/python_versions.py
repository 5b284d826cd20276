"""Versions declared in Python: files below `assets/` in which `declare` is called.

::

    from dagster_project.recipe.python_versions import declare

    for language in ("en", "fr"):
        declare(
            f"my_dataset/{language}",
            description=f"rows in {language}",
            phase="sft",
            inputs={"rows": {"files": f"data/{language}.jsonl"}},
        )
"""

from __future__ import annotations

import inspect
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dagster_project.recipe.loading import DeclaredVersion
from dagster_project.recipe.model import Recipe
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.workspace import VersionName, Workspace
from dagster_project.workspace_code import unrun_module

_declared: ContextVar[list[DeclaredVersion]] = ContextVar("declared")


def declare(name: str, **fields: Any) -> DeclaredVersion:
    """Declare a version with the fields of a recipe.

    Args:
        name: `dataset/version`.
        fields: as in a recipe file; steps as `{operator: {parameter: value}}`.

    Raises:
        DeclarationError: when a field is wrong.
        NameRefused: when the name cannot be used.
    """
    frame = inspect.stack()[1]
    path = Path(frame.filename)
    try:
        recipe = Recipe.model_validate(fields)
    except ValidationError as error:
        raise DeclarationError(
            Problem(path, frame.lineno, ".".join(map(str, item["loc"])), item["msg"])
            for item in error.errors()
        ) from error
    version = DeclaredVersion(VersionName.parse(name), recipe, path.parent)
    _declared.get([]).append(version)
    return version


def python_versions(
    workspace: Workspace,
) -> tuple[list[DeclaredVersion], dict[str, list[Problem]]]:
    """The versions that Python files below `assets/` declare, and the problems of files that
    cannot be run, by what names them in the UI."""
    versions: list[DeclaredVersion] = []
    problems: dict[str, list[Problem]] = {}
    for path in sorted(workspace.assets.glob("*/*.py")):
        if b"dagster_project.recipe.python_versions" not in path.read_bytes():
            continue
        label = f"{path.parent.name}/{path.stem}"
        token = _declared.set(versions)
        try:
            _run(path)
        except DeclarationError as error:
            problems[label] = error.problems
        except Exception as error:
            inner = error.__traceback__.tb_next if error.__traceback__ else None
            while inner is not None and Path(inner.tb_frame.f_code.co_filename) != path:
                inner = inner.tb_next
            line = inner.tb_lineno if inner else getattr(error, "lineno", None) or 1
            message = f"cannot be run: {type(error).__name__}: {error}"
            problems[label] = [Problem(path, line, "", message)]
        finally:
            _declared.reset(token)
    return versions, problems


def _run(path: Path) -> None:
    name = f"seedbed_versions_{path.parent.name}_{path.stem}"
    module = unrun_module(name, path, path.read_bytes())
    assert module.__spec__ is not None and module.__spec__.loader is not None
    sys.modules[name] = module
    try:
        module.__spec__.loader.exec_module(module)
    finally:
        del sys.modules[name]
