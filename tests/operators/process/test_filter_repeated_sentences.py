"""Answers that loop."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.process.filter_repeated_sentences import FilterRepeatedSentences

LINES = [f"This is sentence number {word}" for word in ("one", "two", "three", "four", "five")]
TEXTS = {
    ". ".join(LINES): 0.0,
    ". ".join([LINES[0]] * 5): 0.8,
    "\n".join([LINES[0], LINES[0].upper() + "!", "- " + LINES[1], LINES[2]]): 0.25,
    ". ".join([LINES[0]] * 3): 0.0,
    "Thank you! " * 20: 0.0,
    "1 2 3 4 5 6\n" * 9: 0.0,
    "| this is a row |\n" * 9: 0.0,
    "total = total + next value\n" * 9: 0.0,
    "```\n" + "print this again and again\n" * 9 + "```": 0.0,
    "これは文です。" * 9: 0.0,
    "": 0.0,
    "お茶は体にいい飲み物です。" * 5: 0.8,
    "他打开门走了进去！屋里什么也没有。" * 4: 0.75,
    "ชาเป็นเครื่องดื่มที่นิยมมาก\n" * 5: 0.8,
    "谢谢！再见。" * 9: 0.0,
}
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def test_shares(apply) -> None:
    frame = pl.DataFrame({"text": list(TEXTS)})
    kept, _ = apply(FilterRepeatedSentences(column="text", max_share=1), frame)
    assert kept["repeated_sentences"].to_list() == pytest.approx(list(TEXTS.values()))
    _, removed = apply(FilterRepeatedSentences(column="text"), frame)
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (row, "repeated_sentences", share, "<= 0.5")
        for row, share in [(1, "0.8"), (11, "0.8"), (12, "0.75"), (13, "0.8")]
    ]
    words = FilterRepeatedSentences(column="text", min_words=1, max_share=1)
    assert apply(words, frame)[0]["repeated_sentences"][9] == pytest.approx(8 / 9, abs=1e-4)


def test_answers_are_looked_at_one_by_one(apply) -> None:
    loop = ". ".join([LINES[0]] * 5)
    rows = [
        [("user", loop), ("assistant", LINES[0])] * 3,
        [("user", "?"), ("assistant", LINES[0]), ("user", "?"), ("assistant", loop)],
        [("assistant", None)],
        [],
    ]
    chats = [[{"role": role, "content": content} for role, content in row] for row in rows]
    frame = pl.DataFrame({"messages": [*chats, None]}, {"messages": MESSAGES})
    _, removed = apply(FilterRepeatedSentences(), frame)
    assert removed.select("row", "measured").rows() == [(1, "0.8"), (4, None)]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(numbers=st.lists(st.integers(0, 4), min_size=4, max_size=12))
def test_the_order_of_sentences_does_not_matter(apply, numbers: list[int]) -> None:
    texts = [". ".join(LINES[i] for i in order) for order in (numbers, sorted(numbers))]
    operator = FilterRepeatedSentences(column="text", max_share=1)
    kept, _ = apply(operator, pl.DataFrame({"text": texts}))
    expected = 1 - len(set(numbers)) / len(numbers)
    assert kept["repeated_sentences"].to_list() == pytest.approx([expected] * 2, abs=1e-4)
