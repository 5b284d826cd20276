"""Whatever seeds hold and models say, a generator gives candidates, each with its reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.calls import Answer, CallFailed, Question
from dagster_project.operators.generator import Generator
from dagster_project.operators.synthesize.ask_document import AskDocument
from dagster_project.operators.synthesize.back_translate import BackTranslate
from dagster_project.operators.synthesize.distill_answers import DistillAnswers
from dagster_project.operators.synthesize.evolve_instruction import EvolveInstruction
from dagster_project.operators.synthesize.instruct_from_personas import InstructFromPersonas
from dagster_project.operators.synthesize.instruct_from_seeds import InstructFromSeeds
from dagster_project.operators.synthesize.instruct_from_topics import InstructFromTopics
from dagster_project.operators.synthesize.paraphrase_text import ParaphraseText
from dagster_project.operators.synthesize.reason_step_by_step import ReasonStepByStep
from dagster_project.operators.synthesize.reverse_instruction import ReverseInstruction
from dagster_project.operators.synthesize.translate_text import TranslateText

PIECES = st.sampled_from(
    [
        *("", " ", "\n", "\n\n", "…", ":", "{{ text }}", "{% if", "###", "```", '"', "”", "\x00"),
        *(
            "Answer:",
            "Input:",
            "Output:",
            "Example 1",
            "Class label:",
            "Yes",
            "equal",
            "1. ",
            "\n2. ",
        ),
        *(
            "I'm sorry, but I can't help with that.",
            "Sure, here it is:\n",
            "The answer is ",
            "#### ",
        ),
        *(
            "42",
            "-1,000.5",
            "\\boxed{",
            "}",
            "słowo",
            "字",
            "🐱",
            "word",
            "the",
            "Say it again, Sam.",
        ),
    ]
)
TEXTS = st.one_of(st.lists(PIECES, max_size=12).map("".join), st.text(max_size=30))
SEED_TEXTS = st.one_of(st.none(), TEXTS)


class AnyAnswers:
    """Answers that `draw` makes up, of the schema where there is one; some calls fail."""

    def __init__(self, draw: Callable[[st.SearchStrategy], Any]) -> None:
        self.draw = draw

    async def ask(self, question: Question) -> Answer:
        if self.draw(st.integers(0, 9)) == 0:
            kinds = st.sampled_from(["refused", "cut_off", "invalid", "unavailable"])
            raise CallFailed(self.draw(kinds), "no")
        if question.json_schema is not None:
            return Answer("", "stop", data=self.valid(question.json_schema))
        return Answer(self.draw(TEXTS), self.draw(st.sampled_from(["stop", "stop", "length"])))

    def valid(self, schema: Any) -> Any:
        if "enum" in schema:
            return self.draw(st.sampled_from(schema["enum"]))
        if schema["type"] == "object":
            return {name: self.valid(each) for name, each in schema["properties"].items()}
        if schema["type"] == "array":
            count = self.draw(st.integers(schema["minItems"], schema["maxItems"]))
            return [self.valid(schema["items"]) for _ in range(count)]
        return self.draw(TEXTS)


GENERATORS: list[Generator] = [
    ParaphraseText(model="m", column="a", samples=3),
    BackTranslate(model="m", column="a", languages=("German", "Polish")),
    TranslateText(model="m", column="a", languages=("German", "Polish")),
    InstructFromSeeds(model="m", column="a", classification_first=True, max_instances=2),
    InstructFromTopics(model="m", topics={"x": ["y", "z"]}, depth=2, breadth=2),
    EvolveInstruction(model="m", column="a", generations=4),
    ReverseInstruction(model="m", response="a", samples=2),
    AskDocument(model="m", column="a", excerpt_characters=200),
    InstructFromPersonas(model="m", column="a", holds="text", form="text"),
    DistillAnswers(model="m", column="a", samples=2, form="text"),
    ReasonStepByStep(model="m", column="a", gold="b", samples=2),
]


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda each: each.operator_name())
def test_hostile_answers(generator: Generator) -> None:
    schema = generator.produces(pl.Schema({"a": pl.String(), "b": pl.String()}))

    @settings(max_examples=40, deadline=None, derandomize=True)
    @given(st.data())
    def holds(data: st.DataObject) -> None:
        count = generator.seeds() + generator.examples()
        rows = [
            {"a": data.draw(SEED_TEXTS), "b": data.draw(SEED_TEXTS)}
            for _ in range(data.draw(st.integers(1, count)) if count else 0)
        ]
        try:
            number = data.draw(st.integers(0, 9))
            found = asyncio.run(generator.attempt(rows, Random(number), AnyAnswers(data.draw)))  # pyright: ignore
        except CallFailed:
            return
        for place, one in enumerate(found):
            assert set(one.values) <= set(schema)
            assert one.rejection is None or one.rejection.rule in generator.rule_names
            assert all(0 <= parent < place for parent in one.made_from)
            assert all(0 <= seed < len(rows) for seed in one.seeds or ())
            frame = pl.DataFrame([{**dict.fromkeys(schema), **one.values}], schema=schema)
            assert one.rejection is not None or frame.null_count().row(0).count(0) > 0

    holds()
