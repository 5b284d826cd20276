"""Calls of tools: planted faults are found, each by its name, and no others."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest

TOOLS = json.dumps(
    [
        {
            "type": "function",
            "function": {
                "name": "weather",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "city": {"type": "string"},
                        "days": {"type": "integer", "minimum": 1},
                    },
                    "required": ["city"],
                },
            },
        },
        {"name": "now"},
    ]
)
ROME = '{"city": "Rome"}'


def said(role, content=None, calls=None, answers=None):
    return {"role": role, "content": content, "tool_calls": calls, "tool_call_id": answers}


def call(name="weather", arguments=ROME, id="a"):
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def chat(*calls, results=("a",), end=True):
    answers = [said("tool", "sunny", answers=id) for id in results]
    last = [said("assistant", "Sunny.")] if end else []
    return [said("user", "Rome?"), said("assistant", calls=list(calls)), *answers, *last]


GOOD = (
    chat(call()),
    chat(call(), call("now", "{}", "b"), results=("b", "a")),
    chat(call(id=None), results=(None,)),
    chat(call(), results=(), end=False),  # the last message calls
    [*chat(call()), said("user", "And now?"), *chat(call())[1:]],  # ids once in each turn
    [said("user", "Hi"), said("assistant", "Hello.")],
    None,
    [],
)
BAD = {
    "a tool that is not declared": chat(call("forecast")),
    "arguments against the schema": chat(call(arguments='{"city": "Rome", "days": 0}')),
    "arguments that are no JSON object": chat(call(arguments='{"city": "Rome"')),
    "two calls with one id": chat(call(), call(), results=("a", "a")),
    "a result without a call": chat(call(), results=("a", "z")),
    "a call without one result": chat(call(), call("now", "{}", "b")),
    "a call by another than the assistant": [
        said("user", "Rome?", [call()]),
        said("tool", "sunny", answers="a"),
        said("assistant", "Sunny."),
    ],
}
MORE_BAD = (
    chat(call(arguments="{}")),  # without what is required
    chat(call(arguments='{"city": "Rome", "country": "Italy"}')),  # with what is not named
    chat(call(arguments="[1]")),
    chat(call(arguments=None)),
    chat(call(), results=("a", "a")),
    chat(call(), results=("z",)),
    [said("user", "Rome?"), said("tool", "sunny", answers="a"), said("assistant", "Sunny.")],
    chat(call(name=None)),
)


CALL = pa.struct(
    {
        "id": pa.string(),
        "type": pa.string(),
        "function": pa.struct({"name": pa.string(), "arguments": pa.string()}),
    }
)
MESSAGE = {"role": pa.string(), "content": pa.string()}
MESSAGE |= {"tool_calls": pa.list_(CALL), "tool_call_id": pa.string()}


@pytest.fixture
def judged(tmp_path, write_snapshot, look, failing):
    """`judged(rows, **arguments)`: which of some rows of `messages` and `tools` fail, and the result."""

    def judge(rows, calls_as_text=False, **arguments):
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        rows = [{"row_id": number, **row} for number, row in enumerate(rows)]
        message = dict(MESSAGE)
        if calls_as_text:
            message["tool_calls"] = pa.string()
            for row in rows:
                row["messages"] = [
                    {**one, "tool_calls": one["tool_calls"] and json.dumps(one["tool_calls"])}
                    for one in row["messages"] or []
                ]
        schema = {"row_id": pa.int64(), "messages": pa.list_(pa.struct(message))}
        import pyarrow.parquet

        table = pa.Table.from_pylist(rows, schema=pa.schema({**schema, "tools": pa.string()}))
        pyarrow.parquet.write_table(table, file)
        path = write_snapshot(file.with_suffix(".duckdb"), f"FROM read_parquet('{file}')")
        result = look(path, {"tool_calls_valid": arguments})
        assert result.error is None, result.error
        return failing(path, result), result

    return judge


@pytest.mark.parametrize("as_text", [False, True])
def test_each_planted_fault_is_found_by_its_name(judged, as_text):
    rows = [{"messages": one, "tools": TOOLS} for one in (*GOOD, *BAD.values(), *MORE_BAD)]
    found, result = judged(rows, as_text)
    assert found == list(range(len(GOOD), len(rows)))
    assert not result.passed
    shown = {one["row_id"]: one for one in result.examples}
    assert "a tool that is not declared" in shown[len(GOOD)]["broken"]
    for number, fault in enumerate(BAD):
        (alone, result) = judged([rows[0], rows[len(GOOD) + number]], as_text)
        assert alone == [1]
        assert result.observed.endswith(f": 1 {fault}"), result.observed


def test_tools_must_be_definitions(judged):
    rows = [
        {"messages": GOOD[0], "tools": tools}
        for tools in (TOOLS, None, "[]", "no JSON", '{"name": "weather"}', '[{"name": 3}]')
    ]
    assert judged(rows)[0] == [1, 2, 3, 4, 5]
    assert judged(rows, tools_column=None)[0] == []


def test_calls_may_stay_without_results(judged):
    rows = [{"messages": chat(call(), results=()), "tools": TOOLS}]
    assert judged(rows)[0] == [0]
    assert judged(rows, answered=False)[0] == []


def test_messages_without_calls_cannot_be_checked(tmp_path, write_snapshot, look):
    rows = "SELECT 0 AS row_id, [{'role': 'user', 'content': 'x'}] AS messages, '[]' AS tools"
    result = look(write_snapshot(tmp_path / "a.duckdb", rows), {"tool_calls_valid": {}})
    assert "have no `tool_calls`" in (result.error or "")


def test_definitions_may_be_objects(tmp_path, write_snapshot, look, failing):
    """In a column of objects every tool has the fields of all others, and null in them."""
    tools = (
        "[{'name': 'now', 'parameters': {'type': 'object', 'properties': {'city': NULL}, 'required': "
        "NULL}}, {'name': 'weather', 'parameters': {'type': 'object', 'properties': {'city': {'type': "
        "'string'}}, 'required': ['city']}}]"
    )
    rows = "\nUNION ALL ".join(
        f"SELECT {number} AS row_id, [{{'role': 'assistant', 'content': NULL, 'tool_calls': "
        f"[{{'name': '{name}', 'arguments': {arguments}}}]}}] AS messages, {tools} AS tools"
        for number, (name, arguments) in enumerate(
            [
                ("weather", "{'city': 'Rome'}"),
                ("weather", "{'city': NULL}"),
                ("forecast", "{'city': 'Rome'}"),
            ]
        )
    )
    path = write_snapshot(tmp_path / "a.duckdb", rows)
    result = look(path, {"tool_calls_valid": {}})
    assert result.error is None
    assert failing(path, result) == [1, 2]
