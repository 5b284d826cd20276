"""An arena is a version: declared, built, audited and published like any other."""

from __future__ import annotations

import random

import polars as pl
import pytest

from dagster_project.arena.contest import RESULTS
from dagster_project.arena.standing import standing
from dagster_project.recipe.problems import DeclarationError
from dagster_project.warehouse.connect import connect

ARENA = """inputs:
  scores:
    contest:
      contestants:
        clean: {version: d/clean}
        garbled: {version: d/garbled}
      pool: {version: d/clean}
      evaluation: {version: d/exam}
      budgets: [{rows: 60}, {tokens: 900}]
      seeds: 3
      models: [language_model]
checks:
  - no_regression: {contestant: garbled, against: clean}
  - no_regression: {contestant: clean, against: random of pool, tolerance: 0.2}
"""
UNCHECKED = ARENA.partition("checks:")[0]


@pytest.fixture
def versions(space):
    draw = random.Random(1)
    things = [f"thing{n}" for n in range(12)]

    def row(number: int) -> dict:
        one, other = draw.sample(things, 2)
        answer = f"you put the {one} beside the {other} and then you look at the {one} again"
        return {"question": f"what about {one} and {other}, number {number}?", "answer": answer}

    clean = [row(number) for number in range(150)]
    garbled = [each | {"answer": each["answer"][::-1]} for each in clean]
    exam = [row(number) for number in range(1000, 1030)]
    for name, rows in (("clean", clean), ("garbled", garbled), ("exam", exam)):
        space.jsonl(f"{name}.jsonl", rows)
        space.recipe(f"d/{name}", f"inputs: {{all: {{files: {name}.jsonl}}}}\n")
        space.publish(f"d/{name}")
    return space


def test_the_worse_contestant_is_told_and_fails_its_check(versions):
    versions.recipe("arena/d", ARENA)
    outcome = versions.publish("arena/d")
    passed = [result.passed for result in outcome.results]
    assert passed[:2] == [False, True] and outcome.manifest.status == "rejected"
    assert "language_model at 60 rows: -" in outcome.results[0].observed
    versions.recipe("arena/d", ARENA.replace("garbled, against: clean", "clean, against: garbled"))
    outcome = versions.publish("arena/d")
    assert outcome.manifest.status == "published"
    with connect(versions.store) as connection:
        results = connection.sql("SELECT * EXCLUDE (row_id) FROM arena.d").pl()
    assert dict(results.schema) == dict(RESULTS)
    found = standing(results, "clean")
    told = {
        (row["contestant"], row["budget"]): row["verdict"] for row in found.iter_rows(named=True)
    }
    assert told["garbled", "rows"] == told["garbled", "all"] == "worse"
    assert told["random of pool", "rows"] == "no difference"
    tokens = found.filter((pl.col("budget") == "tokens") & (pl.col("contestant") == "clean"))
    assert 800 < tokens["tokens"].item() <= 900
    assert versions.publish("arena/d").reused


def test_what_is_held_once_is_not_held_again(versions):
    versions.recipe("arena/d", UNCHECKED)
    said: list[str] = []
    first = versions.publish("arena/d", said.append).manifest
    versions.recipe("arena/d", "tags: {a: b}\n" + UNCHECKED)
    assert versions.publish("arena/d").reused
    versions.recipe("arena/d", UNCHECKED.replace("seeds: 3", "seeds: 2"))
    assert versions.publish("arena/d").manifest.content_id != first.content_id


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("d/clean}\n        garbled", "d/claen}\n        garbled"), "did you mean 'd/clean'"),
        (("rows: 60", "row: 60"), "unknown field"),
        (("models: [language_model]", "models: [gpt]"), "no model 'gpt'"),
    ],
)
def test_what_is_wrong_with_an_arena_is_told(versions, wrong, said):
    versions.recipe("arena/d", ARENA.replace(*wrong))
    with pytest.raises(DeclarationError, match=said):
        versions.publish("arena/d")
