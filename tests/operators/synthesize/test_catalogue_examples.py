"""Every generator's example in the catalogue is an input of a recipe."""

from __future__ import annotations

import inspect

import pytest
import yaml

from dagster_project.operators.generator import Generator
from dagster_project.operators.registry import built_in_operators
from dagster_project.recipe.model import GeneratedInput

NAMES = (
    *("paraphrase_text", "back_translate", "translate_text", "instruct_from_seeds"),
    *("instruct_from_topics", "evolve_instruction", "reverse_instruction", "ask_document"),
    *("instruct_from_personas", "distill_answers", "reason_step_by_step"),
)


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_an_input(name: str) -> None:
    operator = built_in_operators()[name]
    assert issubclass(operator, Generator)
    example = (inspect.getdoc(operator) or "").partition("Example:\n")[2].partition("\n\n")[0]
    declared = GeneratedInput.model_validate(yaml.safe_load(example))
    assert declared.generate.operator == name
    generator = operator.model_validate(declared.generate.parameters)
    assert (declared.seeds is not None) is (generator.seeds() > 0)
    assert generator.models()
    again = operator.model_validate_json(generator.model_dump_json())
    assert again.model_dump(mode="json") == generator.model_dump(mode="json")


@pytest.mark.parametrize("name", NAMES)
def test_rules_have_names_of_their_own_and_are_explained(name: str) -> None:
    operator = built_in_operators()[name]
    assert issubclass(operator, Generator)
    assert len(set(operator.rule_names)) == len(operator.rule_names)
    assert all(f"`{rule}`" in (operator.__doc__ or "") for rule in operator.rule_names)
