"""How rows fit a context length."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.release.packing import (
    Packing,
    PackingRefused,
    best_fit,
    concatenate,
    packing_report,
)

LENGTHS = st.lists(st.integers(0, 40), max_size=60)
CONTEXT = st.integers(1, 25)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lengths=LENGTHS, context=CONTEXT)
@pytest.mark.parametrize("pack", [best_fit, concatenate])
def test_each_token_is_placed_once(pack, lengths: list[int], context: int) -> None:
    packing: Packing = pack(lengths, context)
    placed: dict[int, list[tuple[int, int]]] = {}
    for row, start, length in zip(packing.row, packing.start, packing.length, strict=True):
        placed.setdefault(int(row), []).append((int(start), int(start + length)))
    for row, size in enumerate(lengths):
        pieces = sorted(placed.pop(row, []))
        bounds = [0, *(end for _, end in pieces)]
        assert pieces == list(pairwise(bounds)) and bounds[-1] == size
        assert all(start < end for start, end in pieces)
    assert not placed
    filled = np.bincount(packing.sequence, packing.length, minlength=packing.sequences)
    assert filled.size == packing.sequences and (filled > 0).all() and (filled <= context).all()
    assert (np.diff(packing.sequence) >= 0).all()


@settings(max_examples=100, deadline=None, derandomize=True)
@given(lengths=LENGTHS, context=CONTEXT)
def test_best_fit_is_that_of_the_paper(lengths: list[int], context: int) -> None:
    """One piece after the other, longest first, each where the least room is left."""
    pieces = [min(context, size - at) for size in lengths for at in range(0, size, context)]
    rooms: list[int] = []
    for piece in sorted(pieces, reverse=True):
        fitting = [room for room in rooms if room >= piece]
        chosen = min(fitting, default=context)
        if fitting:
            rooms.remove(chosen)
        rooms.append(chosen - piece)
    packing = best_fit(lengths, context)
    filled = np.bincount(packing.sequence, packing.length, minlength=packing.sequences)
    assert Counter(context - filled.astype(int)) == Counter(rooms)
    assert packing.rows_cut == sum(size > context for size in lengths)


def test_concatenation_keeps_the_order() -> None:
    packing = concatenate([3, 0, 5, 2], 4)
    found = zip(packing.sequence, packing.row, packing.start, packing.length, strict=True)
    assert [tuple(map(int, piece)) for piece in found] == [
        (0, 0, 0, 3),
        (0, 2, 0, 1),
        (1, 2, 1, 4),
        (2, 3, 0, 2),
    ]
    assert (packing.sequences, packing.rows_cut) == (3, 1)


def test_report() -> None:
    report = packing_report([10, 4, 12, 2], [5, 4, 4, 0], 8, loss_within=[3, 4, 0, 0])
    assert report.model_dump(exclude={"one_a_sequence", "best_fit", "concatenated"}) == {
        "context": 8,
        "rows": 4,
        "tokens": 28,
        "loss_tokens": 13,
        "longest": 12,
        "rows_truncated": 2,
        "tokens_truncated": 6,
        "loss_tokens_truncated": 6,
        "loss_share_truncated": 0.461538,
        "rows_without_loss": 1,
        "rows_left_without_loss": 1,
    }
    packed = {"padding": 4, "padding_share": 0.125, "sequences": 4}
    assert report.best_fit.model_dump() == {**packed, "rows_cut": 2}  # 8, 8, 4+4, 2+2
    assert report.concatenated.model_dump() == {**packed, "rows_cut": 2}
    assert report.one_a_sequence.model_dump() == {
        "padding": 10,
        "padding_share": 0.3125,
        "sequences": 4,
        "rows_cut": 2,
    }
    empty = packing_report([], [], 8, loss_within=[])
    assert (empty.rows, empty.best_fit.sequences, empty.concatenated.padding_share) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("lengths", "loss", "within", "context", "told"),
    [
        ([3], [4], [3], 8, "row 0 has 3 tokens, 4 with loss"),
        ([9], [9], [2], 8, "which cannot be"),
        ([9], [9], [9], 8, "which cannot be"),
        ([1, 2], [1], [1], 8, "2 lengths, 1 and 1"),
        ([-1], [0], [0], 8, "whole numbers"),
        ([1.5], [0], [0], 8, "whole numbers"),
        ([1], [0], [0], 0, "a context of 0 tokens"),
    ],
)
def test_refused(lengths, loss, within, context: int, told: str) -> None:
    with pytest.raises(PackingRefused, match=told):
        packing_report(lengths, loss, context, loss_within=within)
