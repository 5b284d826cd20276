"""What two texts have in common."""

from __future__ import annotations

import asyncio
import time
from difflib import SequenceMatcher

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.operators.synthesize.asking.answered import (
    no_use,
    together,
    unquoted,
    useful,
)
from dagster_project.operators.synthesize.text.text_overlap import (
    held,
    longest_run,
    overlap,
    same_words,
    says_nothing,
    words,
)

FEW = st.lists(st.sampled_from("abc"), max_size=25).map(" ".join)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(FEW, FEW)
def test_the_longest_run_is_that_of_difflib(one: str, other: str) -> None:
    matcher = SequenceMatcher(None, words(one), words(other), autojunk=False)
    assert longest_run(one, other) == matcher.find_longest_match().size


def test_long_monotonous_texts_take_no_long_time() -> None:
    begun = time.process_time()
    assert longest_run("a " * 20_000, "a " * 30_000 + "b") == 20_000
    assert time.process_time() - begun < 2


def test_shares() -> None:
    assert overlap("the cat sat", "sat the cat!") == 1
    assert overlap("a a b", "a b b") == pytest.approx(2 / 3)
    assert overlap("", "") == overlap("a", "") == 0
    assert held("It was in March 1990", "in 1990, march began") == 1
    assert held("in April 1990", "in 1990") == 0.5
    assert held("it is", "") == 1
    assert words("我有 two猫s_1") == ["我", "有", "two", "猫", "s_1"]
    assert same_words("A-b, c", "a B  C.") and not same_words("ab c", "a bc")


@pytest.mark.parametrize("text", ["", " … ", "the", "It's not so, is it?", "Don’t!"])
def test_what_says_nothing(text: str) -> None:
    assert says_nothing(text) and not says_nothing(text + " horse")


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ('"quoted"', "quoted"),
        ("“one” and “two”", "“one” and “two”"),
        ('"one" and "two"', '"one" and "two"'),
        ('"', '"'),
        ('""', '""'),
        ("Sure! Here it is:\n\nLabel: the part", "the part"),
        ("Here: not chatter", "Here: not chatter"),
        ("**Label**: the part\nText: other", "the part"),
        ("```\nthe part\n```", "the part"),
        ("the ```part```", "the ```part```"),
    ],
)
def test_the_useful_part(said: str, part: str) -> None:
    assert useful(Answer(said, "stop"), "Label", until=("Text",)) == part


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text(alphabet=st.sampled_from('Label: Text\n#*`"“”sure here,.'), max_size=60))
def test_hostile_answers_never_raise(said: str) -> None:
    answer = Answer(said, "stop")
    text = useful(answer, "Label", until=("Text",))
    assert text in said and unquoted(text) in text
    assert no_use(answer, text) is None or not text.isalpha()


def test_when_one_fails_the_others_have_ended_too() -> None:
    ended = []

    async def work(number: int) -> int:
        await asyncio.sleep(0.001 * number)
        ended.append(number)
        if number == 1:
            raise CallFailed("unavailable", "not now")
        return number

    async def both(numbers: list[int]) -> list[int]:
        return await together(work(number) for number in numbers)

    assert asyncio.run(both([4, 3])) == [4, 3]
    with pytest.raises(CallFailed):
        asyncio.run(both([1, 5]))
    assert sorted(ended) == [1, 3, 4, 5]
