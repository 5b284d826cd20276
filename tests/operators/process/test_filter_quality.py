"""A classifier of what is wanted and what is not, always the same."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.kernels.word_classifier import fitted, probabilities, word_features
from dagster_project.operators.process.filter_quality import PASSES, FilterQuality

GOOD = [
    f"first we add {n} and {m}, so that the answer is {n + m}" for n in range(9) for m in (2, 5)
]
BAD = [f"click here to buy {what} now {why}" for what in "abcdefgh" for why in ("free", "cheap")]


def prepared(like: Sequence, unlike: Sequence, **options) -> FilterQuality:
    options = options or {"mark_only": True}
    operator = FilterQuality.model_validate(
        {"columns": ["text"], "like": {"good": ["said"]}, "unlike": {"bad": ["said"]}, **options}
    )
    schema = {"row": pl.Int64, "said": pl.String}
    rows = {
        name: pl.DataFrame({"row": range(len(texts)), "said": texts}, schema)
        for name, texts in (("good", like), ("bad", unlike))
    }
    return operator.prepared(rows, {})


def measured(apply, operator, texts, cuts=()) -> list:
    frame = pl.DataFrame({"text": texts}, {"text": pl.String})
    return apply(operator, frame, cuts)[0]["quality"].to_list()


def test_it_tells_texts_apart_that_it_has_not_seen(apply) -> None:
    operator = prepared(GOOD[::2], BAD[::2])
    assert min(measured(apply, operator, GOOD[1::2])) > 0.8
    assert max(measured(apply, operator, BAD[1::2])) < 0.2
    (neither,) = measured(apply, operator, ["unheard words only"])
    assert 0.3 < neither < 0.7


def test_the_rule(apply) -> None:
    operator = prepared(GOOD, BAD, min_quality=0.5)
    kept, removed = apply(operator, pl.DataFrame({"text": [GOOD[0], BAD[0], None, "", "?!"]}))
    assert kept["text"].to_list() == [GOOD[0]]
    assert removed["row"].to_list() == [1, 2, 3, 4]
    assert set(removed["rule"]) == {"min_quality"} and removed.row(0)[4] == ">= 0.5"


def test_the_weights_are_those_of_logistic_regression() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    generator = random.Random(1)
    like, unlike = (
        [" ".join(generator.choices("abcdefgh", weights=w, k=6)) for _ in range(count)]
        for w, count in (([5, 4, 3, 3, 2, 2, 1, 1], 90), ([1, 1, 2, 2, 3, 3, 4, 5], 40))
    )
    kinds = [word_features(pl.Series(texts)) for texts in (like, unlike)]
    weights = fitted(kinds[0], kinds[1], 2.0, 2 * PASSES)
    found = probabilities(pl.Series(like + unlike), weights).to_numpy()
    rows = np.zeros((130, len(weights)))
    starts = np.concatenate([kinds[0].ends[:-1], kinds[0].ends[-1] + kinds[1].ends])
    buckets = np.concatenate([kinds[0].buckets, kinds[1].buckets])
    for row in range(130):
        own = buckets[starts[row] : starts[row + 1]]
        rows[row, own] = 1 / np.sqrt(len(own))
    rows[:, -1] = 1  # the constant
    rows = rows[:, rows.any(axis=0)]
    model = linear_model.LogisticRegression(
        C=2.0, class_weight="balanced", fit_intercept=False, tol=1e-8, max_iter=10_000
    )
    wanted = model.fit(rows, [1] * 90 + [0] * 40).predict_proba(rows)[:, 1]
    assert np.abs(found - wanted).max() < 0.005


def test_both_references_weigh_the_same(apply) -> None:
    (even,) = measured(apply, prepared(GOOD, BAD), ["unheard words"])
    (many,) = measured(apply, prepared(GOOD, BAD * 20), ["unheard words"])
    assert abs(even - many) < 0.1


@settings(max_examples=30)
@given(data=st.data())
def test_whatever_the_texts_and_the_batches(apply, texts, data) -> None:
    like, unlike, rows = (data.draw(st.lists(texts, max_size=8)) for _ in range(3))
    cuts = data.draw(st.lists(st.integers(0, 8), max_size=3))
    operator, again = (prepared([*like, "a b"], [*unlike, "c d"]) for _ in range(2))
    found = measured(apply, operator, rows)
    assert measured(apply, again, rows, cuts) == found
    assert all(value is None or 0 <= value <= 1 for value in found)


def test_one_reference_may_have_both(apply) -> None:
    operator = FilterQuality.model_validate(
        {
            "columns": ["text"],
            "like": {"pairs": ["chosen"]},
            "unlike": {"pairs": ["rejected", "chosen"], "web": ["text"]},
            "mark_only": True,
        }
    )
    assert operator.references() == {"pairs": ("chosen", "rejected"), "web": ("text",)}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give `min_quality`, or `mark_only: true`"),
        ({"mark_only": True, "min_quality": 0.1}, "`mark_only: true` removes no row"),
        ({"min_quality": 0.1, "unlike": {"good": ["said"]}}, "the same texts"),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict, message: str) -> None:
    base = {"columns": ["text"], "like": {"good": ["said"]}, "unlike": {"bad": ["said"]}}
    with pytest.raises(ValidationError, match=message):
        FilterQuality.model_validate({**base, **options})


def test_a_reference_without_words_is_told() -> None:
    with pytest.raises(SeedbedError, match=r"no word to learn from in bad\.said"):
        prepared(GOOD, [None, "", "—"])
