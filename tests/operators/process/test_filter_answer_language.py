"""Answers in another language than the prompt's."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.filter_answer_language import FilterAnswerLanguage

ENGLISH = "The weather was very nice yesterday, so we went for a long walk in the forest."
GERMAN = "Das Wetter war gestern sehr schön, deshalb haben wir einen langen Spaziergang gemacht."
DANISH = "Vejret var meget dejligt i går, så vi gik en lang tur i skoven sammen med børnene."
NORWEGIAN = "Været var veldig fint i går, så vi gikk en lang tur i skogen sammen med barna våre."
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))


def frame(*rows: tuple[str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(rows, {"p": pl.String, "a": pl.String}, orient="row")


def test_only_a_clear_difference_counts(apply) -> None:
    rows = frame(
        (ENGLISH, ENGLISH),
        (GERMAN, ENGLISH),
        (ENGLISH, "Ja, gern."),
        (ENGLISH, "```\n" + GERMAN + "\n```"),
        (DANISH, NORWEGIAN),
        (f"Translate: {ENGLISH}", GERMAN),
        (f"{ENGLISH} Say it in German.", GERMAN),
        (f"Übersetze bitte: {GERMAN}", ENGLISH),
        (None, GERMAN),
        (ENGLISH, ""),
        (ENGLISH, None),
    )
    kept, removed = apply(FilterAnswerLanguage(column="a", prompt="p"), rows)
    assert removed.select("row", "rule", "measured").rows() == [
        (1, "answer_language", "de, answered in en"),
        (10, "answer_language", None),
    ]
    assert kept["other_language"].null_count() == kept.height
    assert kept["answer_language"][4] == "de"
    strict = FilterAnswerLanguage(column="a", prompt="p", exempt=None)
    assert apply(strict, rows)[1]["row"].to_list() == [1, 5, 6, 7, 10]
    sure = FilterAnswerLanguage(column="a", prompt="p", exempt=None, min_confidence=1.0)
    assert apply(sure, rows)[1]["row"].to_list() == [10]


def test_few_letters_tell_a_language_with_a_script_of_its_own(apply) -> None:
    rows = frame(
        ("お湯の沸かし方を教えてください。", ENGLISH),
        (ENGLISH, "어제는 날씨가 좋았습니다."),
        (ENGLISH, "Вчера была очень хорошая погода."),
        ("日本の首都はどこですか。", "東京"),
        ("Какая вчера была погода?", "Погода була дуже гарна."),
        ("英語で自己紹介を書いてください。", ENGLISH),
        ("영어로 자기소개를 써 주세요.", ENGLISH),
        ("Как это будет по-английски, скажи, пожалуйста?", ENGLISH),
    )
    _, removed = apply(FilterAnswerLanguage(column="a", prompt="p"), rows)
    assert removed.select("row", "measured").rows() == [
        (0, "ja, answered in en"),
        (1, "en, answered in ko"),
        (2, "en, answered in ru"),
    ]


def test_all_turns_of_a_role_are_one_text(apply) -> None:
    rows = [
        [("system", ENGLISH), ("user", GERMAN), ("assistant", GERMAN)],
        [("user", GERMAN), ("assistant", ENGLISH), ("user", GERMAN), ("assistant", ENGLISH)],
        [("user", GERMAN)],
        [],
    ]
    chats = [[{"role": role, "content": content} for role, content in row] for row in rows]
    chat = pl.DataFrame({"messages": [*chats, [None], None]}, {"messages": MESSAGES})
    _, removed = apply(FilterAnswerLanguage(), chat)
    assert removed["row"].to_list() == [1, 5]


def test_misuse_is_named(apply) -> None:
    with pytest.raises(SeedbedError, match="name the column of the prompts in `prompt`"):
        apply(FilterAnswerLanguage(column="a"), frame((ENGLISH, GERMAN)))
    with pytest.raises(ValidationError, match="not a regular expression"):
        FilterAnswerLanguage(exempt="(")
