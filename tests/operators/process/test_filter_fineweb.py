"""FineWeb's rules: each at, just inside and just outside its threshold."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.filter_fineweb import FilterFineweb

OFF = {field: None for field in FilterFineweb.model_fields if field.startswith(("min_", "max_"))}
LONG = "x" * 31


def texts(*values: str | None) -> pl.DataFrame:
    return pl.DataFrame({"row": range(len(values)), "text": values}, {"row": int, "text": str})


@pytest.mark.parametrize(
    ("rule", "bound", "stays", "goes", "measured"),
    [
        ("min_punctuated_lines", 0.25, ["a.\nb\n \nc\nd", "a。"], "a.\nb\nc\nd\ne. ", "0.2"),
        ("max_short_lines", 0.5, [f"{LONG[:30]}\n\n{LONG}", LONG], f"a\nb\n{LONG}", "0.666"),
        ("max_copied_line_characters", 0.25, ["ab\nab\ncdef", "a\nb"], "ab\n\nab\ncde", "0.285"),
        ("max_newlines_per_word", 0.5, ["a\nb", "a b\n"], "a\nb\n\nc", "1.0"),
    ],
)
def test_a_rule_at_and_about_its_threshold(rule, bound, stays, goes, measured, apply) -> None:
    operator = FilterFineweb.model_validate({"column": "text", **OFF, rule: bound})
    kept, removed = apply(operator, texts(*stays, goes, None, ""))
    assert kept["text"].to_list() == stays
    assert kept[f"text_fineweb_{rule[4:]}"].null_count() == 0
    assert removed["rule"].to_list() == [rule] * 3
    assert removed["measured"][0].startswith(measured)
    assert removed["measured"].to_list()[1:] == [None, None]


def test_defaults_keep_prose_and_remove_a_list(apply) -> None:
    prose = "Whoever reads this line will find that it is a sentence.\nSo is this one, after it."
    kept, removed = apply(FilterFineweb(column="text"), texts(prose, "home\nabout\ncontact", "\n"))
    assert kept["row"].to_list() == [0]
    assert removed["rule"].to_list() == ["min_punctuated_lines"] * 2
    assert removed["measured"].to_list() == ["0.0", None]
