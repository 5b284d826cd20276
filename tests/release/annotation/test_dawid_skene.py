"""Dawid and Skene, against their worked example."""

from __future__ import annotations

import numpy as np
import pytest

from dagster_project.release.annotation.dawid_skene import dawid_skene

TABLE = """111 1 1 1 1 / 333 4 3 3 4 / 112 2 1 2 2 / 222 3 1 2 1 / 222 3 2 2 2 / 222 3 3 2 2 /
122 2 1 1 1 / 333 3 4 3 3 / 222 2 2 2 3 / 232 2 2 2 3 / 444 4 4 4 4 / 222 3 3 4 3 / 111 1 1 1 1 /
222 3 2 1 2 / 121 1 1 1 1 / 111 2 1 1 1 / 111 1 1 1 1 / 111 1 1 1 1 / 222 2 2 2 1 / 222 1 3 2 2 /
222 2 2 2 2 / 222 2 2 2 1 / 222 3 2 2 2 / 221 2 2 2 2 / 111 1 1 1 1 / 111 1 1 1 1 / 232 2 2 2 2 /
111 1 1 1 1 / 111 1 1 1 1 / 112 1 1 2 1 / 111 1 1 1 1 / 333 3 2 3 3 / 111 1 1 1 1 / 222 2 2 2 2 /
222 3 2 3 2 / 433 4 3 4 3 / 221 2 2 3 2 / 232 3 2 3 3 / 333 3 4 3 2 / 111 1 1 1 1 / 111 1 1 1 1 /
121 2 1 1 1 / 232 2 2 2 2 / 121 1 1 1 1 / 222 2 2 2 2"""
"""Dawid and Skene 1979, table 1: fitness of 45 patients for anaesthesia by 5 observers, of whom the
first looked three times."""


@pytest.fixture(scope="module")
def estimate():
    counts = np.zeros((45, 5, 4))
    for patient, row in enumerate(TABLE.split("/")):
        for observer, grades in enumerate(row.split()):
            for grade in grades:
                counts[patient, observer, int(grade) - 1] += 1
    return dawid_skene(counts)


def test_published_shares(estimate) -> None:
    """Table 2: 0.40, 0.42, 0.11, 0.07."""
    assert estimate.shares == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.005)


def test_published_error_rates_of_the_first_observer(estimate) -> None:
    expected = [[0.89, 0.11, 0, 0], [0.07, 0.88, 0.05, 0], [0, 0.34, 0.66, 0], [0, 0, 0.56, 0.44]]
    assert estimate.errors[0] == pytest.approx(np.array(expected), abs=0.012)


def test_a_rater_who_always_says_the_opposite_counts_as_such() -> None:
    chance = np.random.default_rng(1)
    truth = chance.integers(0, 2, 300)
    right = [np.where(chance.random(300) < share, truth, 1 - truth) for share in (0.9, 0.9, 0.1)]
    counts = np.zeros((300, 3, 2))
    for rater, answers in enumerate(right):
        counts[np.arange(300), rater, answers] = 1
    found = dawid_skene(counts)
    votes = counts.sum(axis=1).argmax(axis=1)
    assert (found.answers.argmax(axis=1) == truth).mean() > (votes == truth).mean() + 0.05
    assert found.answers.sum(axis=1) == pytest.approx(1)
