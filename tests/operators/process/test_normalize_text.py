"""White space and Unicode forms, to the letter."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.normalize_text import NormalizeText

TEXT = " \n\r\n  if x:  \r\n\t y\u00a0 = 1\r\r\n\n \n\nﬁn e\u0301 \u200b \t"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "  if x:\n\t y\u00a0 = 1\n\nﬁn é \u200b"),
        ({"whitespace": "collapse"}, "if x:\ny = 1\n\nﬁn é \u200b"),
        ({"form": "NFKC"}, "  if x:\n\t y  = 1\n\nfin é \u200b"),
        ({"form": "none", "whitespace": "keep"}, TEXT),
        ({"form": "none"}, "  if x:\n\t y\u00a0 = 1\n\nﬁn e\u0301 \u200b"),
    ],
)
def test_forms_and_white_space(apply, options: dict[str, str], expected: str) -> None:
    operator = NormalizeText.model_validate({"columns": ["text"], **options})
    kept, _ = apply(operator, pl.DataFrame({"text": [TEXT, None, "", " \t\n", "a\0b"]}))
    blank = " \t\n" if options.get("whitespace") == "keep" else ""
    assert kept["text"].to_list() == [expected, None, "", blank, "a\0b"]


def test_messages_are_normalized_inside_and_keep_their_fields(apply) -> None:
    chat = [{"role": "user ", "content": "a \n", "weight": 1}, None, {"role": "x", "content": None}]
    dtype = pl.List(pl.Struct({"role": pl.String, "content": pl.String, "weight": pl.Int64}))
    frame = pl.DataFrame({"messages": [chat, [], None]}, {"messages": dtype})
    kept, _ = apply(NormalizeText(columns=("messages",)), frame)
    assert kept["messages"].to_list() == [
        [
            {"role": "user ", "content": "a", "weight": 1},
            None,
            {"role": "x", "content": None, "weight": None},
        ],
        [],
        None,
    ]
