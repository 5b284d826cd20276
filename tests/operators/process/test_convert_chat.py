"""What a target format holds comes back unchanged; what it does not is removed, never cut."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.convert_chat import ConvertChat

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.List(pl.String)})
CHAT = pl.List(MESSAGE)


def convert(source: str, target: str, **options) -> ConvertChat:
    return ConvertChat.model_validate({"from": source, "to": target, **options})


def said(*turns: tuple) -> list[dict]:
    return [dict(zip(("role", "content", "tool_calls"), turn, strict=False)) for turn in turns]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
@pytest.mark.parametrize(
    "target", ["sharegpt", "alpaca", "prompt_completion", "prompt_completion_messages"]
)
def test_messages_come_back_or_are_removed(apply, texts, target: str, data) -> None:
    roles = st.sampled_from(["system", "user", "assistant", "tool", "tool_call"])
    calls = st.sampled_from([None, [], ["f()"]])
    turn = st.tuples(roles, texts, calls).map(lambda turn: said(turn)[0])
    usual = st.tuples(texts, texts).map(lambda t: said(("user", t[0]), ("assistant", t[1])))
    chats = data.draw(st.lists(usual | st.lists(turn, max_size=4), max_size=6))
    frame = pl.DataFrame(
        {"row": range(len(chats)), "messages": chats}, {"row": int, "messages": CHAT}
    )
    there, removed = apply(convert("messages", target), frame)
    assert there.height + removed.height == len(chats)
    back, lost = apply(convert(target, "messages"), there.drop("chat_shape"))
    assert lost.is_empty()
    kept = frame.filter(pl.col("row").is_in(back["row"].implode()))
    for before, after in zip(kept["messages"], back["messages"], strict=True):
        for one, other in zip(before, after, strict=True):
            assert (one["role"], one["content"]) == (other["role"], other["content"])
            assert (one["tool_calls"] or None) == (other.get("tool_calls") or None)


def test_what_the_target_cannot_hold_is_removed_with_its_shape(apply) -> None:
    chats = [
        said(("system", "s"), ("user", "u"), ("assistant", "a")),
        said(("user", "u"), ("assistant", "a"), ("user", "u"), ("assistant", "a")),
        said(("user", "u"), ("assistant", None, ["f"])),
        said(("user", "u"), ("developer", "d")),
        said(("user assistant", "u")),
        [],
        None,
        [None],
    ]
    frame = pl.DataFrame({"messages": chats}, {"messages": CHAT})
    kept, removed = apply(convert("messages", "alpaca"), frame)
    assert kept.drop("chat_shape").to_dicts() == [
        {"instruction": "u", "input": "", "output": "a", "system": "s"}
    ]
    assert removed["measured"].to_list() == [
        "user assistant user assistant",
        "user assistant+tool_calls-content",
        "user developer",
        "user?assistant",
        "",
        "?",
        "?-content",
    ]
    assert set(removed["rule"]) == {"chat_shape"}
    assert set(removed["threshold"]) == {"[system] user assistant"}


def test_alpaca_with_input_system_and_history(apply) -> None:
    frame = pl.DataFrame(
        {
            "instruction": ["Sum.", "Go on.", None, "u"],
            "input": ["1 2", None, "", ""],
            "output": ["3", "b", "x", "a"],
            "system": ["", "Count.", None, None],
            "history": [None, [["Start.", "a"]], [], [["no", "pair", "here"]]],
        }
    )
    kept, removed = apply(convert("alpaca", "messages"), frame)
    assert kept.columns == ["chat_shape", "messages"]
    assert kept["messages"].to_list() == [
        [{"role": "user", "content": "Sum.\n1 2"}, {"role": "assistant", "content": "3"}],
        [
            {"role": "system", "content": "Count."},
            {"role": "user", "content": "Start."},
            {"role": "assistant", "content": "a"},
            {"role": "user", "content": "Go on."},
            {"role": "assistant", "content": "b"},
        ],
    ]
    assert removed["measured"].to_list() == [
        "user-content assistant",
        "user assistant-content user assistant",
    ]


def test_sharegpt_roles_and_own_names(apply) -> None:
    tags = ["system", "human", "function_call", "observation", "gpt"]
    frame = pl.DataFrame({"talk": [[{"from": tag, "value": tag} for tag in tags]]})
    names = {"conversations": "talk", "messages": "chat"}
    there, _ = apply(convert("sharegpt", "messages", names=names), frame)
    roles = there["chat"].explode().struct.field("role").to_list()
    assert roles == ["system", "user", "tool_call", "tool", "assistant"]
    back, _ = apply(convert("messages", "sharegpt", names=names), there.drop("chat_shape"))
    assert back["talk"].to_list() == frame["talk"].to_list()


def test_preferences(apply) -> None:
    texts = pl.DataFrame({"prompt": ["p", "p"], "chosen": ["c", None], "rejected": ["r", "r"]})
    messages, removed = apply(convert("preference", "preference_messages"), texts)
    assert removed["measured"].to_list() == ["user | assistant-content | assistant"]
    implicit, _ = apply(
        convert("preference_messages", "preference_implicit"), messages.drop("chat_shape")
    )
    assert [turn["content"] for turn in implicit["chosen"][0]] == ["p", "c"]
    back, _ = apply(
        convert("preference_implicit", "preference_messages"), implicit.drop("chat_shape")
    )
    assert back.select(messages.columns).equals(messages)
    again, _ = apply(convert("preference_messages", "preference"), back.drop("chat_shape"))
    assert again.drop("chat_shape").select(texts.columns).equals(texts[:1])


def test_answers_to_different_prompts_are_no_preference(apply) -> None:
    frame = pl.DataFrame(
        {
            "chosen": [said(("user", "p"), ("assistant", "c"))],
            "rejected": [said(("user", "other"), ("assistant", "r"))],
        }
    )
    _, removed = apply(convert("preference_implicit", "preference_messages"), frame)
    assert removed["measured"].to_list() == ["? | assistant | assistant"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ("preference", "messages", "no place for `rejected`"),
        ("messages", "preference", "needs a rejected answer"),
        ("messages", "messages", "nothing to convert"),
    ],
)
def test_impossible_conversions_are_refused(source: str, target: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        convert(source, target)
    with pytest.raises(ValidationError, match="neither format has 'x'"):
        convert("messages", "alpaca", names={"x": "y"})


def test_no_column_is_overwritten(apply) -> None:
    frame = pl.DataFrame({"messages": [[]], "output": ["mine"]}, {"messages": CHAT, "output": str})
    with pytest.raises(SeedbedError, match="there is a column 'output' already"):
        apply(convert("messages", "alpaca"), frame)
