"""The loop is closed: weak slices are found, a job is made of the weakest, and the verdict follows."""

from __future__ import annotations

from random import Random

import numpy as np
import polars as pl
import pytest
import yaml

from dagster_project.engine.loop.markdown import job_yaml, markdown
from dagster_project.engine.loop.page import NoArena, loop_page
from dagster_project.engine.loop.rounds import Contender, rounds
from dagster_project.engine.loop.slices import slices
from dagster_project.engine.plan import plan
from dagster_project.recipe.loading import load_recipes
from dagster_project.workspace import VersionName

CONTEST = """inputs:
  scores:
    contest:
      contestants:
        before: {version: d/v1}
        after: {version: d/v2}
      evaluation: {version: d/exam}
      budgets: [{rows: 15}, {rows: 30}, {rows: 60}, {rows: 90}]
      seeds: 3
      models: [language_model]
"""
ENGLISH = (
    "the lamp stands near a wall and light falls on every chair while people talk about rain or sun "
    "until night comes then they walk home through small streets with old trees"
)
FRENCH = (
    "le chat dort sous la table rouge pendant que les enfants jouent dans un jardin plein de fleurs "
    "bleues où vieux monsieur lit son journal chaque matin avant midi"
)


def asked(number: int, foreign: bool) -> dict[str, str]:
    words = " ".join(Random(number).choices((FRENCH if foreign else ENGLISH).split(), k=14))
    if foreign:
        return {"prompt": f"Translate into French what stands in line {number}", "answer": words}
    return {"prompt": f"Explain what stands in line {number}", "answer": words}


@pytest.fixture
def arena(space):
    space.jsonl("v1.jsonl", [asked(number, number % 10 == 0) for number in range(100)])
    space.jsonl("v2.jsonl", [asked(number + 300, number % 25 == 0) for number in range(100)])
    space.jsonl("exam.jsonl", [asked(number + 900, number % 2 == 0) for number in range(80)])
    for name in ("v1", "v2", "exam"):
        space.recipe(f"d/{name}", f"inputs: {{all: {{files: {name}.jsonl}}}}\n")
        space.publish(f"d/{name}")
    space.recipe("d/arena", CONTEST)
    space.publish("d/arena")
    return space


def test_the_slice_that_a_version_lacks_is_found_and_its_job_is_a_recipe(arena) -> None:
    page = loop_page(arena.store, VersionName("d", "arena"), embeddings=False)
    assert page.contestant == "after" and page.version == "d/v2"
    assert page.gap is not None and page.slices[0].is_weak
    tasks = [each for each in page.slices if (each.axis, each.value) == ("task", "translate")]
    assert tasks and tasks[0].is_weak and tasks[0].items == 40
    assert page.gap.more_rows >= 10 and page.gap.examples
    recipe = {"models": {"writer": {"provider": "embedded"}}, "budget": {"tokens": 100_000}}
    recipe |= yaml.safe_load(job_yaml(page))
    arena.recipe("d/v3", yaml.safe_dump(recipe))
    (job,) = plan(load_recipes(arena.workspace).versions[VersionName("d", "v3")]).generators
    assert job == "weakest", "the job is an input that a recipe takes"
    text = markdown(page)
    assert "What each round bought" in text and "before → after" in text
    assert page.go_on is False and "after is worse than before" in page.why


def test_it_goes_on_where_the_last_round_bought_something_and_a_slice_is_weak(arena) -> None:
    arena.recipe(
        "d/again", CONTEST.replace("d/v1", "d/v0").replace("d/v2", "d/v1").replace("d/v0", "d/v2")
    )
    arena.publish("d/again")
    page = loop_page(arena.store, VersionName("d", "again"), embeddings=False)
    assert page.version == "d/v1" and page.go_on is True
    (bought,) = page.rounds
    assert bought.verdict == "better" and len(page.expected) == 1


def test_who_asks_of_another_contestant_or_version_is_told(arena) -> None:
    with pytest.raises(NoArena, match="did you mean 'after'"):
        loop_page(arena.store, VersionName("d", "arena"), contestant="aftr")
    with pytest.raises(NoArena, match="no arena"):
        loop_page(arena.store, VersionName("d", "v1"))


def test_an_evaluation_that_has_changed_is_not_mixed_up(arena) -> None:
    arena.jsonl("exam.jsonl", [asked(number + 900, False) for number in range(30)])
    arena.publish("d/exam")
    with pytest.raises(NoArena, match="materialize the arena again"):
        loop_page(arena.store, VersionName("d", "arena"), embeddings=False)


def test_a_program_with_an_evaluation_of_its_own_has_no_slices(arena) -> None:
    (arena.root / "told.py").write_text(
        "import sys; open(sys.argv[2] + '/scores.json', 'w').write('{\"acc\": 0.5}')"
    )
    mine = (
        "models: {language_model: {}, mine: {seeds: 1, scores: {acc: higher}, "
        'command: [python, told.py, "{data}", "{out}"]}}'
    )
    arena.recipe("d/mine", CONTEST.replace("models: [language_model]", mine))
    assert arena.publish("d/mine").manifest.status == "published"
    page = loop_page(arena.store, VersionName("d", "mine"), embeddings=False)
    assert {each.model for each in page.slices} == {"language_model"}
    assert {each.model for each in page.rounds} == {"language_model", "mine"}


def scores(means: dict[str, float], items: int = 60) -> pl.DataFrame:
    noise = np.random.default_rng(1).normal(0, 0.1, items)
    return pl.concat(
        pl.DataFrame(
            {
                "contestant": name, "drawn": "random", "budget": "rows", "amount": 50, "seed": 0,
                "rows": 50, "tokens": 900, "model": "m", "item": range(items), "score": noise + mean,
                "standard_error": None,
            }
        )
        for name, mean in means.items()
    )  # fmt: skip


def test_what_a_round_bought_is_told_for_what_it_cost() -> None:
    made = {"dollars": 2.0, "tokens": 500_000, "generated": 100, "version": "d/v"}
    free = {"dollars": 0.0, "tokens": 0, "generated": 0, "version": "d/v"}
    contenders = [
        Contender(name="a", rows=1000, **free),
        Contender(name="b", rows=1200, **made),
        Contender(name="c", rows=1100, **free),
    ]
    first, second = rounds(scores({"a": -2.0, "b": -1.5, "c": -1.5}), contenders)
    assert first.verdict == "better" and first.difference == pytest.approx(0.5)
    assert first.for_a_dollar == pytest.approx(0.25)
    assert first.for_a_million_tokens == pytest.approx(1.0)
    assert first.for_a_thousand_rows == pytest.approx(2.5)
    assert second.verdict == "no difference" and second.rows_more == -100
    assert (second.for_a_dollar, second.for_a_thousand_rows) == (None, None)


def test_a_slice_is_weak_only_by_more_than_chance() -> None:
    draw = np.random.default_rng(2)
    marks = ["x", "y", "z"] * 40
    values = draw.normal(0, 1, 120) - np.array([2.0 if mark == "x" else 0.0 for mark in marks])
    told = pl.DataFrame({"model": "m", "item": range(120), "score": values})
    placed = pl.DataFrame({"item": range(120), "kind": marks, "rare": ["r"] * 3 + [None] * 117})
    found = slices(told, placed)
    assert [each.value for each in found if each.is_weak] == ["x"]
    assert found[0].value == "x" and found[0].loss == pytest.approx(
        (found[0].rest - found[0].score) / 3
    )
    assert not [each for each in found if each.axis == "rare"], "too few to tell"
