"""Lengths: code points, words, and tokens as another implementation counts them."""

from __future__ import annotations

import bpe_openai
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.process.filter_length import FilterLength
from dagster_project.operators.process.measure_length import MeasureLength


@pytest.mark.parametrize("tokenizer", ["o200k", "cl100k"])
@settings(max_examples=12, deadline=None, derandomize=True)
@given(data=st.data())
def test_lengths_are_those_of_python_and_of_another_tokenizer(
    apply, texts, tokenizer, data
) -> None:
    rows = data.draw(st.lists(texts, max_size=8))
    operator = MeasureLength(column="text", tokenizer=tokenizer)
    kept, _ = apply(operator, pl.DataFrame({"text": rows}, {"text": pl.String}))
    oracle = bpe_openai.get_encoding(f"{tokenizer}_base")
    known = [text for text in rows if text is not None]
    measured = kept.drop_nulls("text")
    assert measured["characters"].to_list() == [len(text) for text in known]
    assert measured["tokens"].to_list() == [len(oracle.encode_ordinary(text)) for text in known]
    assert kept.filter(pl.col("text").is_null())["tokens"].null_count() == rows.count(None)


def test_words_are_runs_of_what_is_not_white_space(apply) -> None:
    texts = ["", " \n", "one  two\u00a0three\u2028four", "日本語の文章", "👍🏽 a-b", None]
    operator = MeasureLength(column="t", units=("words",), prefix="t_")
    kept, _ = apply(operator, pl.DataFrame({"t": texts}))
    assert kept["t_words"].to_list() == [0, 0, 4, 1, 2, None]


def test_a_chat_is_as_long_as_its_messages_together(apply) -> None:
    chats = [[{"content": "Hello world"}, {"content": None}, None, {"content": "日本"}], [], None]
    kept, _ = apply(MeasureLength(column="m", tokenizer="qwen3"), pl.DataFrame({"m": chats}))
    assert kept.select("characters", "words", "tokens").rows() == [
        (13, 3, 3),
        (0, 0, 0),
        (None,) * 3,
    ]


def test_special_tokens_in_a_text_are_text(apply) -> None:
    frame = pl.DataFrame({"t": ["<|im_start|>"]})
    kept, _ = apply(MeasureLength(column="t", units=("tokens",), tokenizer="qwen3"), frame)
    assert kept["tokens"].item() > 1


def test_each_bound_is_a_rule(apply) -> None:
    frame = pl.DataFrame({"t": ["one two", "one", "one two three four", "x" * 40 + " y", None]})
    operator = FilterLength(column="t", min_words=2, max_words=3, max_characters=20)
    kept, removed = apply(operator, frame)
    assert kept.columns == ["t", "t_characters", "t_words"]
    assert removed.select("row", "rule", "measured", "threshold").rows() == [
        (1, "min_words", "1", ">= 2"),
        (2, "max_words", "4", "<= 3"),
        (3, "max_characters", "42", "<= 20"),
        (4, "max_characters", None, "<= 20"),
    ]


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({}, "at least one bound"),
        ({"min_words": 3, "max_words": 2}, "at least 3 and at most 2 words"),
    ],
)
def test_bounds_make_sense(bounds: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        FilterLength.model_validate({"column": "t", **bounds})
