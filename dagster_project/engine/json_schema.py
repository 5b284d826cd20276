"""The JSON Schema of recipes, for editors that complete and check while a person types."""

from __future__ import annotations

from typing import Any

from dagster_project.operators.registry import built_in_operators
from dagster_project.recipe.model import Recipe


def recipe_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a recipe, in which a step is one operator with its parameters.

    Operators beside a recipe are not known here; they are admitted as any other name.
    """
    schema = Recipe.model_json_schema()
    definitions = schema["$defs"]
    known: dict[str, Any] = {}
    for name, operator in built_in_operators().items():
        own = operator.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{key}": value for key, value in own.pop("$defs", {}).items()}
        definitions[name] = own
        known[name] = {"anyOf": [{"$ref": f"#/$defs/{name}"}, {"type": "null"}]}
    definitions["Step"] = {
        "title": "Step",
        "description": "One operator with its parameters, and optionally a `name`.",
        "anyOf": [
            {"type": "string", "examples": sorted(known)},
            {
                "type": "object",
                "properties": {"name": {"type": "string"}, **known},
                "additionalProperties": {"type": ["object", "null"]},
                "minProperties": 1,
                "maxProperties": 2,
            },
        ],
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
