"""Shouted lines become sentences."""

from __future__ import annotations

import polars as pl
import pytest

from dagster_project.operators.process.change_case import ChangeCase


def changed(apply, text: str, **options) -> tuple[str, int]:
    operator = ChangeCase.model_validate({"columns": ["text"], **options})
    return apply(operator, pl.DataFrame({"text": [text]}))[0].row(0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'M GOING OUT. ARE YOU? YES, AT 3.5 PM!", "I'm going out. Are you? Yes, at 3.5 pm!"),
        ('"STOP IT." HE SAID (LOUDLY) NO', '"Stop it." He said (loudly) no'),
        ("  ÉTÉ À LA PLAGE AVEC NOUS\nOk", "  Été à la plage avec nous\nOk"),
        ("日本 WE ALL LIKE ΣΟΦΟΣ HERE", "日本 we all like σοφος here"),
        ("NINE OF TEN LETTERS ARE BIG HERe", "Nine of ten letters are big here"),
    ],
)
def test_capitals_become_sentences(apply, text: str, expected: str) -> None:
    assert changed(apply, text) == (expected.replace("σοφος", "σοφος"), 1)


@pytest.mark.parametrize(
    "text",
    [
        "ONLY FOUR WORDS HERE",
        "NASA AND THE USA and many other words",
        "```\nSELECT A FROM B WHERE C\n```",
        "ID INT UNSIGNED AUTO_INCREMENT PRIMARY KEY",
        "SELECT A FROM B WHERE C;",
        "B7C1 C143 60F3 53A3 6862 E4D5 231C 84CD",
        "1 2 3 4 5 6 ... 日本語 日本語",
        "",
    ],
)
def test_other_lines_stay(apply, text: str) -> None:
    assert changed(apply, text) == (text, 0)


def test_options(apply) -> None:
    text = "THE USA AND NASA AGREE. I DO.\nNOW GO"
    assert changed(apply, text, words=["USA", "NASA", "I"], min_words=2) == (
        "The USA and NASA agree. I do.\nNow go",
        2,
    )
    assert changed(apply, text, all_caps="lower", words=[]) == (
        "the usa and nasa agree. i do.\nNOW GO",
        1,
    )
    mixed = "FIVE WORDS OF WHICH some are"
    assert changed(apply, mixed, min_share=0.6)[1] == 1
