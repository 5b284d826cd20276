"""The operator catalogue, written from the operators' own docstrings and fields."""

from __future__ import annotations

import inspect

from dagster_project.operators.base import Operator, RelationOperator, SplitOperator
from dagster_project.operators.registry import CHAPTERS, built_in_operators


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
        default = "required" if name in required else f"`{field.get('default')}`"
        lines.append(f"| `{name}` | {default} | {field.get('description', '')} |")
    return "\n".join([*lines, ""])


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
    if issubclass(operator, RelationOperator):
        return "relation operator: sees all rows"
    return "split operator" if issubclass(operator, SplitOperator) else "row operator"
