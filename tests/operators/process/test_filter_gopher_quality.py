"""Gopher's quality rules: each at, just inside and just outside its threshold."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.process.filter_gopher_quality import FilterGopherQuality

OFF = {
    field: None for field in FilterGopherQuality.model_fields if field.startswith(("min_", "max_"))
}


def texts(*values: str | None) -> pl.DataFrame:
    return pl.DataFrame({"row": range(len(values)), "text": values}, {"row": int, "text": str})


@pytest.mark.parametrize(
    ("rule", "stays", "goes", "measured"),
    [
        ("min_words", ["a " * 50, "a " * 51], "a , " * 49, "49"),
        ("max_words", ["a " * 100_000, "a " * 99_999 + ". ."], "a " * 100_001, "100001"),
        ("min_mean_word_length", ["abc , .", "abcd abc"], "abc ab", "2.5"),
        ("max_mean_word_length", ["a" * 10, "a" * 9], f"{'a' * 10} {'a' * 11}", "10.5"),
        ("max_hashes_per_word", ["# " + "a " * 9, "# " + "a " * 10], "# " + "a " * 8, "0.11111"),
        ("max_ellipses_per_word", ["… " + "a " * 9, "a " * 9 + "..."], "a a ... …", "0.5"),
        ("max_bullet_lines", ["- a\n" * 9 + "a", "-\n• b\na"], "• a\n\t-b\r\n -c", "1.0"),
        ("max_ellipsis_lines", ["a...\nb… \nc...\n" + "d\n" * 7, "a"], "a ...\nb", "0.5"),
        ("min_alphabetic_words", ["a b c d 1", "a b c d e ."], "a b c 1", "0.75"),
        ("min_stop_words", ["the of", "the, of that"], "the the Of", "1"),
    ],
)
def test_a_rule_at_and_about_its_threshold(rule, stays, goes, measured, apply) -> None:
    default = FilterGopherQuality.model_fields[rule].default
    operator = FilterGopherQuality.model_validate({"column": "text", **OFF, rule: default})
    kept, removed = apply(operator, texts(*stays, goes, None))
    assert kept["text"].to_list() == stays
    assert kept[f"text_gopher_{rule[4:]}"].null_count() == 0
    assert removed["rule"].to_list() == [rule, rule]
    assert removed["measured"][0].startswith(measured)
    assert removed["measured"][1] is None


def test_the_first_rule_that_is_broken_is_told_and_an_empty_text_goes(apply) -> None:
    prose = "It is the rule that those who have had to wait go first, and that the rest follow. "
    kept, removed = apply(FilterGopherQuality(column="text"), texts(prose * 4, "", "# # #", None))
    assert kept["row"].to_list() == [0]
    assert removed["rule"].to_list() == ["min_words"] * 3
    assert removed["measured"].to_list() == ["0", "0", None]
    assert removed["threshold"][0] == ">= 50"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop, we'll go.", "Do|n't|stop|,|we|'ll|go|."),
        ("It’s the U.S. dollar ($5.50)...", "It|’s|the|U.S.|dollar|(|$|5.50|)|..."),
        ("a well-known e.g. and/or x=y", "a|well|-|known|e.g.|and/or|x|=|y"),
        ("ran 5km at 9am :-) cannot", "ran|5|km|at|9|am|:-)|can|not"),
        ("see https://a.io/b-c, or me@a-b.de!", "see|https://a.io/b-c|,|or|me@a-b.de|!"),
        ("end.Next obj.method() {x}", "end|.|Next|obj.method|(|)|{|x|}"),
        ("«Ça va?» — 日本語。 👍🏽", "«|Ça|va|?|»|—|日本語|。|👍|🏽"),
        ("\u00a0'quoted' ''", "'|quoted|'|''"),
    ],
)
def test_words_are_cut_as_spacy_does(text: str, words: str) -> None:
    assert cut(text) == words.split("|")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.text() | st.text("a1.…'-:/@)(<3é漢\u0301\u200d👍 \n\x1c", max_size=30))
def test_words_are_all_of_the_text_but_white_space(text: str) -> None:
    assert "".join(cut(text)) == "".join(text.split())


def cut(text: str) -> list[str]:
    """The words of a text."""
    import numpy as np

    from dagster_project.operators.kernels import english_word_tables, english_words

    data = np.frombuffer(text.encode() or b"\0", np.uint8)
    points = np.empty(len(data), np.int32)
    starts, ends, later = (np.empty(len(data), np.int64) for _ in range(3))
    count = english_words.decode_text(data, 0, len(text.encode()), points)
    words = english_words.cut_words(
        points, count, english_word_tables.word_tables(), starts, ends, later
    )
    return [text[start:end] for start, end in zip(starts[:words], ends[:words], strict=True)]
