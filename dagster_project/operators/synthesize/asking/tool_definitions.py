"""Definitions of tools that a model may call, and what is wrong with a call."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import polars as pl

from dagster_project.errors import SeedbedError

UNKNOWN_TOOL, MISSING_ARGUMENT = "unknown_tool", "missing_argument"
WRONG_ARGUMENT = "wrong_argument"

MOST_DEPTH = 60
"""How deep a schema may be nested."""


class ToolsBroken(SeedbedError):
    """Definitions of tools that are none, with what is wrong."""


@dataclass(frozen=True)
class Tools:
    """Tools.

    Attributes:
        definitions: in OpenAI's form.
    """

    definitions: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, given: Iterable[Any]) -> Tools:
        """Tools from definitions in OpenAI's form, or their inner parts.

        Raises:
            ToolsBroken: when one is none, has a schema that is none, or two have one name.
        """
        definitions = tuple(_definition(one) for one in given)
        if not definitions:
            raise ToolsBroken("there are no tools")
        names = [definition["function"]["name"] for definition in definitions]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ToolsBroken(f"two tools are called {twice!r}")
        return cls(definitions)

    @classmethod
    def from_json(cls, text: str) -> Tools:
        """Tools from a JSON list of definitions.

        Raises:
            ToolsBroken: as `of` does, and when it is no such JSON.
        """
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ToolsBroken(f"this is no JSON: {error}") from None
        if not isinstance(given, list):
            raise ToolsBroken("tools are a list of definitions")
        return cls.of(given)

    def as_json(self) -> str:
        """The definitions as a JSON list."""
        return json.dumps(self.definitions, ensure_ascii=False)

    def schemas(self) -> dict[str, Any]:
        """The schemas of arguments by name of tool."""
        return {
            one["function"]["name"]: one["function"].get("parameters") or {"type": "object"}
            for one in self.definitions
        }

    def calls_schema(self, most: int) -> dict[str, Any]:
        """The schema of a JSON answer that calls at most so many of them."""
        call = [
            {
                "type": "object",
                "properties": {"name": {"type": "string", "enum": [name]}, "arguments": schema},
                "required": ["name", "arguments"],
                "additionalProperties": False,
            }
            for name, schema in self.schemas().items()
        ]
        calls = {"type": "array", "items": {"anyOf": call}, "maxItems": most}
        return {
            "type": "object",
            "properties": {"calls": calls},
            "required": ["calls"],
            "additionalProperties": False,
        }


def wrong_call(call: Mapping[str, Any], tools: Tools) -> tuple[str, str, str] | None:
    """What is wrong with a call: a rule, what was found, what is wanted; None for a valid call.

    Args:
        call: `name` and `arguments`.
        tools: that may be called.
    """
    schemas = tools.schemas()
    name = call.get("name")
    if name not in schemas:
        return UNKNOWN_TOOL, str(name), f"one of {', '.join(schemas)}"
    arguments = call.get("arguments")
    if not isinstance(arguments, Mapping):
        return WRONG_ARGUMENT, f"{name}: arguments are {type(arguments).__name__}", "an object"
    from jsonschema.exceptions import best_match

    try:
        errors = list(_validator()(_closed(schemas[name])).iter_errors(dict(arguments)))
    except Exception as error:  # of schemas that refer to what is not there, or to themselves
        return WRONG_ARGUMENT, f"{name}: {type(error).__name__}: {error}"[:300], "a usable schema"
    missing = [error for error in errors if error.validator == "required"]
    if missing:
        return MISSING_ARGUMENT, f"{name}: {missing[0].message}"[:300], "all required arguments"
    if errors:
        worst = best_match(errors)
        where = "/".join(map(str, worst.absolute_path))
        return WRONG_ARGUMENT, f"{name}: {where}: {worst.message}"[:300], "as the schema says"
    return None


@cache
def _validator() -> Any:
    """Draft 2020-12 that fetches nothing, and matches patterns in linear time."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend
    from referencing import Registry

    def pattern(validator: Any, wanted: Any, value: Any, schema: Any) -> Iterator[Any]:
        if isinstance(value, str) and isinstance(wanted, str):
            try:
                fits = pl.Series([value]).str.contains(wanted).item()
            except pl.exceptions.PolarsError:
                return
            if not fits:
                yield ValidationError(f"{value!r} does not match {wanted!r}")

    def no_pattern_properties(*_: Any) -> Iterator[Any]:
        yield from ()

    kind = extend(
        Draft202012Validator, {"pattern": pattern, "patternProperties": no_pattern_properties}
    )
    return lambda schema: kind(schema, registry=Registry())


def _definition(given: Any) -> Mapping[str, Any]:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    if not isinstance(given, Mapping):
        raise ToolsBroken(f"a tool is an object, and not {type(given).__name__}")
    function = given.get("function", given)
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str):
        raise ToolsBroken("a tool has no `name`")
    name, schema = function["name"], function.get("parameters")
    if _depth(schema) > MOST_DEPTH:
        raise ToolsBroken(f"tool {name!r}: its schema is nested deeper than {MOST_DEPTH}")
    if schema is not None:
        if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
            raise ToolsBroken(f"tool {name!r}: `parameters` is a JSON schema of an object")
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            raise ToolsBroken(f"tool {name!r}: {error.message}"[:300]) from None
    return {"type": "function", "function": dict(function)}


def _closed(schema: Any) -> Any:
    """A schema in which objects with named properties have no others, unless it says so."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, Mapping):
        return schema
    if "enum" in schema or "const" in schema:
        return schema
    closed = {key: _closed(value) for key, value in schema.items()}
    combined = {"anyOf", "allOf", "oneOf", "if", "$ref", "patternProperties"} & set(schema)
    if "properties" in schema and "additionalProperties" not in schema and not combined:
        closed["additionalProperties"] = False
    return closed


def _depth(value: Any) -> int:
    """How deep lists and objects are nested."""
    deepest, waiting = 0, [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        deepest = max(deepest, depth)
        if depth > MOST_DEPTH:
            break
        inner = item.values() if isinstance(item, Mapping) else item
        if isinstance(inner, list | tuple) or isinstance(item, Mapping):
            waiting.extend((one, depth + 1) for one in inner)
    return deepest
