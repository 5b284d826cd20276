from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import get_args

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.synthesize.degrade_answer import DegradeAnswer
from dagster_project.operators.synthesize.text.sentences import sentences
from dagster_project.operators.synthesize.text.worse_answers import Degradation, worse

ANSWER = "She sold 48 / 2 = 24 clips in May.\nIn all that makes 1,272.50 clips.\n1. So:\n#### 72"
OTHER = "Larks fly south."
SEEDS = [{"prompt": "How many?", "response": ANSWER}, {"prompt": "?", "response": OTHER}]


def all_of(kind: Degradation) -> list[str]:
    made = [worse(kind, ANSWER, OTHER, Random(number)) for number in range(30)]
    assert None not in made
    return [one for one in made if one is not None]


def test_truncated_within_a_sentence() -> None:
    whole = [part.strip() for part in sentences(ANSWER)]
    for made in all_of("truncated"):
        assert ANSWER.startswith(made)
        assert 0.2 <= len(made) / len(ANSWER) <= 0.8
        assert not any(made.endswith(part) or made.endswith(part.rstrip(".")) for part in whole)


def test_shuffled_and_dropped_keep_sentences_whole() -> None:
    said = [part.strip() for part in sentences(ANSWER)]
    for made in all_of("shuffled"):
        assert made != ANSWER
        assert Counter(part.strip() for part in sentences(made)) == Counter(said)
    for made in all_of("dropped"):
        left = [part.strip() for part in sentences(made)]
        assert len(left) == len(said) - 1
        assert [part for part in said if part in left] == left


def test_blocks_of_code_stay_blocks() -> None:
    answer = "Do this. Then that:\n```python\na = 1. \n```\nIt works. Really."
    for number in range(20):
        made = worse("shuffled", answer, "", Random(number))
        assert made is not None
        assert re.search(r"(?m)^```python\na = 1. \n``` ?$", made)
    assert worse("shuffled", "One. Two.", "", Random(0)) is None


def test_repeated_says_one_sentence_again() -> None:
    for made in all_of("repeated"):
        counts = Counter(part.strip() for part in sentences(made))
        assert sorted(counts.values())[:-1] == [1, 1, 1]
        assert 4 <= max(counts.values()) <= 7


def test_wrong_numbers_are_written_alike_and_the_last_one_is_wrong() -> None:
    for made in all_of("wrong_numbers"):
        assert not made.endswith(" 72")
        assert "1. So" in made
        assert re.sub(r"[\d,.]*\d", "N", made) == re.sub(r"[\d,.]*\d", "N", ANSWER)
        assert re.search(r"\d\.50 ", made)
    assert worse("wrong_numbers", "Version 1.2.3, that is all", "", Random(0)) != "Version 1.2.3"


@given(st.text(max_size=80), st.sampled_from(get_args(Degradation)), st.integers(0, 9))
def test_any_answer(answer: str, kind: Degradation, number: int) -> None:
    made = worse(kind, answer, "", Random(number))
    if kind == "off_topic":
        assert made is None
    if made is not None and kind == "wrong_numbers":
        assert made != answer


def test_pairs_of_texts(attempt) -> None:
    found, _ = attempt(DegradeAnswer(pairs=6), SEEDS)
    assert {one.values["degradation"] for one in found} == set(get_args(Degradation))
    for one in found:
        assert (one.values["prompt"], one.values["chosen"]) == ("How many?", ANSWER)
        assert one.values["rejected"] != ANSWER
        off_topic = one.values["degradation"] == "off_topic"
        assert one.seeds == ((0, 1) if off_topic else (0,))
        assert (one.values["rejected"] == OTHER) is off_topic


def test_pairs_of_chats(attempt) -> None:
    chat = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "How many?"},
        {"role": "assistant", "content": ANSWER},
        {"role": "user", "content": "Thanks"},
    ]
    generator = DegradeAnswer(messages="m", degradations=("wrong_numbers",))
    assert generator.seeds() == 1
    (one,), _ = attempt(generator, [{"m": chat}])
    assert one.values["prompt"] == chat[:3]
    assert one.values["chosen"] == [chat[3]]
    assert one.values["rejected"][0]["role"] == "assistant"
    assert not one.values["rejected"][0]["content"].endswith(" 72")


def test_the_same_answer_is_not_off_topic(attempt) -> None:
    generator = DegradeAnswer(degradations=("off_topic",))
    same = [{"prompt": "a", "response": "Larks fly."}, {"prompt": "b", "response": "larks, fly"}]
    for seeds in (same, same[:1]):
        found, _ = attempt(generator, seeds)
        assert [one.rejection.rule for one in found] == ["unchanged"]


@pytest.mark.parametrize("answer", [None, "", " \n"])
def test_no_answer(answer, attempt) -> None:
    assert attempt(DegradeAnswer(), [{"prompt": "a", "response": answer}, SEEDS[1]])[0] == []


def test_columns_that_do_not_fit() -> None:
    schema = pl.Schema({"prompt": pl.String(), "m": pl.List(pl.String())})
    for generator in (DegradeAnswer(), DegradeAnswer(messages="m")):
        with pytest.raises(OperatorMisuse):
            generator.produces(schema)
