"""Profanity, told by a model whose file is the right one."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process import filter_profanity
from dagster_project.operators.process.filter_profanity import FilterProfanity

pytest.importorskip("profanity_check")

RUDE = "You are a fucking idiot"
CLEAN = "The sum of three and four is seven"
POLITE_HATRED = "I hate those people, they should all vanish"


def test_profanity_is_not_toxicity(apply) -> None:
    frame = pl.DataFrame({"text": [RUDE, CLEAN, POLITE_HATRED, "", None]})
    kept, removed = apply(FilterProfanity(column="text"), frame)
    assert kept["text"].to_list() == [CLEAN, POLITE_HATRED, ""]
    assert kept["profanity"].is_between(0, 0.3).all()
    assert removed["row"].to_list() == [0, 4]
    assert removed.row(0)[2] == "max_profanity" and removed.row(0)[4] == "<= 0.5"
    marked = FilterProfanity(column="text", max_profanity=None, prefix="a_")
    assert apply(marked, frame)[0]["a_profanity"].is_null().to_list() == [False] * 4 + [True]


def test_the_worst_message_counts_of_those_who_count(apply) -> None:
    chats = [
        [("user", CLEAN), ("assistant", RUDE), ("user", CLEAN)],
        [("user", RUDE), ("assistant", CLEAN)],
        [("system", RUDE), ("assistant", None)],
        [],
        None,
    ]
    rows = [chat and [{"role": r, "content": c} for r, c in chat] for chat in chats]
    kind = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
    frame = pl.DataFrame({"messages": rows}, {"messages": kind})
    assert apply(FilterProfanity(column="messages"), frame)[1]["row"].to_list() == [0, 1, 4]
    answers = FilterProfanity(column="messages", roles=("assistant",))
    kept, removed = apply(answers, frame)
    assert removed["row"].to_list() == [0, 4]
    assert kept["profanity"].to_list()[1:] == [0.0, 0.0]


@settings(max_examples=20)
@given(data=st.data())
def test_whatever_the_texts_and_the_batches(apply, texts, data) -> None:
    some = st.one_of(texts, st.sampled_from([RUDE, CLEAN, POLITE_HATRED]))
    rows = data.draw(st.lists(some, max_size=8))
    cuts = data.draw(st.lists(st.integers(0, 8), max_size=3))
    frame = pl.DataFrame({"text": rows}, {"text": pl.String})
    operator = FilterProfanity(column="text", max_profanity=None)
    whole, _ = apply(operator, frame)
    assert apply(operator, frame, cuts)[0].equals(whole)
    alone = [apply(operator, frame[at : at + 1])[0] for at in range(frame.height)]
    assert pl.concat([whole.clear(), *alone]).equals(whole)


def test_other_files_are_not_opened(apply, monkeypatch) -> None:
    wanted = dict.fromkeys(filter_profanity.FILES, "0" * 64)
    monkeypatch.setattr(filter_profanity, "FILES", wanted)
    filter_profanity._model.cache_clear()
    with pytest.raises(SeedbedError, match=r"vectorizer.joblib has sha256 19c5.* it is not opened"):
        apply(FilterProfanity(column="text"), pl.DataFrame({"text": [CLEAN]}))
    filter_profanity._model.cache_clear()


def test_another_version_is_refused_with_the_recipe(monkeypatch) -> None:
    monkeypatch.setattr(filter_profanity, "VERSION", "0.0")
    with pytest.raises(ValidationError, match=r"pip install 'seedbed\[profanity\]'"):
        FilterProfanity(column="text")
