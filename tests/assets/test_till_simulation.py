"""The worked example of a simulation."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from pathlib import Path
from random import Random

import polars as pl
import pytest

import dagster_project
from dagster_project.operators.registry import operators_beside

FOLDER = Path(dagster_project.__file__).parents[1] / "assets" / "till_simulation"
SIMULATE_TILL = operators_beside(FOLDER)["simulate_till"]
TILL = __import__(SIMULATE_TILL.__module__).Till
EVENTS = ("scanner_down", "sold_out", "price_raised", "card_declined")


def played(number: int, **parameters):
    generator = SIMULATE_TILL.model_validate(parameters)
    (one,) = asyncio.run(generator.attempt([], Random(number), None))
    return one


@pytest.mark.parametrize("number", range(60))
def test_the_calls_played_again_come_to_the_final_state(number: int) -> None:
    one = played(number, rates=dict.fromkeys(EVENTS, 0.5))
    assert one.rejection is None
    till = TILL(json.loads(one.values["initial_state"]))
    messages = one.values["messages"]
    for made, answered in pairwise(messages):
        for call in made["tool_calls"] or ():
            function = call["function"]
            result = till.call(function["name"], json.loads(function["arguments"]))
            assert result == json.loads(answered["content"])
    final = json.loads(one.values["final_state"])
    assert {name: till.state[name] for name in final} == final
    prices, paid = till.state["prices"], final["paid"]
    full = sum(prices[article] * count for article, count in final["basket"].items())
    due = full - full * final["percent_off"] // 100
    assert (paid or {"cents": 0})["cents"] == due
    assert all(count > 0 for count in final["basket"].values())


def test_it_is_typed_and_the_same_again() -> None:
    generator = SIMULATE_TILL.model_validate({})
    schema = generator.produces(pl.Schema())
    rows = [dict(played(number).values) for number in range(20)]
    assert pl.DataFrame(rows, schema=schema, strict=True).to_dicts() == rows
    assert rows == [dict(played(number).values) for number in range(20)]
    assert len({json.dumps(row["messages"]) for row in rows}) == 20


@pytest.mark.parametrize("event", EVENTS)
def test_rare_events_are_as_frequent_as_asked_for(event: str) -> None:
    never = [played(number, rates={event: 0.0}).values["events"] for number in range(10)]
    often = [played(number, rates={event: 1.0}).values["events"] for number in range(10)]
    assert never == [[]] * 10
    assert [event] in often
    assert all(set(each) <= {event} for each in often)
