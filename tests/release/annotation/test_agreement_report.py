"""What is told of agreement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from dagster_project.release.annotation.agreement_report import AgreementRefused, agreement
from dagster_project.release.annotation.guideline import Guideline, Question
from dagster_project.release.annotation.task import task_of
from tests.release.annotation.labelling import label

RATING = Guideline("helpful", b"1", Question(kind="rating", question="?", fields=("x",)), "")
PAIRS = Guideline("better", b"2", Question(kind="pairwise", question="?", pair=("x", "y")), "")
DIAGNOSES = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444
222333 144444 224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224
111155 224444 133333 555555"""
"""Fleiss 1971, table 1."""


def labels(guideline: Guideline, answers: Sequence[Mapping[str, int | str]], **more) -> list:
    tasks = [task_of("a/v1", "c" * 64, n, guideline.citation, {"x": str(n)}) for n in range(99)]
    key = guideline.asks.key
    return [
        label(task, name, **{key: answer}, **more)
        for task, given in zip(tasks, answers, strict=False)
        for name, answer in given.items()
    ]


def test_a_published_example() -> None:
    given = [dict(zip("abcdef", map(int, row), strict=True)) for row in DIAGNOSES.split()]
    found = agreement(labels(RATING, given), RATING, draws=200)
    assert found.fleiss.value == pytest.approx(0.430, abs=0.0005)
    assert found.fleiss.low is not None and found.fleiss.low < 0.430
    assert found.fleiss.high is not None and found.fleiss.high > 0.430
    assert (found.rows, found.rated_twice, found.labels, len(found.pairs)) == (30, 30, 180, 15)
    assert found.level == "ordinal"
    assert found == agreement(labels(RATING, given), RATING, draws=200)


def test_who_disagrees_on_what() -> None:
    given = [{"a": 1, "b": 1}, {"a": 2, "b": 5}, {"a": 3, "b": 4}, {"a": 5}]
    found = agreement(labels(RATING, given, seconds=2.0, cost=0.5), RATING, draws=50)
    (pair,) = found.pairs
    assert (pair.one, pair.other, pair.equal, pair.kappa.rows) == (
        "a",
        "b",
        pytest.approx(1 / 3),
        3,
    )
    assert [(each.one, each.other, each.times) for each in found.confused] == [(2, 5, 1), (3, 4, 1)]
    assert [each.answers for each in found.disputed] == given[1:3]
    assert [each.disagreement for each in found.disputed] == [0.75, 0.25]
    one, other = found.annotators
    assert (one.labels, one.above, other.above) == (4, pytest.approx(-4 / 3), pytest.approx(4 / 3))
    assert (found.seconds, found.cost) == (14.0, 3.5)
    assert agreement(labels(RATING, given), RATING, worst=1).disputed == found.disputed[:1]


def test_a_habit_of_preferring_the_left() -> None:
    given = [{"a": each} for each in ("a", "a", "a", "b", "tie")]
    found = agreement(labels(PAIRS, given, left="a"), PAIRS, draws=50)
    assert found.annotators[0].left == 0.75
    assert found.alpha.value is None and found.pairs == ()


def test_what_has_no_agreement() -> None:
    text = Guideline("t", b"3", Question(kind="text", question="?", fields=("x",)), "")
    with pytest.raises(AgreementRefused, match="asks for texts"):
        agreement([], text)
    with pytest.raises(AgreementRefused, match="no labels"):
        agreement([], RATING)
    with pytest.raises(AgreementRefused, match="'9' is no answer"):
        agreement(labels(RATING, [{"a": 9}]), RATING)
