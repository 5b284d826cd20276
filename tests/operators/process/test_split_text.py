"""The pieces are the text without what stands between them."""

from __future__ import annotations

import re

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.split_text import SplitText

MARKDOWN = "intro\n# A\ntext\n\n```\n# no heading\n```\n#hash\n## B\n### C\n####### no"


def pieces(apply, text: str | None, **options) -> list[str]:
    operator = SplitText.model_validate({"column": "t", **options})
    return apply(operator, pl.DataFrame({"t": [text]}, {"t": pl.String}))[0]["t"].to_list()


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        (" a\nb\n\n \n  c\n\t\r\n\r\nd\n\n", {}, [" a\nb", "  c", "d"]),
        ("a\r\n b \n\nc", {"at": "line"}, ["a", " b ", "c"]),
        (
            MARKDOWN,
            {"at": "heading"},
            ["intro", "# A\ntext\n\n```\n# no heading\n```\n#hash", "## B", "### C\n####### no"],
        ),
        ("a1b22c", {"at": r"\d+"}, ["a", "b", "c"]),
        (
            "one two threefour 五六七八",
            {"at": "line", "max_characters": 4},
            ["one", "two", "thre", "efou", "r", "五六七八"],
        ),
    ],
)
def test_pieces(apply, text: str, options: dict, expected: list[str]) -> None:
    assert pieces(apply, text, **options) == expected


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    data=st.data(),
    at=st.sampled_from(["paragraph", "line", "heading", "[ab]+"]),
    most=st.integers(1, 9),
)
def test_only_separators_and_white_space_go(apply, texts, data, at, most) -> None:
    text = data.draw(texts) or ""
    found = pieces(apply, text, at=at)
    unspaced = [re.sub(r"\s", "", part) for part in (text, "".join(found))]
    if at == "[ab]+":
        unspaced[0] = re.sub("[ab]+", "", unspaced[0])
    assert unspaced[0] == unspaced[1]
    position = 0
    for piece in found:
        position = text.index(piece, position) + len(piece)
    short = pieces(apply, text, at=at, max_characters=most)
    assert all(0 < len(piece) <= most for piece in short)
    assert re.sub(r"\s", "", "".join(short)) == unspaced[1]


def test_a_row_without_pieces_is_removed_and_others_keep_their_columns(apply) -> None:
    frame = pl.DataFrame({"id": [1, 2, 3], "t": ["a\n\nb", " \n", None]})
    kept, removed = apply(SplitText(column="t", into="part"), frame)
    assert kept.rows() == [(1, "a\n\nb", "a"), (1, "a\n\nb", "b")]
    assert removed.select("row", "rule").rows() == [(1, "no_pieces"), (2, "no_pieces")]


def test_misuse(apply) -> None:
    for pattern, message in (("(", "nor a regular expression"), ("x*", "matches an empty text")):
        with pytest.raises(ValidationError, match=message):
            SplitText(column="t", at=pattern)
    with pytest.raises(SeedbedError, match="there is a column 'id' already"):
        apply(SplitText(column="t", into="id"), pl.DataFrame({"id": [1], "t": ["a"]}))
