"""Rows that ask the same are found, and those that are answered differently are told."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.deduplicate_prompts import DeduplicatePrompts

ROWS = [
    ("What is 2+2?", "4"),
    ("what is  2+2?", "4 "),
    ("What is 2+2?", "5"),
    ("What is 2+3?", "5"),
    ("What is 2+2?", "5"),
    (None, "x"),
    (None, "x"),
    ("unanswered", None),
    ("unanswered", None),
]


def decide(frame: pl.DataFrame, **options):
    operator = DeduplicatePrompts.model_validate(options)
    row = pl.int_range(pl.len(), dtype=pl.UInt64).alias("row")
    found = operator.decide(frame.select(row, **operator.columns(frame.schema)), lambda *_: frame)
    gone = found.removed.sort("row")
    return list(gone.select("row", "rule", "survivor").iter_rows()), found


@pytest.fixture
def columns() -> pl.DataFrame:
    return pl.DataFrame(ROWS, {"q": pl.String, "a": pl.String}, orient="row")


@pytest.mark.parametrize(
    ("conflicts", "gone"),
    [
        (
            "keep",
            [(1, "same_prompt", 0), (4, "same_prompt", 2), (8, "same_prompt", 7)],
        ),
        (
            "merge",
            [
                (1, "same_prompt", 0),
                (2, "conflicting_answer", 0),
                (4, "conflicting_answer", 0),
                (8, "same_prompt", 7),
            ],
        ),
        (
            "drop",
            [
                (0, "conflicting_answer", None),
                (1, "conflicting_answer", None),
                (2, "conflicting_answer", None),
                (4, "conflicting_answer", None),
                (8, "same_prompt", 7),
            ],
        ),
    ],
)
def test_conflicts_are_kept_merged_or_dropped(columns, conflicts: str, gone: list) -> None:
    decided, found = decide(columns, prompt=["q"], answer=["a"], conflicts=conflicts)
    assert decided == gone
    counts = dict(found.annotations.iter_rows())
    assert counts == {0: 2, 1: 2, 2: 2, 3: 1, 4: 2, 7: 1, 8: 1}
    assert list(found.pairs.select("row", "other").iter_rows()) == [(2, 0), (4, 0)]
    assert [(name, value) for name, _, value in found.metrics] == [
        ("prompts_asked_again", 2),
        ("prompts_in_conflict", 1),
    ]


def test_the_last_answer_of_a_chat_answers_what_comes_before_it() -> None:
    def chat(*turns: str) -> list[dict]:
        roles = {"u": "user", "a": "assistant", "s": "system"}
        return [{"role": roles[turn[0]], "content": turn[2:]} for turn in turns]

    chats = [
        chat("u:hi", "a:hello"),
        chat("u:Hi", "a:hello"),
        chat("u:hi", "a:good day"),
        chat("u:hi", "a:hello", "u:more", "a:x"),
        chat("u:hi", "a:good day", "u:more", "a:x"),
        chat("u:hi"),
        chat("s:be kind", "u:hi", "a:hello"),
        None,
        [],
    ]
    kind = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    frame = pl.DataFrame({"messages": chats}, {"messages": kind})
    decided, found = decide(frame, prompt=["messages"])
    assert decided == [(1, "same_prompt", 0)]
    assert dict(found.annotations.iter_rows()) == {0: 2, 1: 2, 2: 2, 3: 1, 4: 1, 6: 1}


def test_texts_need_an_answer_by_name(columns) -> None:
    with pytest.raises(SeedbedError, match="name the columns of the answer"):
        decide(columns, prompt=["q"])
    with pytest.raises(ValueError, match="name the columns of the answer"):
        decide(columns, prompt=["q", "a"])
