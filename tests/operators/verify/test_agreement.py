"""Agreement, against the published worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dagster_project.operators.verify.agreement import (
    RatingsRefused,
    bootstrap,
    coded,
    cohen_kappa,
    fleiss_kappa,
    krippendorff_alpha,
)

_ = np.nan

BINARY = [[0, 1, 0, 0, 0, 0, 0, 0, 1, 0], [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
"""Krippendorff 2011, A: two observers, ten units."""

NOMINAL = ["aabbdcccedda", "babbbccceddd"]
"""Krippendorff 2011, B: Ben and Gerry, twelve articles."""

MISSING = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, _, _, _],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, _, 3],
    [_, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, _],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, _],
]
"""Krippendorff 2011, C and D: four observers, twelve units, some not rated."""

COHEN = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
"""Cohen 1960, table 1, of 200 subjects."""

DIAGNOSES = """444444 222555 233335 555555 222444 113333 333355 113334 114444 555555 144444 124444
222333 144444 224445 333335 111455 111112 224444 133555 555555 244444 224555 114444 144445 222224
111155 224444 133333 555555"""
"""Fleiss 1971, table 1: 30 patients, 6 psychiatrists each, 5 diagnoses."""


def test_krippendorff_binary():
    assert krippendorff_alpha(np.array(BINARY).T) == pytest.approx(0.095, abs=0.0005)


def test_krippendorff_nominal():
    ratings = coded(list(zip(*NOMINAL, strict=True)))
    assert krippendorff_alpha(ratings) == pytest.approx(0.692, abs=0.0005)


@pytest.mark.parametrize(
    ("level", "alpha"),
    [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849), ("ratio", 0.797)],
)
def test_krippendorff_with_missing_ratings(level, alpha):
    assert krippendorff_alpha(np.array(MISSING).T, level) == pytest.approx(alpha, abs=0.0005)


def test_cohen():
    pairs = [
        (row, column)
        for row, counts in enumerate(COHEN)
        for column, count in enumerate(counts)
        for _ in range(count)
    ]
    assert cohen_kappa(np.array(pairs, float)) == pytest.approx(0.492, abs=0.0005)


def test_fleiss():
    ratings = np.array([[float(each) for each in unit] for unit in DIAGNOSES.split()])
    assert fleiss_kappa(ratings) == pytest.approx(0.430, abs=0.0005)


def test_what_is_not_defined_is_none():
    same = np.ones((4, 2))
    assert cohen_kappa(same) is fleiss_kappa(same) is krippendorff_alpha(same) is None
    alone = np.array([[1.0, _], [_, 2.0]])
    assert krippendorff_alpha(alone) is None
    assert cohen_kappa(alone) is None
    nothing = np.zeros((0, 2))
    assert cohen_kappa(nothing) is fleiss_kappa(nothing) is krippendorff_alpha(nothing) is None
    assert bootstrap(cohen_kappa, nothing) is None


def test_what_does_not_fit_is_refused():
    with pytest.raises(RatingsRefused, match="3; use Fleiss"):
        cohen_kappa(np.ones((2, 3)))
    with pytest.raises(RatingsRefused, match="some have 1 and others 2"):
        fleiss_kappa(np.array([[1.0, 2.0], [1.0, _]]))
    with pytest.raises(RatingsRefused, match="-1"):
        krippendorff_alpha(np.array([[1.0, -1.0], [2.0, 1.0]]), "ratio")
    with pytest.raises(RatingsRefused, match="round them"):
        krippendorff_alpha(np.arange(4_002.0).reshape(-1, 2))


def test_interval_holds_the_coefficient_and_shrinks_with_units():
    chance = np.random.default_rng(3)
    truth = chance.integers(1, 6, size=400)
    ratings = np.column_stack([truth, np.where(chance.random(400) < 0.7, truth, 3)]).astype(float)
    many, few = (bootstrap(cohen_kappa, ratings[:units], draws=300) for units in (400, 40))
    kappa = cohen_kappa(ratings)
    assert many is not None and few is not None and kappa is not None
    assert many.low < kappa < many.high
    assert many.high - many.low < (few.high - few.low) / 2
    assert many == bootstrap(cohen_kappa, ratings, draws=300)


@given(arrays(float, (7, 3), elements=st.sampled_from([0.0, 1.0, 2.0, 5.0, np.nan, np.inf])))
def test_alpha_does_not_care_about_order(ratings):
    for level in ("nominal", "ordinal", "interval", "ratio"):
        alpha = krippendorff_alpha(ratings, level)
        turned = krippendorff_alpha(ratings[::-1, ::-1], level)
        assert (alpha is None) == (turned is None)
        if alpha is not None:
            assert alpha == pytest.approx(turned)
            assert alpha <= 1
