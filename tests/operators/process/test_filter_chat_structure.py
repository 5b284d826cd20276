"""Each rule of the structure of a chat, and what it leaves alone."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.filter_chat_structure import FilterChatStructure

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String, "tool_calls": pl.List(pl.String)})
LETTERS = {"s": "system", "u": "user", "a": "assistant", "c": "tool_call", "t": "tool", "x": "bot"}
GOOD = ["ua", "sua", "uaua", "uacta", "uctctta", "uata", "uatta", "suacctta"]
BAD = {
    "uax": "unknown_roles",
    "usa": "system_first",
    "ssua": "system_first",
    "au": "starts_with_user",
    "sa": "starts_with_user",
    "uau": "ends_with_assistant",
    "uact": "ends_with_assistant",
    "": "starts_with_user",
    "s": "starts_with_user",
    "uua": "turns_out_of_order",
    "uaa": "turns_out_of_order",
    "uta": "turns_out_of_order",
    "ucua": "turns_out_of_order",
    "uatua": "turns_out_of_order",
}


def chat(letters: str) -> list[dict]:
    return [{"role": LETTERS[letter], "content": letter, "tool_calls": None} for letter in letters]


def frame(*chats) -> pl.DataFrame:
    return pl.DataFrame({"messages": chats}, {"messages": pl.List(MESSAGE)})


def test_chats_in_order_are_kept(apply) -> None:
    kept, removed = apply(FilterChatStructure(), frame(*map(chat, GOOD)))
    assert removed.is_empty()
    assert kept["chat_roles"][1] == "system user assistant"
    assert kept["turns"].to_list() == [len(letters.replace("s", "")) for letters in GOOD]


@pytest.mark.parametrize(("letters", "rule"), BAD.items())
def test_each_rule(apply, letters: str, rule: str) -> None:
    _, removed = apply(FilterChatStructure(), frame(chat(letters)))
    assert removed["rule"].to_list() == [rule]
    others = {"unknown_roles": {"roles": None}, "turns_out_of_order": {"alternate": False}}
    off = others.get(rule, {rule: False})
    _, removed = apply(FilterChatStructure.model_validate(off), frame(chat(letters)))
    assert rule not in removed["rule"].to_list()


def test_empty_turns(apply) -> None:
    user, answer = chat("ua")
    chats = [
        [user, answer | {"content": None}],
        [user, answer | {"content": " \n\u3000\u200b\ufeff\u3164"}],
        [user | {"content": ""}, answer],
        [user, answer | {"content": None, "tool_calls": ["f"]}],
        [user, answer, chat("t")[0] | {"content": ""}, answer | {"content": "\u200b👍"}],
        [user, answer | {"content": None, "tool_calls": []}],
        [user, None, answer],
        None,
    ]
    _, removed = apply(FilterChatStructure(), frame(*chats))
    assert removed["row"].to_list() == [0, 1, 2, 5, 6, 7]
    assert set(removed["rule"]) == {"empty_turns"}
    assert removed["measured"].to_list() == ["1", "1", "1", "1", "1", None]
    _, removed = apply(FilterChatStructure(empty_turns=False), frame(*chats))
    assert dict(removed.select("row", "rule").rows()) == {6: "unknown_roles", 7: "unknown_roles"}


def test_number_of_turns(apply) -> None:
    chats = frame(*map(chat, ["sua", "uaua", "uauaua"]))
    _, removed = apply(FilterChatStructure(min_turns=3, max_turns=4), chats)
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (0, "min_turns", "2", ">= 3"),
        (2, "max_turns", "6", "<= 4"),
    ]
    with pytest.raises(ValidationError, match="no chat has at least 3 and at most 2 turns"):
        FilterChatStructure(min_turns=3, max_turns=2)


def test_a_role_with_a_space_is_not_two(apply) -> None:
    user, answer = chat("ua")
    _, removed = apply(FilterChatStructure(), frame([user | {"role": "user assistant"}, answer]))
    assert removed["measured"].to_list() == ["user?assistant assistant"]


def test_messages_need_roles(apply) -> None:
    with pytest.raises(SeedbedError, match="text fields `role` and `content`"):
        apply(FilterChatStructure(), pl.DataFrame({"messages": [[{"content": "a"}]]}))


@settings(max_examples=30, deadline=None, derandomize=True)
@given(pairs=st.integers(1, 5), system=st.booleans(), cut=st.integers(0, 9))
def test_a_turn_left_out_is_seen(apply, pairs: int, system: bool, cut: int) -> None:
    whole = "s" * system + "ua" * pairs
    torn = whole[system:][: cut % (2 * pairs)] + whole[system:][cut % (2 * pairs) + 1 :]
    kept, removed = apply(FilterChatStructure(min_turns=None), frame(chat(whole), chat(torn)))
    assert (kept.height, removed["row"].to_list()) == (1, [1])
