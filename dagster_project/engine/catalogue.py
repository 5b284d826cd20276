"""The operator catalogue, written from the operators' own docstrings and fields."""

from __future__ import annotations

import inspect
from typing import Any

from dagster_project.operators.base import Operator, RelationOperator, SplitOperator
from dagster_project.operators.calling import CallingOperator
from dagster_project.operators.generator import Generator
from dagster_project.operators.registry import CHAPTERS, built_in_operators

LONGEST = 120


def first_line(operator: type[Operator]) -> str:
    """What it does: its first sentence, in a line."""
    return " ".join((inspect.getdoc(operator) or "").partition("\n\n")[0].split())


def catalogue_entry(operator: type[Operator]) -> str:
    """Markdown: what it does, its parameters with types and defaults."""
    schema = operator.model_json_schema()
    lines = [f"### `{operator.operator_name()}`", "", f"*{_kind(operator)}*", ""]
    lines += [inspect.getdoc(operator) or "", ""]
    required = set(schema.get("required", ()))
    if schema.get("properties"):
        lines += ["| parameter | default | meaning |", "|---|---|---|"]
    for name, field in schema.get("properties", {}).items():
        default = "required" if name in required else _default(field.get("default"))
        lines.append(f"| `{name}` | {default} | {field.get('description', '')} |")
    return "\n".join([*lines, ""])


def _default(value: Any) -> str:
    """A default as it fits in a cell: long ones, such as prompts, are in the code."""
    text = str(value)
    return f"`{text}`" if len(text) <= LONGEST and "\n" not in text else "in the code"


def catalogue() -> str:
    """Markdown of all operators, by chapter."""
    parts = ["# Operators", "", "Written from the operators' docstrings by `make docs`.", ""]
    for chapter in CHAPTERS:
        entries = [
            operator
            for operator in built_in_operators().values()
            if f".operators.{chapter}." in operator.__module__
        ]
        if entries:
            parts += [f"## {chapter.capitalize()}", ""]
            parts += [catalogue_entry(operator) for operator in entries]
    return "\n".join(parts)


def _kind(operator: type[Operator]) -> str:
    if issubclass(operator, Generator):
        return f"generator: makes rows; {operator.origin}"
    if issubclass(operator, RelationOperator):
        return "relation operator: sees all rows"
    if issubclass(operator, CallingOperator):
        return "row operator that makes calls"
    return "split operator" if issubclass(operator, SplitOperator) else "row operator"
