"""Importance resampling, as its paper and the authors' code have it."""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.curate.select_like import SelectLike
from dagster_project.operators.kernels.hashed_ngrams import ngram_buckets

TEXTS = st.text(
    st.one_of(
        st.sampled_from("aab B_1é!?,. \n\t—日本ß²"), st.characters(exclude_categories=["Cs"])
    ),
    max_size=80,
)


@pytest.fixture(scope="session")
def apply(apply):
    """Rows are numbered."""
    return lambda operator, frame: apply(operator, frame.with_row_index("row"))


def by_hand(text: str, buckets: int) -> list[int]:
    """As the package `data-selection` hashes: wordpunct tokens, and pairs with a space between."""
    tokens = re.findall(r"\w+|[^\w\s]+", text)
    pairs = [f"{one} {other}" for one, other in pairwise(tokens)]
    return [int(sha256(each.encode()).hexdigest(), 16) % buckets for each in [*tokens, *pairs]]


@given(st.lists(TEXTS, max_size=5), st.sampled_from([2, 97, 10_000, 65_536]))
def test_buckets_are_those_of_the_authors(texts, buckets):
    lowered = pl.Series("t", texts, dtype=pl.String).str.to_lowercase()
    found = ngram_buckets(lowered, buckets).to_list()
    assert [Counter(each) for each in found] == [
        Counter(by_hand(text, buckets)) for text in lowered
    ]


def test_long_tokens_are_hashed_over_several_blocks():
    texts = pl.Series([("x" * size) + " y" for size in range(50, 140)])
    assert [sorted(each) for each in ngram_buckets(texts, 10_000)] == [
        sorted(by_hand(text, 10_000)) for text in texts
    ]


CODE = ["def add(a, b): return a + b", "for x in range(9): print(x)", "return [x for x in y]"]
TALK = ["the sea is calm today", "she walked to the old town", "rain fell on the small roof"]


def selected(apply, texts, **given):
    operator = SelectLike.model_validate({"columns": ["text"], "like": {"t": ["text"]}, **given})
    ready = operator.prepared({"t": pl.DataFrame({"row": [0, 1], "text": CODE[:2]})}, {})
    return apply(ready, pl.DataFrame({"text": texts}))


def test_importance_is_the_formula_and_the_highest_go_first_without_noise(apply):
    rows = [*TALK, *CODE, "", None]
    kept, removed = selected(apply, rows, rows=3, noise=False)
    assert sorted(kept["row"]) == [3, 4, 5]
    assert dict(removed.select("row", "rule").rows()) == {
        0: "not_selected",
        1: "not_selected",
        2: "not_selected",
        6: "not_measured",
        7: "not_measured",
    }
    lowered = [(row or "").lower() for row in rows]
    raw = np.bincount([b for row in lowered for b in by_hand(row, 10_000)], minlength=10_000)
    target = np.bincount([b for row in CODE[:2] for b in by_hand(row, 10_000)], minlength=10_000)
    weights = np.log(target / target.sum() + 1e-8) - np.log(raw / raw.sum() + 1e-8)
    for row, importance in kept.select("row", "importance").rows():
        assert importance == pytest.approx(weights[by_hand(lowered[row], 10_000)].sum())


def test_draws_are_in_proportion_to_the_importance(apply):
    """Of rows that are equally important each is drawn as often; a far more important one, always."""
    rows = ["the sea is calm today"] * 20 + [CODE[0]]
    drawn = Counter(
        row for seed in range(60) for row in selected(apply, rows, rows=3, seed=seed)[0]["row"]
    )
    assert drawn[20] == 60
    others = [drawn[row] for row in range(20)]
    assert sum(others) == 120 and min(others) >= 1 and max(others) <= 14
    again = selected(apply, rows, rows=3, seed=5)[0]["row"].to_list()
    assert again == selected(apply, rows, rows=3, seed=5)[0]["row"].to_list()


def test_short_rows_can_be_left_out_and_an_empty_target_is_refused(apply):
    assert "not_measured" in selected(apply, [*TALK, "one two"], rows=2, min_tokens=3)[1]["rule"]
    operator = SelectLike.model_validate({"columns": ["text"], "like": {"t": ["text"]}, "rows": 1})
    with pytest.raises(OperatorMisuse, match=r"no word to learn from in t\.text"):
        operator.prepared({"t": pl.DataFrame({"row": [0], "text": [" "]})}, {})
