"""Answers that were cut off, and whole ones that end without a full stop."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.process.filter_truncated import FilterTruncated

START = "Rome was the capital of a large empire for many centuries. It "
CUT = {
    START + "fell because of the": "dangling_end",
    START + "had many emperors, senators,": "dangling_end",
    "There are several reasons why the empire fell, and most of them are": "dangling_end",
    START + "was ruled by emper": "no_full_stop",
    START + "was ruled by emperors who were often well-": "no_full_stop",
    "Here is the code:\n```python\nprint(1)": "open_fence",
    START + "fell.\n\n…continued": "continued",
    START + "fell. [to be continued]": "continued",
    START + "fell.\n\n(continued in the next message)": "continued",
    "罗马曾是一个大帝国的首都，有许多皇帝、元老和将军，": "dangling_end",
    "罗马曾是一个大帝国的首都，这个帝国后来灭亡，是因为": "dangling_end",
    "罗马曾是一个大帝国的首都。它的皇帝们在城里修建宫殿、广场、浴场，并且在城外修建": "no_full_stop",
    "ローマは長い間、大きな帝国の首都でした。それは多くの皇帝によって統治され": "no_full_stop",
    "로마는 큰 제국의 수도였습니다. 많은 황제들이 이 도시에 궁전과 광장을 짓고 성벽을": "no_full_stop",
    "罗马曾是一个大帝国的首都。\n（未完待续）": "continued",
}
WHOLE = [
    "",
    "42",
    "Paris",
    "Yes, of course",
    START + "fell.",
    START + 'was called "eternal"',
    START + "fell (in 476)",
    START + "fell 😀",
    START + "fell:\n\n- the army was weak\n- the money was worth less than ever before",
    START + "fell.\n\n3. The last emperor was deposed. He was a child of only about ten years",
    START + "fell.\n\n| year | what happened in that year. Nothing else of note was seen then |",
    START + "is described in more detail at https://example.com/a/history/of/rome",
    START + "fell. You may write to me. My address is marcus.aurelius@example.com",
    START + "fell.\n\nYours sincerely,\nMarcus Aurelius",
    START + "is a place I love to visit. Yours in hope and anticipation, Marcus Aurelius",
    START + "is a place I love to visit. See you there soon! #rome #travel #Empire",
    "The woods are lovely dark and deep\nBut I have promises to keep\nAnd miles to go",
    "I wandered lonely as a cloud that floats on high over vales and hills",
    "```python\nprint(1)\n```",
    "import os\nfor name in os.listdir(path): print(name) if name.endswith(suffix) else None",
    "ローマは長い間、大きな帝国の首都でした。それは多くの皇帝によって統治された",
    "罗马曾是一个大帝国的首都。你可以先读这本书，再去看看那里的遗迹就可以了",
    "이 문제는 아주 쉽습니다. 먼저 설정을 열고 화면을 눌러서 글자 크기를 바꾸면 다 돼요",
    "To be continued is a phrase.",
    "If you want more, I can continue.",
]
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


@pytest.mark.parametrize(("text", "rule"), CUT.items())
def test_what_was_cut_off_is_removed(apply, text: str, rule: str) -> None:
    frame = pl.DataFrame({"text": [text + " \n"]})
    _, removed = apply(FilterTruncated(column="text"), frame)
    assert removed["rule"].to_list() == [rule]
    assert text.endswith(removed["measured"].item()) or rule == "open_fence"
    _, removed = apply(FilterTruncated.model_validate({"column": "text", rule: False}), frame)
    assert removed.is_empty()


def test_what_is_whole_is_kept(apply) -> None:
    kept, removed = apply(FilterTruncated(column="text"), pl.DataFrame({"text": WHOLE}))
    assert removed.is_empty()
    assert kept.drop("text").null_count().row(0) == (len(WHOLE),) * 4


def test_the_last_turn_of_the_assistant_counts(apply) -> None:
    cut, whole = next(iter(CUT)), WHOLE[4]
    rows = [
        [("assistant", cut), ("user", "Go on."), ("assistant", whole)],
        [("user", whole), ("assistant", whole), ("user", cut)],
        [("user", "?"), ("assistant", cut)],
        [("assistant", None)],
        [],
    ]
    chats = [[{"role": role, "content": content} for role, content in row] for row in rows]
    frame = pl.DataFrame({"messages": [*chats, None]}, {"messages": MESSAGES})
    _, removed = apply(FilterTruncated(), frame)
    assert removed["row"].to_list() == [2, 5]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(texts=st.lists(st.text("ab .,!?\n", max_size=60), max_size=5))
def test_a_full_stop_makes_an_answer_whole(apply, texts: list[str]) -> None:
    frame = pl.DataFrame({"text": [f"{text}a." for text in texts]}, {"text": pl.String})
    assert apply(FilterTruncated(column="text"), frame)[1].is_empty()
