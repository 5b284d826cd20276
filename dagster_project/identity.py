"""Identities: stable digests of declared things and of code.

A digest depends on what is declared and on nothing else: not on the machine, path, locale, time
zone, thread count or hash seed.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent


def canonical_json(value: Any) -> str:
    """`value` as JSON with sorted keys, no spaces and no escapes beyond the required ones.

    Raises:
        TypeError: for a value JSON has no word for.
        ValueError: for NaN and infinities.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """sha256 (hex) of a file's bytes, read in bounded memory."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def code_digest(source: Path) -> str:
    """sha256 (hex) over a Python file and every module of this package's operators it imports.

    So that a change in shared operator code changes the identity of each operator that uses it.
    Line endings do not count.
    """
    seen: dict[str, str] = {}
    waiting = [source.resolve()]
    while waiting:
        path = waiting.pop()
        name = path.relative_to(PACKAGE).as_posix() if path.is_relative_to(PACKAGE) else path.name
        if name in seen:
            continue
        text, imported = _code(path, path.stat().st_mtime_ns)
        seen[name] = text
        waiting.extend(imported)
    return digest(seen)


@cache
def _code(path: Path, _modified: int) -> tuple[str, tuple[Path, ...]]:
    text = path.read_text("utf-8").replace("\r\n", "\n")
    return hashlib.sha256(text.encode()).hexdigest(), tuple(_operator_imports(ast.parse(text)))


def _operator_imports(tree: ast.AST) -> Iterable[Path]:
    for node in ast.walk(tree):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            modules = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for module in modules:
            if module.startswith("dagster_project.operators."):
                path = PACKAGE.joinpath(*module.split(".")[1:]).with_suffix(".py")
                if path.is_file():
                    yield path


@cache
def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed versions of the named distributions, for identities that depend on them."""
    return {name: version(name) for name in names}
