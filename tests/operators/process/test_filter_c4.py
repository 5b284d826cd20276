"""C4's rules: lines that go, and each rule at, just inside and just outside its threshold."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.filter_c4 import FilterC4

OFF = {field: None for field in FilterC4.model_fields if field.startswith(("min_", "max_"))}
GOOD = "This line is a sentence."


def texts(*values: str | None) -> pl.DataFrame:
    return pl.DataFrame({"row": range(len(values)), "text": values}, {"row": int, "text": str})


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        (f"  {GOOD}\t", GOOD),
        ('They said "so it is"', 'They said "so it is"'),
        ("Only three words.", "Only three words."),
        ("Two words.", None),
        ("This line has no end", None),
        ("This line trails off...", None),
        ("Cited [12] here[edit] and there.[citation needed]", "Cited  here and there."),
        (f"A long {'x' * 1000} word.", f"A long {'x' * 1000} word."),
        (f"A longer {'é' * 1001} word.", None),
        ("Please enable JavaScript to read.", None),
        ("We Use Cookies on this site.", None),
        (" ", None),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\u2028"])
def test_lines_that_go_are_counted(line: str, stays: str | None, end: str, apply) -> None:
    operator = FilterC4.model_validate({"column": "text", **OFF})
    kept, _ = apply(operator, texts(f"{GOOD}{end}{line}{end}"))
    assert kept["text"].item() == GOOD + (f"\n{stays}" if stays else "")
    assert kept["text_c4_removed_lines"].item() == (stays is None and line != " ")


@pytest.mark.parametrize(
    ("rule", "stays", "goes", "measured"),
    [
        ("min_sentences", [f"{GOOD} " * 5, f"{GOOD}\n" * 6], f"{GOOD} {GOOD}\n" * 2, "4"),
        ("max_lorem_ipsum_lines", [GOOD, "lorem ipsum"], "It says Lorem Ipsum.", "1"),
        ("max_curly_bracket_lines", [GOOD, "x = {"], f"{GOOD}\nA bracket {{ is here.", "1"),
    ],
)
def test_a_rule_at_and_about_its_threshold(rule, stays, goes, measured, apply) -> None:
    default = FilterC4.model_fields[rule].default
    operator = FilterC4.model_validate({"column": "text", **OFF, rule: default})
    kept, removed = apply(operator, texts(*stays, goes, None))
    assert kept["row"].to_list() == [0, 1]
    assert removed["rule"].to_list() == [rule, rule]
    assert removed["measured"].to_list() == [measured, None]


def test_what_takes_lines_can_be_switched_off(apply) -> None:
    text = "[1] no end\nx\nuse cookies and javascript " + "y" * 1001
    off = {name: False for name in FilterC4.model_fields if name.startswith("remove_")}
    operator = FilterC4.model_validate(
        {"column": "text", **OFF, **off, "line_words": None, "line_word_characters": None}
    )
    kept, _ = apply(operator, texts(text, ""))
    assert kept["text"].to_list() == [text, ""]
    assert kept["text_c4_removed_lines"].to_list() == [0, 0]
