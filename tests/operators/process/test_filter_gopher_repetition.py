"""Gopher's repetition rules: each at, just inside and just outside its threshold."""

from __future__ import annotations

import re
from collections import Counter

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.operators.process.filter_gopher_repetition import FilterGopherRepetition

OFF = {field: None for field in FilterGopherRepetition.model_fields if field.startswith("max_")}


def texts(*values: str | None) -> pl.DataFrame:
    return pl.DataFrame({"row": range(len(values)), "text": values}, {"row": int, "text": str})


@pytest.mark.parametrize(
    ("setting", "stays", "goes", "measured"),
    [
        (
            {"max_copied_paragraphs": 0.3},
            ["\n\n".join([*"bcdefg", *"bbb"[:n]]) + "\n\n\n" for n in (0, 2)] + ["a\na\na"],
            "b\n\nb\n\n\nc",
            "0.333",
        ),
        (
            {"max_copied_paragraphs": 0.3},
            ["\n\n".join([*"bcdefgh", *"bbb"])],
            "\n\n".join([*"bcdefg", *"bbb"]),
            "0.333",
        ),
        ({"max_copied_paragraph_characters": 0.2}, ["b\n\nb\n"], "b\n\nb", "0.25"),
        ({"max_copied_lines": 0.3}, ["\n".join([*"bcdefgh", *"bbb"])], "b\nb\n\nc", "0.333"),
        (
            {"max_copied_line_characters": 0.2},
            ["bc\nbc\ndef\n", "bc\nbc\nd\nef"],
            "bc\nbc\nde",
            "0.25",
        ),
        ({"max_top_ngram_characters": {2: 0.6}}, ["b c d", "b c d c"], "b c b c", "0.857"),
        ({"max_top_ngram_characters": {3: 0.5}}, ["b c", "b"], "b c d", "1.0"),
        ({"max_copied_ngram_characters": {2: 0.25}}, ["b c b c ", "b c d"], "b c b c", "0.285"),
        ({"max_copied_ngram_characters": {1: 0.1}}, ["b c d e b  ", "b c"], "b b", "0.333"),
    ],
    ids=str,
)
def test_a_rule_at_and_about_its_threshold(setting, stays, goes, measured, apply) -> None:
    operator = FilterGopherRepetition.model_validate({"column": "text", **OFF, **setting})
    kept, removed = apply(operator, texts(*stays, goes, None, ""))
    assert kept["text"].to_list() == stays
    field, bound = next(iter(setting.items()))
    if isinstance(bound, dict):
        field = field.replace("ngram", f"{next(iter(bound))}gram")
    assert removed["rule"].to_list() == [field] * 3
    assert removed["measured"][0].startswith(measured)
    assert removed["measured"].to_list()[1:] == [None, None]


def test_every_value_is_kept_with_the_row(apply) -> None:
    kept, _ = apply(
        FilterGopherRepetition(column="text"), texts(" ".join("bcdefghijk") + " " + "x" * 90)
    )
    measured = [name for name in kept.columns if name.startswith("text_gopher_")]
    assert len(measured) == 4 + 3 + 6
    assert kept.select(measured).null_count().sum_horizontal().item() == 0


def test_an_ngram_without_words_is_refused() -> None:
    with pytest.raises(ValidationError, match="an n-gram has 1 to 100 words, not 0"):
        FilterGopherRepetition(column="text", max_top_ngram_characters={0: 0.1})


@settings(max_examples=80, deadline=None, derandomize=True)
@given(rows=st.lists(st.text("ab é日\n", max_size=40), max_size=5))
def test_counts_are_those_of_plain_python(rows: list[str]) -> None:
    from dagster_project.operators.kernels.text_measures import repeated_ngrams, repeated_sections

    series = pl.Series(rows, dtype=pl.String)
    for newlines, trim in ((1, False), (2, True)):
        found = repeated_sections(series, newlines, trim=trim).rows()
        for text, counts in zip(rows, found, strict=True):
            expected = sections(text.strip() if trim else text, newlines) if text else (0, 0, 0)
            assert counts == expected
    for text, counts in zip(rows, repeated_ngrams(series, [2, 3], [1, 2]).rows(), strict=True):
        words = text.split()
        assert counts == (top(words, 2), top(words, 3), copied(words, 1), copied(words, 2))


def sections(text: str, newlines: int) -> tuple[int, int, int]:
    parts = re.split(f"\n{{{newlines},}}", text)
    copies = [part for index, part in enumerate(parts) if part in parts[:index]]
    return len(parts), len(copies), sum(map(len, copies))


def top(words: list[str], size: int) -> int:
    runs = Counter(" ".join(words[at : at + size]) for at in range(len(words) - size + 1))
    return next((len(run) * times for run, times in runs.most_common(1)), 0)


def copied(words: list[str], size: int) -> int:
    seen, at, characters = set(), 0, 0
    while at + size <= len(words):
        run = tuple(words[at : at + size])
        if run in seen:
            characters += sum(map(len, run))
            at += size
        else:
            seen.add(run)
            at += 1
    return characters
