"""Compiled selections are those of the plain loops; the Vendi score has its closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.operators.kernels import diverse_vectors, facility_location
from dagster_project.operators.kernels.diverse_vectors import (
    Nearest,
    farthest_first,
    quantised,
    similarity_before,
    unlike_in_order,
)
from dagster_project.operators.kernels.facility_location import by_representation
from dagster_project.operators.kernels.vendi import vendi_score

few = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(diverse_vectors, "_ROWS", 8)
    monkeypatch.setattr(diverse_vectors, "_OTHERS", 8)
    monkeypatch.setattr(diverse_vectors, "_POOL", 5)
    monkeypatch.setattr(facility_location, "_ROWS", 8)


def drawn(seed: int, count: int, dimensions: int = 4) -> np.ndarray:
    """Vectors some of which are the same, so that there are ties."""
    random = np.random.default_rng(seed)
    return quantised(random.integers(-2, 3, (count, dimensions)) + 0.25)


def cosines(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    scales = 1 / np.sqrt((wide * wide).sum(axis=1))
    return np.rint(wide @ wide.T * scales[None, :] * scales[:, None] * 1e6) / 1e6


seeds, counts, budgets = st.integers(0, 999), st.integers(1, 40), st.integers(1, 60)


@few
@given(seed=seeds, count=counts, budget=budgets)
def test_farthest_first_is_the_plain_loop(seed: int, count: int, budget: int) -> None:
    random = np.random.default_rng(seed)
    vectors, weights = drawn(seed, count), random.choice([0.0, 0.5, 1.0, 3.0, np.nan], count)
    costs = random.integers(1, 4, count)
    first = int(random.integers(count))
    costs[first], weights[first] = 1, 1
    taken, nearest = farthest_first(vectors, weights, first, costs, budget)
    similar = cosines(vectors)
    rows, gains, left = [first], [np.nan], budget - 1
    while True:
        worth = weights * (1 - similar[:, rows].max(axis=1))
        worth[rows] = -1
        worth = np.where(np.isnan(worth), -1, worth)
        best = int(worth.argmax())
        if worth[best] < 0 or costs[best] > left:
            break
        left -= costs[best]
        rows.append(best)
        gains.append(worth[best])
    assert taken.rows.tolist() == rows
    np.testing.assert_array_equal(taken.gains, gains)
    np.testing.assert_array_equal(nearest.similarity, similar[:, rows].max(axis=1))
    np.testing.assert_array_equal(taken.left, worth)


@few
@given(seed=seeds, count=counts, budget=budgets, highest=st.sampled_from([0.2, 0.6, 0.9, 1.0]))
def test_unlike_in_order_is_the_published_loop(seed, count, budget, highest) -> None:
    random = np.random.default_rng(seed)
    vectors, order = drawn(seed, count), random.permutation(count)
    costs = random.integers(1, 4, count)
    found = unlike_in_order(vectors, order, highest, costs, budget)
    similar = cosines(vectors)
    selected, skipped, left = [], [], budget
    for row in order.tolist():
        alike = [similar[row, other] for other in selected]
        if alike and max(alike) > highest:
            skipped.append((row, selected[int(np.argmax(alike))], max(alike)))
            continue
        if costs[row] > left:
            break
        left -= costs[row]
        selected.append(row)
    assert found.rows.tolist() == selected
    told = zip(found.skipped.tolist(), found.nearest.tolist(), found.similarity, strict=True)
    assert list(told) == skipped


@few
@given(seed=seeds, count=counts)
def test_representation_is_the_plain_greedy(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    vectors, weights = drawn(seed, count), random.choice([0.5, 1.0, 2.0, np.nan], count)
    rows, gains, groups = by_representation(vectors, weights)
    wide = vectors.astype(np.float64)
    scales = 1 / np.sqrt((wide * wide).sum(axis=1))
    similar = np.maximum(wide @ wide.T * np.outer(scales, scales), 0)
    similar = np.rint(similar * 10_000).astype(int)
    covered, expected = np.zeros(count, int), []
    open_rows = np.flatnonzero(~np.isnan(weights)).tolist()
    while open_rows:
        worth = [weights[row] * np.maximum(similar[row] - covered, 0).sum() for row in open_rows]
        best = open_rows.pop(int(np.argmax(worth)))
        expected.append((best, max(worth) / 10_000))
        covered = np.maximum(covered, similar[best])
    assert groups == 1
    assert list(zip(rows.tolist(), gains, strict=True)) == expected


def test_in_groups_representation_is_nearly_as_good() -> None:
    random = np.random.default_rng(0)
    centres = random.standard_normal((40, 32))
    vectors = quantised(centres[random.integers(0, 40, 800)] + random.normal(0, 0.5, (800, 32)))
    exact, _, _ = by_representation(vectors, np.ones(800))
    parted, gains, groups = by_representation(vectors, np.ones(800), together=200)
    assert groups == 4
    assert sorted(parted) == list(range(800))
    assert (np.diff(gains) <= 0).all()

    def coverage(rows: np.ndarray) -> float:
        return Nearest(vectors, rows).similarity.mean()

    by_chance = np.mean([coverage(random.permutation(800)[:40]) for _ in range(5)])
    gained = coverage(exact[:40]) - by_chance
    assert coverage(parted[:40]) - by_chance > 0.8 * gained > 0.05


@few
@given(seed=seeds, count=counts)
def test_each_is_compared_with_those_before_it(seed: int, count: int) -> None:
    vectors = drawn(seed, count)
    selected = np.random.default_rng(seed).permutation(count)
    similar = cosines(vectors)[np.ix_(selected, selected)]
    expected = [np.nan, *(similar[place, :place].max() for place in range(1, count))]
    np.testing.assert_array_equal(similarity_before(vectors, selected), expected)


@pytest.mark.parametrize("dimensions", [1, 2, 384, 4096])
def test_products_of_whole_numbers_are_exact_in_single_precision(dimensions: int) -> None:
    random = np.random.default_rng(1)
    vectors = np.concatenate(
        [random.standard_normal((50, dimensions)), np.ones((1, dimensions)), np.eye(1, dimensions)]
    )
    whole = quantised(vectors * 10.0 ** random.integers(-300, 300, (52, 1)))
    assert np.square(whole.astype(np.int64)).sum(axis=1).max() < 2**24
    single = whole.astype(np.float32)
    np.testing.assert_array_equal(single @ single.T, whole.astype(np.int64) @ whole.T)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert np.abs(cosines(whole) - unit @ unit.T).max() < 1e-3


@pytest.mark.parametrize("order", [0, 0.5, 1, 2, np.inf])
@pytest.mark.parametrize(("dimensions", "repeats"), [(7, 1), (7, 3), (20, 1), (20, 2)])
def test_vendi_counts_orthogonal_vectors_once(order, dimensions, repeats) -> None:
    vectors = np.repeat(np.eye(7, dimensions), repeats, axis=0) * 3
    assert vendi_score(vectors, order) == pytest.approx(7)
    assert vendi_score(np.ones((5, 3)) * np.arange(1, 6)[:, None], order) == pytest.approx(1)


def test_vendi_of_two_vectors_is_that_of_their_angle() -> None:
    for cosine in (0.0, 0.3, 0.9):
        vectors = np.array([[1, 0], [cosine, np.sqrt(1 - cosine**2)]])
        shares = np.array([1 + cosine, 1 - cosine]) / 2
        expected = np.exp(-(shares * np.log(shares)).sum())
        assert vendi_score(vectors) == pytest.approx(expected)
        assert vendi_score(np.tile(vectors, (50, 1))) == pytest.approx(expected)
    assert vendi_score(np.zeros((0, 3))) == 0
