"""Invisible characters go, those that belong to the writing stay."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.remove_characters import RemoveCharacters

ONE_OF_EACH = {
    "control": "\x07",
    "zero_width": "\u200b",
    "bidi": "\u202e",
    "bom": "\ufeff",
    "soft_hyphen": "\xad",
    "objects": "\ufffc",
    "private_use": "\uf0b7",
    "unassigned": "\uffff",
}


@pytest.mark.parametrize("kind", ONE_OF_EACH)
def test_each_kind_alone(apply, kind: str) -> None:
    text = "a" + "b".join(ONE_OF_EACH.values()) + "c"
    operator = RemoveCharacters.model_validate({"columns": ["text"], "kinds": [kind]})
    kept, _ = apply(operator, pl.DataFrame({"text": [text]}))
    assert kept.rows() == [(text.replace(ONE_OF_EACH[kind], ""), 1)]


def test_white_space_stays_and_terminal_escapes_go_whole(apply) -> None:
    text = "\ta\r\n\x0b\x0c\x85\u2028\xa0 \x1b[1;31mred\x1b[0m\x1b!\x00\x7f\x9f"
    kept, _ = apply(RemoveCharacters(columns=("text",)), pl.DataFrame({"text": [text]}))
    assert kept.rows() == [("\ta\r\n\x0b\x0c\x85\u2028\xa0 red!", 15)]


@pytest.mark.parametrize(
    "text",
    [
        "می\u200cخواهم",  # Persian
        "ക്\u200d ന്\u200d",  # Malayalam, at the end of words
        "क्\u200dष",
        "ភាសា\u200bខ្មែរ",  # Khmer
        "👩\u200d👩\u200d👧 👩🏽\u200d⚕\ufe0f ❤\ufe0f\u200d🔥",
        "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f",  # the flag of England
        "日本語 שלום é e\u0301",
    ],
)
def test_what_belongs_to_the_writing_stays(apply, text: str) -> None:
    frame = pl.DataFrame({"text": [text]})
    assert apply(RemoveCharacters(columns=("text",)), frame)[0].rows() == [(text, 0)]
    if "\u200b" in text or "\u200c" in text or "\u200d" in text:
        plain = "".join(c for c in text if c not in "\u200b\u200c\u200d")
        kept, _ = apply(RemoveCharacters(columns=("text",), keep_meant=False), frame)
        assert kept["text"].item() == plain


def test_joiners_elsewhere_and_hidden_tags_go(apply) -> None:
    texts = ["a\u200db\u200cc\u200b", "ی \u200cک", "👩\u200d x", "hi\U000e0068\U000e0069"]
    kept, _ = apply(RemoveCharacters(columns=("text",)), pl.DataFrame({"text": texts}))
    assert kept["text"].to_list() == ["abc", "ی ک", "👩 x", "hi"]
    assert kept["removed_characters"].to_list() == [3, 1, 1, 2]
