"""Which runs of tokens go because they stand whole elsewhere, in text that stays.

Rows are read in order, and each from its start. A window of tokens is a repeat if an equal window
stands before it without overlapping it, in a row that stays, with none of its tokens cut. So what is
cut can be found where it is said to stay, and in all that stays no window stands twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dagster_project.operators.kernels.shingles import compiled

if TYPE_CHECKING:
    from numpy.typing import NDArray


def find_repeats(
    size: int,
    tokens: NDArray[np.integer],
    rows: NDArray[np.integer],
    at: NDArray[np.integer],
    numbers: NDArray[np.int32],
    max_share: float,
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.bool_]]:
    """What goes.

    Args:
        size: tokens of a window.
        tokens: how many each row has.
        rows, at, numbers: of each window its row, its first token, and a number that equal windows
            share, from 0; sorted by row and token. Windows that have no equal may be left out.
        max_share: a row of whose tokens a greater share is repeated goes as a whole, and so does one
            of which nothing would be left.

    Returns:
        Pieces to cut, shape (pieces, 4), in order, of rows that stay: the row, its first token, the
        token after the last, and the row in which the piece stays. Then the share of each row's tokens
        that is repeated, and whether the row goes.
    """
    offsets = np.searchsorted(rows, np.arange(len(tokens) + 1)).astype(np.int64)
    holder = np.full(int(numbers.max(initial=-1)) + 1, -1, np.int64)
    pieces = np.empty((len(at), 4), np.int64)
    shares, goes = np.zeros(len(tokens)), np.zeros(len(tokens), np.bool_)
    count = _find(size, tokens, offsets, at, numbers, max_share, holder, pieces, shares, goes)
    return pieces[:count].copy(), shares, goes


@compiled
def _find(size, tokens, offsets, at, numbers, max_share, holder, pieces, shares, goes):
    count = 0
    for row in range(len(tokens)):
        low, high = offsets[row], offsets[row + 1]
        first_piece = count
        repeated = 0
        end = 0  # of the last repeat
        waiting = low  # the first window of which it is not known whether it stays whole
        for index in range(low, high):
            start = np.int64(at[index])
            while at[waiting] + size <= start:
                if end <= at[waiting] and holder[numbers[waiting]] < 0:
                    holder[numbers[waiting]] = row
                waiting += 1
            other = holder[numbers[index]]
            if other < 0:
                continue
            begin = max(start, end)
            if count > first_piece and begin == end and pieces[count - 1, 3] == other:
                pieces[count - 1, 2] = start + size
            else:
                pieces[count, 0], pieces[count, 1] = row, begin
                pieces[count, 2], pieces[count, 3] = start + size, other
                count += 1
            repeated += start + size - begin
            end = start + size
        shares[row] = repeated / max(tokens[row], 1)
        if repeated and (repeated == tokens[row] or shares[row] > max_share):
            count = first_piece
            goes[row] = True
            for index in range(low, high):
                if holder[numbers[index]] == row:
                    holder[numbers[index]] = -1
            continue
        for index in range(waiting, high):
            if end <= at[index] and holder[numbers[index]] < 0:
                holder[numbers[index]] = row
    return count
