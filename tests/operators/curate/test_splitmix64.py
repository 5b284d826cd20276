"""The generator is the published one."""

from __future__ import annotations

import polars as pl

from dagster_project.operators.curate.splitmix64 import last_number, numbers, start


def test_reference_values() -> None:
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert numbers(1234567, pl.Series(range(5))).to_list() == expected
    assert numbers(1234567, pl.Series([3])).to_list() == expected[3:4]


def test_purposes_and_seeds_have_sequences_of_their_own() -> None:
    rows = pl.Series(range(1000))
    states = [start(purpose, seed) for purpose in ("sample", "split") for seed in (0, 1)]
    assert len(set(states)) == 4
    assert pl.concat([numbers(state, rows) for state in states]).n_unique() == 4000


def test_numbers_are_uniform() -> None:
    drawn = numbers(start("test", 0), pl.Series(range(20_000)))
    for fraction in (0.01, 0.3, 0.99):
        share = int((drawn <= last_number(fraction)).sum()) / 20_000
        assert abs(share - fraction) < 0.01
    assert (drawn <= last_number(1.0)).all()
