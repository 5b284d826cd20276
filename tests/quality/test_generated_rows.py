"""Checks on generated rows find what they are for."""

from __future__ import annotations

import pytest

OPERATORS = '''
import polars as pl
from pydantic import Field
from dagster_project.operators.generator import *


class Repeat(Generator):
    """Says nearly the same again and again."""

    origin = "synthesised"
    motive: Motive = Field(default="quantity", description="what for")

    def produces(self, seeds):
        return pl.Schema({"text": pl.String, "topic": pl.String})

    async def attempt(self, seeds, draw, calls):
        return [Candidate({"text": f"the same few words again {draw.randrange(10**6)}",
                           "topic": "art"})]
'''


@pytest.fixture
def made(space):
    folder = space.root / "assets" / "d"
    folder.mkdir(parents=True)
    (folder / "operators.py").write_text(OPERATORS)
    words = [f"word{n}" for n in range(400)]
    rows = [
        {"text": " ".join(words[n * 7 % 390 :][:9]), "topic": ("art", "law")[n % 2]}
        for n in range(30)
    ]
    space.jsonl("seeds.jsonl", rows)
    space.recipe("d/real", "inputs: {all: {files: seeds.jsonl}}\n")
    space.publish("d/real")
    return space


def results(space, checks: str, rows: int = 20, name: str = "d/v1") -> dict[str, tuple[bool, str]]:
    space.recipe(
        name,
        "inputs:\n  real: {version: d/real}\n  new: {generate: repeat, seeds: {version: d/real}, "
        f"rows: {rows}}}\nchecks:\n{checks}",
    )
    outcome = space.publish(name)
    return {
        result.check.expectation: (result.passed, result.error or result.observed)
        for result in outcome.results
    }


def test_each_finds_what_it_is_for_and_lets_the_rest_pass(made):
    strict = results(
        made,
        "  - synthetic_share: {max: 0.3}\n  - generation_depth: {max: 0}\n"
        "  - slice_drift: {column: topic, max: 0.4}\n  - diversity: {column: text}\n"
        "  - benchmark_taint: {evaluations: [seeds.jsonl]}\n  - budget_kept: {}\n",
    )
    passed = [name for name, (passed, _) in strict.items() if passed]
    assert passed == ["source_loss", "phase_schema", "rows_asked"]
    assert "20 of 50 rows are generated (40 %)" in strict["synthetic_share"][1]
    assert "the deepest is 1" in strict["generation_depth"][1]
    assert "distance 0.500" in strict["slice_drift"][1]
    assert "50 of 50 rows come from them" in strict["benchmark_taint"][1]
    assert "no budget" in strict["budget_kept"][1]
    lenient = results(
        made,
        "  - synthetic_share: {max: 0.5}\n  - generation_depth: {max: 1}\n"
        "  - slice_drift: {column: topic, max: 0.6}\n  - diversity: {column: text, min_ratio: 0.1}\n"
        "  - benchmark_taint: {evaluations: [exam/v1]}\n  - teacher_licence: {allowed: [MIT]}\n"
        "  - real_rows_replaced: {max: 0}\n",
    )
    assert all(passed for passed, _ in lenient.values()), lenient


def test_real_rows_that_give_way_to_generated_ones_are_missed(made):
    check = "  - real_rows_replaced: {max: 0.1}\n"
    assert results(made, check)["real_rows_replaced"][0]
    made.jsonl("seeds.jsonl", [{"text": f"one of few {n}", "topic": "law"} for n in range(12)])
    made.publish("d/real")
    found = results(made, check, rows=40)["real_rows_replaced"]
    assert found == (False, "18 of 30 real rows are gone (60 %); generated rows: 40, before 20")
