"""OpenAI's two formats in full, and the constraints it refuses files for."""

from __future__ import annotations

import json

import pytest

from dagster_project.release.export import ExportFailed
from dagster_project.release.rows import RowsRefused

HELD_OUT = "data/validation-00000-of-00001.jsonl"


def message(role: str, content: str | None, **aside) -> dict:
    none = {"name": None, "weight": None, "tool_calls": None, "tool_call_id": None}
    return {"role": role, "content": content, **none, **aside}


def call(arguments: dict) -> dict:
    function = {"name": "weather", "arguments": arguments}
    return {"id": "call_1", "type": "function", "function": function}


TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}

CHATS = [
    {
        "messages": [message("user", "Hi"), message("assistant", "Hello")],
        "tools": None,
        "parallel_tool_calls": None,
    },
    {
        "messages": [
            message("system", "s"),
            message("user", "q", name="ann"),
            message("assistant", "wrong", weight=0),
            message("user", "again"),
            message("assistant", "right", weight=1),
        ],
        "tools": None,
        "parallel_tool_calls": None,
    },
    {
        "messages": [
            message("user", "Rain?"),
            message("assistant", None, tool_calls=[call({"place": "Ulm", "hour": None})]),
            message("tool", "yes", tool_call_id="call_1"),
            message("assistant", "It rains."),
        ],
        "tools": [TOOL],
        "parallel_tool_calls": False,
    },
    {
        "messages": [message("user", "no answer")],
        "tools": None,
        "parallel_tool_calls": None,
    },
]

SPLIT = {"split": "validation"}


def test_chat(shelf, lines):
    shelf.publish([row | SPLIT for row in CHATS])
    assert shelf.written("openai", split_by="split") == {
        HELD_OUT: lines(
            '{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"}]}',
            '{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q","name":"ann"},'
            '{"role":"assistant","content":"wrong","weight":0},{"role":"user","content":"again"},'
            '{"role":"assistant","content":"right","weight":1}]}',
            '{"messages":[{"role":"user","content":"Rain?"},{"role":"assistant","tool_calls":'
            '[{"id":"call_1","type":"function","function":{"name":"weather",'
            '"arguments":"{\\"place\\":\\"Ulm\\"}"}}]},'
            '{"role":"tool","content":"yes","tool_call_id":"call_1"},'
            '{"role":"assistant","content":"It rains."}],'
            '"tools":[{"type":"function","function":{"name":"weather",'
            '"parameters":{"type":"object"}}}],"parallel_tool_calls":false}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":3,"split":"validation","rule":"last","reason":'
            '"found user; wanted an assistant\'s message at the end"}'
        ),
    }


def test_preference(shelf, lines):
    def answer(content: str, role: str = "assistant") -> list[dict[str, str]]:
        return [{"role": role, "content": content}]

    shelf.publish(
        [
            {
                "prompt": [*answer("s", "system"), *answer("q", "user")],
                "chosen": answer("good"),
                "rejected": answer("bad"),
                **SPLIT,
            },
            {
                "prompt": answer("q", "user"),
                "chosen": answer("1"),
                "rejected": answer("2"),
                **SPLIT,
            },
            {"prompt": [], "chosen": answer("1"), "rejected": answer("2"), **SPLIT},
            {
                "prompt": answer("q", "user"),
                "chosen": answer("1", "user"),
                "rejected": answer(""),
                **SPLIT,
            },
        ],
        phase="preference",
    )
    wanted = "wanted a prompt, and two answers that end with an assistant's message"
    assert shelf.written("openai", split_by="split") == {
        HELD_OUT: lines(
            '{"input":{"messages":[{"role":"system","content":"s"},{"role":"user","content":"q"}]},'
            '"preferred_output":[{"role":"assistant","content":"good"}],'
            '"non_preferred_output":[{"role":"assistant","content":"bad"}]}',
            '{"input":{"messages":[{"role":"user","content":"q"}]},'
            '"preferred_output":[{"role":"assistant","content":"1"}],'
            '"non_preferred_output":[{"role":"assistant","content":"2"}]}',
        ),
        "left_out.jsonl": lines(
            '{"row_id":2,"split":"validation","rule":"answers","reason":'
            f'"found  | assistant | assistant; {wanted}"}}',
            '{"row_id":3,"split":"validation","rule":"answers","reason":'
            f'"found user | user | assistant; {wanted}"}}',
        ),
    }


GOOD = [message("user", "q"), message("assistant", "a")]


REFUSED = [
    ([], "roles"),
    (None, "roles"),
    ([message("user", "q"), message("tool_call", "f()"), message("assistant", "a")], "roles"),
    ([message("a | b", "q"), message("assistant", "a")], "roles"),
    ([message("user", None), message("assistant", "a")], "content"),
    ([message("user", "q"), message("assistant", "")], "content"),
    ([message("user", "q"), message("assistant", None)], "content"),
    ([*GOOD, message("tool", "r"), message("assistant", "a")], "tool_call_id"),
    ([message("user", "q"), message("assistant", "a", weight=2)], "weight"),
    ([*GOOD, message("user", "q")], "last"),
]


def test_rows_that_would_be_refused_are_left_out(shelf):
    rows = [{"messages": messages, **SPLIT} for messages in (GOOD, *(row[0] for row in REFUSED))]
    shelf.publish(rows)
    path = shelf.export("openai", split_by="split").folder / "left_out.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(row["row_id"], row["rule"]) for row in found] == [
        (number, rule) for number, (_, rule) in enumerate(REFUSED, start=1)
    ]


def test_a_field_that_openai_does_not_know_is_not_cut_off(shelf):
    thought = [{"role": "assistant", "content": "a", "thinking": "hm"}]
    plain = [{"role": "assistant", "content": "a", "thinking": None}]
    shelf.publish([{"messages": thought, **SPLIT}, {"messages": plain, **SPLIT}])
    exported = shelf.export("openai:chat", split_by="split")
    assert exported.manifest.left_out == {"fields": 1}
    assert "assistant+thinking" in exported.left_out[0].reason


def test_too_few_to_train_on_is_refused_with_the_rows_that_are_left_out(shelf):
    rows = [{"messages": GOOD}] * 9 + [{"messages": GOOD[:1]}]
    shelf.publish(rows)
    with pytest.raises(ExportFailed) as refused:
        shelf.export("openai:chat")
    assert "would have 9 rows" in str(refused.value) and "at least 10" in str(refused.value)
    assert "row 9, last: found user" in str(refused.value)
    assert not (shelf.root / "out").exists() and not list(shelf.root.glob(".out*"))


def test_ten_rows_are_enough_and_arguments_that_are_text_stay(shelf):
    text = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    chat = [message("user", "q"), message("assistant", None, tool_calls=[text])]
    shelf.publish([{"messages": chat}] * 10)
    exported = shelf.export("openai:chat")
    (path,) = (exported.folder / "data").iterdir()
    row = json.loads(path.read_text().splitlines()[0])
    assert row["messages"][1] == {"role": "assistant", "tool_calls": [text]}


def test_no_field_beside_those_that_openai_reads(shelf):
    shelf.publish([{"messages": GOOD, "topic": "x"}] * 10)
    for options in ({"row_ids": True}, {"columns": ["topic"]}):
        with pytest.raises(RowsRefused, match="refuses other fields"):
            shelf.export("openai:chat", **options)
