"""YAML read with positions, so that every later error can name its line."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from dagster_project.recipe.problems import DeclarationError, Problem

MAX_BYTES = 1_000_000
MAX_DEPTH = 50
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the compiled one, where it is built
PLAIN_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class YamlSource:
    """A YAML document as plain data, with the line of every key and item.

    Attributes:
        path: the file it came from.
        text: its text.
        data: mappings, sequences and scalars; aliases expanded.
    """

    path: Path
    text: str
    data: Any
    lines: dict[Location, int] = field(repr=False)

    def line(self, location: Sequence[str | int]) -> int:
        """The line (1-based) of the deepest part of `location` that the file has."""
        for end in range(len(location), -1, -1):
            if tuple(location[:end]) in self.lines:
                return self.lines[tuple(location[:end])]
        return 1

    def problem(
        self,
        location: Sequence[str | int],
        message: str,
        *,
        found: Any = None,
        allowed: Sequence[str] = (),
    ) -> Problem:
        """A problem at `location` of this file."""
        return Problem(
            file=self.path,
            line=self.line(location),
            field=".".join(str(part) for part in location),
            message=message,
            found=found,
            allowed=tuple(allowed),
        )


def read_yaml(path: Path) -> YamlSource:
    """Read a YAML file of at most 1 MB, safe tags only.

    Raises:
        DeclarationError: when the file is missing, too large, not UTF-8, not YAML, has a key
            twice in one mapping, an alias bomb or more than 50 levels.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise DeclarationError([Problem(path, 1, "", f"{size:,} bytes; at most {MAX_BYTES:,}")])
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DeclarationError(
            [Problem(path, 1, "", f"cannot be read: {error.strerror}")]
        ) from error
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DeclarationError([Problem(path, line, "", "is not UTF-8 text")]) from error
    return parse_yaml(text, path)


def parse_yaml(text: str, path: Path) -> YamlSource:
    """As `read_yaml`, from text."""
    loader = LOADER(text)
    try:
        node = loader.get_single_node()
        builder = _Builder(loader, path)
        data = builder.build(node, (), 0) if node is not None else None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).splitlines()[0]
        line = mark.line + 1 if mark else 1
        raise DeclarationError([Problem(path, line, "", f"is not YAML: {what}")]) from error
    except RecursionError as error:
        raise DeclarationError([Problem(path, 1, "", "is nested too deeply")]) from error
    finally:
        loader.dispose()
    if builder.problems:
        raise DeclarationError(builder.problems)
    return YamlSource(path, text, data, builder.lines)


class _Builder:
    def __init__(self, loader: Any, path: Path) -> None:
        self.loader = loader
        self.path = path
        self.lines: dict[Location, int] = {(): 1}
        self.problems: list[Problem] = []
        self.nodes = 0

    def build(self, node: yaml.Node, location: Location, depth: int) -> Any:
        self.nodes += 1
        self.lines.setdefault(location, node.start_mark.line + 1)
        if depth > MAX_DEPTH or self.nodes > 100_000:
            raise yaml.MarkedYAMLError(
                problem="nested too deeply or expands too far", problem_mark=node.start_mark
            )
        if isinstance(node, yaml.CollectionNode) and node.tag not in PLAIN_TAGS:
            raise yaml.MarkedYAMLError(
                problem=f"the tag {node.tag} is not allowed", problem_mark=node.start_mark
            )
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, location, depth)
        if isinstance(node, yaml.SequenceNode):
            return [
                self.build(item, (*location, index), depth + 1)
                for index, item in enumerate(node.value)
            ]
        value = self.loader.construct_object(node)
        return value if isinstance(value, str | int | float | bool | None) else str(node.value)

    def _mapping(self, node: yaml.MappingNode, location: Location, depth: int) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = self.loader.construct_object(key_node)
            line = key_node.start_mark.line + 1
            if not isinstance(key, Hashable) or isinstance(key, tuple) or key is None:
                self.problems.append(
                    Problem(self.path, line, ".".join(map(str, location)), "a key must be a name")
                )
                continue
            key = key if isinstance(key, str) else str(key_node.value)
            here = (*location, key)
            if key in mapping:
                self.problems.append(
                    Problem(
                        self.path,
                        line,
                        ".".join(map(str, here)),
                        f"appears twice; first on line {self.lines[here]}",
                    )
                )
                continue
            self.lines[here] = line
            mapping[key] = self.build(value_node, here, depth + 1)
        return mapping
