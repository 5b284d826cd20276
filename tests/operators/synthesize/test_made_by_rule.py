"""What holds for all generators that ask no model: the same chance gives the same rows, of the types that
they say, whatever the seeds hold, and there are as many attempts as they say."""

from __future__ import annotations

import asyncio
import inspect
from random import Random
from typing import Any

import polars as pl
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.operators.generator import Candidate, Generator
from dagster_project.operators.registry import built_in_operators
from dagster_project.operators.synthesize.degrade_answer import DegradeAnswer
from dagster_project.operators.synthesize.fill_templates import FillTemplates
from dagster_project.operators.synthesize.mutate_code import MutateCode
from dagster_project.operators.synthesize.perturb_text import KINDS, PerturbText
from dagster_project.recipe.model import GeneratedInput

NAMES = ("fill_templates", "perturb_text", "mutate_code", "degrade_answer")

SCHEMA = pl.Schema(
    {
        "text": pl.String(),
        "chat": pl.List(pl.Struct({"role": pl.String(), "content": pl.String()})),
        "number": pl.Float64(),
    }
)

ODD = st.one_of(
    st.none(),
    st.text(max_size=60),
    st.sampled_from(
        [
            "",
            " \n",
            "१२ நான் 🏳️‍🌈 ﷽ a\u0301e\u0301 İstanbul ß",
            "```\ncode 1\n",
            "`a` $x$ {b} <c> https://d.example/1 e@f.example 7",
            "Ann met Bo. Then Bo, 12, left! Why? 3.5 apples (Mr. X).",
            "def f(x):\n    return x + 1\n",
            "def f(a, b):\r\n\tif a < b: return g(a, b)\r\n\treturn not a or 2\r\n",
            "if 1:\n    pass  # é",
            "def f(:",
            "x = (\n'é' + y[0]  # <\n) < 3",
            "(" * 300,
            "\x00",
        ]
    ),
)
MESSAGE = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "?", None]), "content": ODD}
    ),
)
ROWS = st.fixed_dictionaries(
    {
        "text": ODD,
        "chat": st.one_of(st.none(), st.lists(MESSAGE, max_size=4)),
        "number": st.one_of(st.none(), st.floats(allow_nan=True), st.just(12.0)),
    }
)
GENERATORS: list[Generator] = [
    PerturbText(
        columns=("text", "chat"),
        kinds=KINDS,
        kinds_at_once=2,
        versions=3,
        synonyms={"left": ("went",), "ann": ("anna",), "": ("nothing",)},
        entities={"name": ("Ann", "Bo", "Cy", "X"), "none": ()},
        entity_columns=("text",),
        distractor_column="text",
        invariant=(r"\bnot\b", ""),
        invariant_columns=("number", "chat"),
        perturbation="how",
    ),
    PerturbText(columns=("text",), kinds=("typos",), edits=5, protect=(), rate=1, min_word=1),
    MutateCode(column="text", mutants=5),
    MutateCode(column="text", shape="pair", prompt_column="text", carry=("number",)),
    DegradeAnswer(prompt="text", answer="text", pairs=6),
    DegradeAnswer(messages="chat", pairs=6),
    FillTemplates.model_validate(
        {"templates": {"text": "{{ 6 // n }} {{ a }}"}, "slots": {"n": [0, 1, 2], "a": ["", "é"]}}
    ),
]


def made(generator: Generator, seeds: list[dict[str, Any]], number: int) -> list[Candidate]:
    return list(asyncio.run(generator.attempt(seeds, Random(number), None)))  # pyright: ignore


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda g: f"{g.operator_name()}")
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, second=ROWS, number=st.integers(0, 99))
def test_any_row_gives_typed_rows_and_the_same_again(generator, first, second, number) -> None:
    seeds = pl.DataFrame([first, second], schema=SCHEMA).to_dicts()[: generator.seeds() or 0]
    before = repr(seeds)
    found = made(generator, seeds, number)
    assert repr(seeds) == before
    assert repr(made(generator, seeds, number)) == repr(found)
    schema = generator.produces(SCHEMA)
    for candidate in found:
        assert set(candidate.values) <= set(schema)
        frame = pl.DataFrame([dict(candidate.values)], schema=schema, strict=True)
        if candidate.rejection is None:
            assert dict(frame.to_dicts()[0]).keys() == schema.keys()
        else:
            assert candidate.rejection.rule in generator.rule_names
        assert all(at < max(len(seeds), 1) for at in candidate.seeds or ())


@pytest.mark.parametrize("name", NAMES)
def test_the_example_is_an_input(name: str) -> None:
    operator = built_in_operators()[name]
    assert issubclass(operator, Generator)
    doc = inspect.getdoc(operator) or ""
    example = doc.partition("Example:\n")[2].partition("\n\n")[0]
    declared = GeneratedInput.model_validate(yaml.safe_load(example))
    assert declared.generate.operator == name
    generator = operator.model_validate(declared.generate.parameters)
    assert (declared.seeds is not None) is (generator.seeds() > 0)
    assert operator.model_validate_json(generator.model_dump_json()) == generator
    assert all(f"`{rule}`" in doc for rule in operator.rule_names)


@pytest.mark.parametrize(
    "generator",
    [
        PerturbText(columns=("text",), versions=3),
        MutateCode(column="text", mutants=3),
        DegradeAnswer(prompt="text", answer="text", pairs=3),
    ],
    ids=lambda g: g.operator_name(),
)
def test_seeds_are_used_once_for_different_rows(generator, attempt) -> None:
    code = "def f(a, b):\n    c = a + b\n    d = c * 2\n    print(c)\n    return d < 3\n"
    assert generator.attempts(7) == 7
    found, questions = attempt(generator, [{"text": code}, {"text": "other words"}])
    rows = [repr(one.values) for one in found if one.rejection is None]
    assert len(rows) == len(set(rows)) == 3
    assert not questions
