"""Logged requests and responses become chats."""

from __future__ import annotations

import json

import polars as pl
import pytest

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.read_exchanges import ReadExchanges

CALL = {"id": "c1", "function": {"name": "add", "arguments": '{"a": 1}'}}
OPENAI = (
    {
        "model": "small",
        "messages": [
            {"role": "developer", "content": "Be short."},
            {"role": "user", "content": [{"type": "text", "text": "Add"}, {"type": "image_url"}]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "c1", "content": "2"},
        ],
    },
    {
        "model": "small-2026",
        "choices": [
            {"finish_reason": "stop", "message": {"role": "assistant", "content": "It is 2."}}
        ],
    },
    ("small-2026", "stop"),
)
RESPONSES = (
    {
        "instructions": "Be short.",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "Add"}]},
            {"type": "function_call", "name": "add", "arguments": '{"a": 1}'},
            {"type": "function_call_output", "output": "2"},
        ],
    },
    {
        "model": "small",
        "status": "completed",
        "output": [
            {"type": "reasoning", "summary": []},
            {"type": "message", "role": "assistant", "content": [
                {"type": "output_text", "text": "It is 2."}
            ]},
        ],
    },
    ("small", "completed"),
)  # fmt: skip
ANTHROPIC = (
    {
        "model": "large",
        "system": [{"type": "text", "text": "Be short."}],
        "messages": [
            {"role": "user", "content": "Add"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "name": "add", "input": {"a": 1}}
            ]},
            {"role": "user", "content": [{"type": "tool_result", "content": "2"}]},
        ],
    },
    {
        "stop_reason": "end_turn",
        "content": [{"type": "thinking", "thinking": "1 + 1"}, {"type": "text", "text": "It is 2."}],
    },
    ("large", "end_turn"),
)  # fmt: skip
CHAT = [
    {"role": "system", "content": "Be short."},
    {"role": "user", "content": "Add"},
    {"role": "tool_call", "content": '{"name": "add", "arguments": {"a": 1}}'},
    {"role": "tool", "content": "2"},
    {"role": "assistant", "content": "It is 2."},
]


@pytest.mark.parametrize("logged", [OPENAI, RESPONSES, ANTHROPIC])
def test_each_endpoint(apply, logged) -> None:
    request, response, (model, ended) = logged
    frame = pl.DataFrame({"request": [json.dumps(request)], "response": [json.dumps(response)]})
    (row,) = apply(ReadExchanges(), frame)[0].select("messages", "model", "ended").to_dicts()
    assert row == {"messages": CHAT, "model": model, "ended": ended}


def test_objects_are_read_as_their_json(apply) -> None:
    message = {"role": "assistant", "content": "yes"}
    frame = pl.DataFrame(
        {
            "asked": [{"messages": [{"role": "user", "content": "ok?"}]}, None],
            "told": [{"choices": [{"message": message}]}, {"choices": []}],
        }
    )
    operator = ReadExchanges(request="asked", response="told", into="chat", prefix="log_")
    kept, removed = apply(operator, frame)
    assert kept["chat"].to_list() == [[{"role": "user", "content": "ok?"}, message]]
    assert removed.select("row", "rule").rows() == [(1, "no_request")]


def test_what_is_no_exchange_is_removed_with_its_reason(apply) -> None:
    fine = '{"messages": [{"role": "user", "content": "ok?"}]}'
    error = '{"error": {"message": "overloaded"}}'
    logged = [
        (fine, error, "no_answer"),
        (fine, None, "no_answer"),
        (fine.replace("}]", '}, {"role": "assistant", "content": "well"}]'), error, "no_answer"),
        (fine, "[" * 100_000, "no_answer"),
        ("no json", error, "no_request"),
        ('{"messages": [3, {"role": 4}, {"content": {"a": 1}}]}', error, "no_request"),
        ('{"messages": {}}', '{"choices": {"a": 1}, "content": 7}', "no_request"),
    ]
    frame = pl.DataFrame(logged, schema=["request", "response", "rule"], orient="row")
    kept, removed = apply(ReadExchanges(), frame)
    assert kept.is_empty()
    assert removed["rule"].to_list() == frame["rule"].to_list()


def test_nothing_is_written_over(apply) -> None:
    frame = pl.DataFrame({"request": ["{}"], "response": ["{}"], "model": ["m"]})
    with pytest.raises(SeedbedError, match="prefix"):
        apply(ReadExchanges(), frame)
