"""The language of texts, not of the code in them."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from dagster_project.operators.process.detect_language import DetectLanguage
from dagster_project.operators.process.filter_language import LANGUAGES, FilterLanguage

TEXTS = {
    "This is a sentence about nothing in particular.": "en",
    "THIS IS A SENTENCE ABOUT NOTHING IN PARTICULAR.": "en",
    "Dies ist ein Satz über gar nichts.": "de",
    "日本語の文章です。これは試験です。": "ja",
    "مرحبا بالعالم، هذه جملة قصيرة عن لا شيء": "ar",
    "Read this carefully, please:\n\n```python\nimport os\nfor x in y: print(x)\n```": "en",
    "Read this carefully, please:\n\n    import os\n    for x in y: print(x)\n": "en",
    "```\ndef f(x): return x\n```": None,
    ">>> def f(x): return x\n... \n": None,
    "123 + 456 👍 \0": None,
    " \n": None,
    "": None,
}


def test_languages(apply) -> None:
    frame = pl.DataFrame({"text": [*TEXTS, None, *TEXTS]})
    kept, _ = apply(DetectLanguage(column="text"), frame)
    assert kept["language"].to_list() == [*TEXTS.values(), None, *TEXTS.values()]
    known = kept["language"].is_not_null()
    assert kept["language_confidence"].is_not_null().equals(known)
    assert kept["language_confidence"].drop_nulls().is_between(0.5, 1).all()


def test_only_the_beginning_is_read(apply) -> None:
    english, german = list(TEXTS)[:3:2]
    frame = pl.DataFrame({"text": [german + " " + english * 20]})
    assert apply(DetectLanguage(column="text"), frame)[0]["language"].item() == "en"
    short = DetectLanguage(column="text", max_chars=len(german), into="l")
    assert apply(short, frame)[0]["l"].item() == "de"


def test_a_chat_is_one_text(apply) -> None:
    chat = [
        {"role": "user", "content": text}
        for text in ("Dies ist ein Satz.", None, "Und noch einer.")
    ]
    kept, _ = apply(DetectLanguage(column="messages"), pl.DataFrame({"messages": [chat]}))
    assert kept["language"].item() == "de"


def test_filter_names_the_rule_that_was_broken(apply) -> None:
    frame = pl.DataFrame({"text": [*list(TEXTS)[:3], "Hm ja no"]})
    kept, removed = apply(FilterLanguage(column="text", keep=("en", "es")), frame)
    assert kept["language"].to_list() == ["en", "en"]
    assert removed.select("row", "rule", "measured", "threshold").row(0) == (
        2,
        "language",
        "de",
        "in en, es",
    )
    strict = FilterLanguage(column="text", keep=tuple(LANGUAGES), min_confidence=1.0)
    assert set(apply(strict, frame[3:])[1]["rule"]) == {"language_confidence"}


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ValidationError, match="'english' is no language that the detector knows"):
        FilterLanguage(column="text", keep=("english",))
