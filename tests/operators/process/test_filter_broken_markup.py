"""Leaked tokens, torn tags and open fences; and text that is about them."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.process.filter_broken_markup import FilterBrokenMarkup

BROKEN = {
    "Hello<|im_end|>": ("stray_tokens", "1"),
    "<|im_start|>user\nHi<|im_end|>": ("stray_tokens", "2"),
    "<|eot_id|><|endoftext|><|assistant|>": ("stray_tokens", "3"),
    "[INST] Hi [/INST]": ("stray_tokens", "2"),
    "<<SYS>> be good": ("stray_tokens", "1"),
    "Hello</s>": ("stray_tokens", "1"),
    "<s> Hello": ("stray_tokens", "1"),
    "Done.<end_of_turn>": ("stray_tokens", "1"),
    "Done.<｜end▁of▁sentence｜>": ("stray_tokens", "1"),
    "Done.\n### Human: more": ("stray_tokens", "1"),
    "[CLS] Hi [PAD] [PAD]\n[PAD]": ("stray_tokens", "2"),
    "Hi<pad><unk>": ("stray_tokens", "2"),
    "<think>hm\nYes.": ("unpaired_tags", "1"),
    "hm</think> Yes.": ("unpaired_tags", "1"),
    "</think>hm<think> Yes.": ("unpaired_tags", "2"),
    "<think>a<think>b</think> Yes.": ("unpaired_tags", "1"),
    "<tool_call>{}": ("unpaired_tags", "1"),
    "<answer>4</answer></answer>": ("unpaired_tags", "1"),
    "<tool_call></tool_call>": ("broken_calls", "1"),
    '<tool_call>{"arguments": {}}</tool_call>': ("broken_calls", "1"),
    '<tool_call>{"name": "f", "arguments": {"a": }}</tool_call>': ("broken_calls", "1"),
    "<function_call>[]</function_call> <tool_call>{'name': 'f'}</tool_call>": ("broken_calls", "2"),
    "See:\n```python\nprint(1)\n": ("open_fences", "1"),
    "1. ```\nx\n```\n```": ("open_fences", "1"),
    "<think>a</think>\n<thinking>\n```\nb\n```\n</thinking>\u200b\n": ("thinking_only", "1"),
}
WHOLE = [
    "Hello.",
    "",
    "<s>old</s> new",
    "Write `<|im_start|>` before and `</think>` after.",
    "```\n<|endoftext|> <think>\n```",
    "f <| x |> g, and a<|b",
    "BERT reads [CLS] first, hides words behind [MASK] and ends with [SEP].",
    "<think>Code.</think>\n```\nprint(1)\n```",
    "An [INSTALL] note.\n### Instructions:\nStir.",
    "<think>hm</think> Yes. <answer>4</answer>",
    '<think>a <tool_call>{"name": "f"}</tool_call></think> b',
    '<tool_call>[{"name": "f", "arguments": {"a": "x < y"}}, {"name": "g"}]</tool_call>',
    "<tool_call><function=f><parameter=a>1</parameter></function></tool_call>",
    "Write `<tool_call>{}</tool_call>` for a call of nothing.",
    "```python\nprint(1)\n```",
    "````md\n```python\nprint(1)\n```\n````",
    "````md\n```python\n````",
    "- ```sh\n  ls\n  ```",
    "Use ```x``` inline.",
    "I think <thin> lines.",
]
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def test_what_is_broken_is_removed(apply) -> None:
    operator = FilterBrokenMarkup(column="text")
    kept, removed = apply(operator, pl.DataFrame({"text": list(BROKEN)}))
    assert kept["text"].to_list() == []
    assert removed.select("rule", "measured").rows() == list(BROKEN.values())


def test_what_is_whole_is_kept(apply) -> None:
    _, removed = apply(FilterBrokenMarkup(column="text"), pl.DataFrame({"text": WHOLE}))
    assert removed.is_empty()


def test_rules_can_be_switched_off(apply) -> None:
    off = FilterBrokenMarkup(
        column="text",
        max_stray_tokens=None,
        max_unpaired_tags=None,
        max_broken_calls=None,
        max_open_fences=None,
        max_thinking_only=None,
    )
    assert apply(off, pl.DataFrame({"text": list(BROKEN)}))[1].is_empty()
    few = FilterBrokenMarkup(column="text", tags=("answer",), max_stray_tokens=9)
    kept, _ = apply(few, pl.DataFrame({"text": ["hm</think> Yes."]}))
    assert kept.drop("text").row(0) == (0, 0, 0, 0, 0)
    with pytest.raises(ValidationError, match="'<think>' is no name of a tag"):
        FilterBrokenMarkup(tags=("<think>",))


def test_tokens_count_in_any_role_tags_and_fences_in_answers(apply) -> None:
    rows = [
        [{"role": "user", "content": "Hi<|im_end|>"}, {"role": "assistant", "content": "Hi"}],
        [{"role": "user", "content": "Think in <think>.\n```"}, {"role": "tool", "content": None}],
        [],
        [None],
        None,
    ]
    frame = pl.DataFrame({"messages": rows}, {"messages": MESSAGES})
    _, removed = apply(FilterBrokenMarkup(), frame)
    assert removed["row"].to_list() == [0, 4]
    assert set(removed["rule"]) == {"stray_tokens"}


def test_thoughts_before_a_tool_call_need_no_answer(apply) -> None:
    call = [{"name": "f"}]
    rows = [
        [("user", "<think>a</think>", None), ("assistant", "<think>a</think>", None)],
        [("assistant", "<think>a</think>", None), ("user", "b", None)],
        [("assistant", "<think>a</think>", call)],
        [("assistant", "<think>a</think>", None), ("tool_call", "f()", None)],
        [("assistant", "<think>a</think>", None), ("assistant", "b", None)],
    ]
    names = ("role", "content", "tool_calls")
    chats = [[dict(zip(names, turn, strict=True)) for turn in row] for row in rows]
    message = pl.Struct(
        {
            "role": pl.String,
            "content": pl.String,
            "tool_calls": pl.List(pl.Struct({"name": pl.String})),
        }
    )
    frame = pl.DataFrame({"messages": chats}, {"messages": pl.List(message)})
    _, removed = apply(FilterBrokenMarkup(), frame)
    assert removed.select("row", "rule").rows() == [(0, "thinking_only"), (1, "thinking_only")]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(tags=st.lists(st.sampled_from(["<think>", "</think>"]), max_size=7))
def test_tags_are_left_when_pairs_are_taken(apply, tags: list[str]) -> None:
    opened = left = 0
    for tag in tags:
        if tag == "<think>":
            left += opened
            opened = 1
        else:
            left += not opened
            opened = 0
    kept, _ = apply(
        FilterBrokenMarkup(column="text", max_unpaired_tags=99, max_thinking_only=None),
        pl.DataFrame({"text": [" x ".join(tags)]}),
    )
    assert kept["unpaired_tags"].item() == left + opened
