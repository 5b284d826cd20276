"""What more rows buy is told from curves that are known, with its doubt, and not too far."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from dagster_project.arena.contest import RESULTS
from dagster_project.arena.learning_curve import NoCurve, gain

SIZES = (100, 200, 400, 800)


def results(curve, noise: float, seeds: int = 5, sizes=SIZES) -> pl.DataFrame:
    draw = np.random.default_rng(7)
    made = [
        (
            "a",
            "random",
            "rows",
            size,
            seed,
            size,
            size,
            "m",
            item,
            float(curve(size)) + wobble,
            None,
        )
        for size in sizes
        for seed in range(seeds)
        for item, wobble in enumerate(draw.normal(0, noise, 60))
    ]
    return pl.DataFrame(made, schema=RESULTS, orient="row")


@pytest.mark.parametrize(
    "curve",
    [
        lambda n: -2 - 3 * n**-0.4,
        lambda n: -4 + 0.2 * np.log(n),
        lambda n: -2 - 90 / (n + 50),
    ],
)
def test_the_gain_is_that_of_the_curve(curve):
    found = gain(results(curve, 0.02), "m", "a", 400)
    true = curve(1200) - curve(800)
    assert found.low - 0.002 <= true <= found.high + 0.002
    assert abs(found.gain - true) < 0.3 * true + 0.005
    assert str(found).startswith("400 more rows like those of a, beyond 800, buy about +0.")


def test_a_flat_curve_promises_nothing():
    found = gain(results(lambda n: -3.0, 0.3), "m", "a", 400)
    assert found.low <= 0 <= found.high and "no more than chance" in str(found)


def test_what_cannot_be_told_is_refused():
    with pytest.raises(NoCurve, match="3 sizes"):
        gain(results(np.log, 0.1, sizes=SIZES[:3]), "m", "a", 10)
    with pytest.raises(NoCurve, match="2 draws"):
        gain(results(np.log, 0.1, seeds=2), "m", "a", 10)
    with pytest.raises(NoCurve, match="at most 800"):
        gain(results(np.log, 0.1), "m", "a", 801)
