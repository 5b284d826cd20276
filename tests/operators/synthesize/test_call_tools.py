"""Calls of tools, right and wrong."""

from __future__ import annotations

import json

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Answer
from dagster_project.operators.synthesize.call_tools import CallTools

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather at a place.",
        "parameters": {
            "type": "object",
            "properties": {
                "place": {"type": "string"},
                "days": {"type": "integer", "minimum": 1, "maximum": 14},
                "unit": {"enum": ["c", "f"]},
                "at": {"$ref": "#/$defs/at"},
            },
            "required": ["place"],
            "$defs": {"at": {"type": "object", "required": ["hour"], "properties": {"hour": {}}}},
        },
    },
}
SEED = {"request": "How will the weather be in Graz?"}


def called(name, arguments, finish="tool_calls"):
    return Answer("", finish, tool_calls=({"name": name, "arguments": arguments},))


def call(attempt, answer, **changed):
    settings = {"motive": "coverage", "model": "writer", "tools": (WEATHER,)}
    found, questions = attempt(CallTools.model_validate(settings | changed), [SEED], [answer])
    return found[0], questions[0]


def test_a_valid_call_becomes_a_chat(attempt):
    arguments = {"place": "Graz", "days": 3, "at": {"hour": 5}}
    made, question = call(attempt, called("weather", arguments), system="Be brief.")
    assert made.rejection is None
    system, user, assistant = made.values["messages"]
    assert (system["role"], user["content"]) == ("system", SEED["request"])
    (tool_call,) = assistant["tool_calls"]
    assert (tool_call["id"], tool_call["type"]) == ("call_0", "function")
    assert json.loads(tool_call["function"]["arguments"]) == arguments
    assert assistant["content"] is None
    assert json.loads(made.values["tools"]) == [WEATHER]
    assert question.tools == (WEATHER,)


@pytest.mark.parametrize(
    ("name", "arguments", "rule"),
    [
        ("wether", {"place": "Graz"}, "unknown_tool"),
        (None, {}, "unknown_tool"),
        ("weather", {}, "missing_argument"),
        ("weather", {"place": "Graz", "at": {}}, "missing_argument"),
        ("weather", {"place": 8010}, "wrong_argument"),
        ("weather", {"place": "Graz", "days": 99}, "wrong_argument"),
        ("weather", {"place": "Graz", "unit": "k"}, "wrong_argument"),
        ("weather", {"place": "Graz", "city": "Graz"}, "wrong_argument"),
        ("weather", "place=Graz", "wrong_argument"),
    ],
)
def test_wrong_calls_are_kept_and_told(attempt, name, arguments, rule):
    made, _ = call(attempt, called(name, arguments))
    assert made.rejection.rule == rule
    assert made.values["messages"][-1]["tool_calls"]


def test_no_call_too_many_and_cut_off(attempt):
    made, _ = call(attempt, Answer("It will be sunny.", "stop"))
    assert made.rejection.rule == "no_call"
    assert made.values["messages"][-1]["content"] == "It will be sunny."
    two = called("weather", {"place": "Graz"}).tool_calls * 2
    made, _ = call(attempt, Answer("", "tool_calls", tool_calls=two), most_calls=1)
    assert made.rejection.rule == "too_many_calls"
    made, _ = call(attempt, called("weather", {"place": "Graz"}, "length"))
    assert made.rejection.rule == "cut_off"


def test_through_json(attempt):
    given = {"calls": [{"name": "weather", "arguments": {"place": "Graz"}}]}
    made, question = call(attempt, given, through="json")
    assert made.rejection is None
    assert made.values["messages"][-1]["content"] is None
    assert '"weather"' in question.messages[0]["content"]
    assert question.json_schema["properties"]["calls"]["maxItems"] == 4
    assert call(attempt, {"calls": []}, through="json")[0].rejection.rule == "no_call"


def test_tools_of_the_seed(attempt):
    operator = CallTools(motive="coverage", model="writer", tools_column="tools")
    seed = SEED | {"tools": json.dumps([WEATHER["function"]])}
    found, _ = attempt(operator, [seed], [called("weather", {"place": "Graz"})])
    assert found[0].rejection is None


@pytest.mark.parametrize(
    "tools",
    [
        None,
        "",
        "{}",
        "[]",
        "[1]",
        '[{"name": 3}]',
        '[{"name": "a"}, {"name": "a"}]',
        '[{"name": "a", "parameters": {"type": "strong"}}]',
        '[{"name": "a", "parameters": {"type": "array"}}]',
        '[{"name": "a", "parameters": ' + '{"not": ' * 500 + "{}" + "}" * 500 + "}]",
    ],
)
def test_broken_tools_ask_nobody(attempt, tools):
    operator = CallTools(motive="coverage", model="writer", tools_column="tools")
    schema = {"request": SEED["request"], "tools": tools}
    if tools is None:
        assert operator.produces(pl.Schema({"request": pl.String(), "tools": pl.String()}))
        schema["tools"] = ""
    found, questions = attempt(operator, [schema], [])
    assert found[0].rejection.rule == "broken_tools"
    assert not questions


@pytest.mark.parametrize(
    "hostile",
    [
        {"$ref": "http://127.0.0.1:9/schema.json"},
        {"$ref": "file:///etc/hostname"},
        {"$ref": "#/$defs/loop", "$defs": {"loop": {"$ref": "#/$defs/loop"}}},
        {"type": "string", "pattern": "(a+)+$"},
    ],
)
def test_hostile_schemas_neither_fetch_nor_hang(attempt, hostile):
    tool = {"name": "f", "parameters": {"type": "object", "properties": {"x": hostile}}}
    if "$defs" in hostile:
        tool["parameters"]["$defs"] = hostile["$defs"]
    operator = CallTools(motive="coverage", model="writer", tools_column="tools")
    seed = SEED | {"tools": json.dumps([tool])}
    found, _ = attempt(operator, [seed], [called("f", {"x": "a" * 5_000 + "!"})])
    assert found[0].rejection.rule == "wrong_argument"


def test_tools_are_given_once(attempt):
    for changed in ({"tools": ()}, {"tools_column": "request"}):
        with pytest.raises(OperatorMisuse, match="not both"):
            call(attempt, "", **changed)
    with pytest.raises(ValidationError, match="two tools are called 'weather'"):
        call(None, None, tools=(WEATHER, WEATHER))
