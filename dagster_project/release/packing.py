"""How rows fit a context length: what is cut off them, and how they are packed into sequences.

Best-fit packing is that of "Fewer Truncations Improve Language Modeling" (Ding et al. 2024, arXiv
2404.10830): a row that is longer than the context is split, then each piece, longest first, goes into
the sequence with the least room that is enough. Concatenation writes all rows one after the other, in
their order, and cuts where a sequence is full.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from dagster_project.errors import SeedbedError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class PackingRefused(SeedbedError):
    """Lengths that cannot be packed."""


@dataclass(frozen=True)
class Packing:
    """Which pieces of rows are in which sequence. Each token of each row is in one piece.

    Attributes:
        context: tokens of a sequence.
        sequences: how many.
        row, start, length: of each piece: of which row, from which token, how many tokens. Rows
            without tokens have none.
        sequence: that it is in, from 0; pieces are sorted by it.
    """

    context: int
    sequences: int
    row: NDArray[np.int64]
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    sequence: NDArray[np.int64]

    @property
    def rows_cut(self) -> int:
        """Rows that are in more than one piece."""
        return int(np.unique(self.row[self.start > 0]).size)


class Packed(BaseModel):
    """What a way to pack comes to.

    Attributes:
        sequences: how many, of the context's length each.
        padding: tokens that fill them up.
        padding_share: of all tokens of the sequences, 0 to 1.
        rows_cut: rows whose tokens are not all in one sequence.
    """

    model_config = ConfigDict(frozen=True)

    sequences: int
    padding: int
    padding_share: float
    rows_cut: int


class PackingReport(BaseModel):
    """How rows fit a context length.

    Attributes:
        context: tokens of a sequence.
        rows, tokens, loss_tokens: how many there are.
        longest: tokens of the longest row.
        rows_truncated: rows longer than the context, where each is cut to it at the end.
        tokens_truncated, loss_tokens_truncated: that are cut off then.
        loss_share_truncated: of all tokens with loss, 0 to 1.
        rows_without_loss: rows that have no token with loss to begin with: nothing is learnt of them.
        rows_left_without_loss: rows that lose all of theirs.
        one_a_sequence: each row a sequence of its own, truncated.
        best_fit, concatenated: the ways to pack.
    """

    model_config = ConfigDict(frozen=True)

    context: int
    rows: int
    tokens: int
    loss_tokens: int
    longest: int
    rows_truncated: int
    tokens_truncated: int
    loss_tokens_truncated: int
    loss_share_truncated: float
    rows_without_loss: int
    rows_left_without_loss: int
    one_a_sequence: Packed
    best_fit: Packed
    concatenated: Packed


def packing_report(
    lengths: ArrayLike, loss_lengths: ArrayLike, context: int, *, loss_within: ArrayLike
) -> PackingReport:
    """How rows fit a context length.

    Args:
        lengths: tokens of each row.
        loss_lengths: of these, those with loss.
        context: tokens of a sequence.
        loss_within: tokens with loss among the first `context` of each row.

    Raises:
        PackingRefused: when the context is no length, or the numbers contradict each other.
    """
    size, loss, within = (_counts(given) for given in (lengths, loss_lengths, loss_within))
    if not (size.shape == loss.shape == within.shape):
        raise PackingRefused(f"{size.size:,} lengths, {loss.size:,} and {within.size:,} with loss")
    kept = np.minimum(size, context)
    wrong = (loss > size) | (within > np.minimum(loss, kept)) | (loss - within > size - kept)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise PackingRefused(
            f"row {row} has {size[row]} tokens, {loss[row]} with loss and {within[row]} of them "
            f"within {context}, which cannot be"
        )
    tokens, lost = int(size.sum()), int((loss - within).sum())
    return PackingReport(
        context=context,
        rows=size.size,
        tokens=tokens,
        loss_tokens=int(loss.sum()),
        longest=int(size.max(initial=0)),
        rows_truncated=int((size > context).sum()),
        tokens_truncated=int((size - kept).sum()),
        loss_tokens_truncated=lost,
        loss_share_truncated=_share(lost, int(loss.sum())),
        rows_without_loss=int((loss == 0).sum()),
        rows_left_without_loss=int(((loss > 0) & (within == 0)).sum()),
        one_a_sequence=_packed(size.size, int(kept.sum()), context, int((size > context).sum())),
        best_fit=_summary(best_fit(size, context), tokens),
        concatenated=_summary(concatenate(size, context), tokens),
    )


def best_fit(lengths: ArrayLike, context: int) -> Packing:
    """Pack rows by best fit, longest first; rows longer than the context are split.

    Raises:
        PackingRefused: when the context or a length is no length.
    """
    size = _counts(lengths)
    row, start, length = _split(size, context)
    order = np.argsort(-length, kind="stable")
    sequence, sequences = _best_fit(length[order], context)
    by_sequence = np.argsort(sequence, kind="stable")
    order = order[by_sequence]
    return Packing(
        context, sequences, row[order], start[order], length[order], sequence[by_sequence]
    )


def concatenate(lengths: ArrayLike, context: int) -> Packing:
    """Write rows one after the other, and cut where a sequence is full.

    Raises:
        PackingRefused: when the context or a length is no length.
    """
    size = _counts(lengths)
    _require_context(context)
    ends = np.cumsum(size)
    tokens = int(ends[-1]) if size.size else 0
    cuts = np.arange(0, tokens, context, dtype=np.int64)
    begin = np.sort(np.concatenate([cuts, (ends - size)[size > 0]]), kind="stable")
    begin = begin[np.diff(begin, prepend=-1) > 0]
    row = np.searchsorted(ends, begin, "right")
    start = begin - (ends - size)[row]
    length = np.diff(begin, append=tokens)
    return Packing(context, cuts.size, row, start, length, begin // context)


def _split(
    size: NDArray[np.int64], context: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows as pieces of the context's length at most."""
    _require_context(context)
    pieces = -(-size // context)
    row = np.repeat(np.arange(size.size), pieces)
    number = np.arange(row.size) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    start = number * context
    return row, start, np.minimum(size[row] - start, context)


def _best_fit(lengths: NDArray[np.int64], context: int) -> tuple[NDArray[np.int64], int]:
    """The sequence of each piece; the pieces come longest first.

    Pieces of one length are placed together: the sequences with the least room that is enough take as
    many of them as fit each, for with one more in it, a sequence is an even better fit.
    """
    sequence = np.empty(lengths.size, np.int64)
    open_with: dict[int, list[NDArray[np.int64]]] = {}
    rooms: list[int] = []
    sequences = 0

    def put_back(room: int, numbers: NDArray[np.int64]) -> None:
        if room and numbers.size:
            if room not in open_with:
                open_with[room] = []
                insort(rooms, room)
            open_with[room].append(numbers)

    bounds = np.flatnonzero(np.diff(lengths)) + 1
    for first, last in pairwise([0, *bounds.tolist(), lengths.size]):
        placed = first
        length = int(lengths[first]) if first < last else 0
        while placed < last:
            at = bisect_left(rooms, length)
            if at < len(rooms):
                room = rooms.pop(at)
                parts = open_with.pop(room)
                numbers = parts[0] if len(parts) == 1 else np.concatenate(parts)
            else:
                room = context
                needed = -(-(last - placed) // (room // length))
                numbers = np.arange(sequences, sequences + needed)
                sequences += needed
            fit = room // length
            taken = min(numbers.size * fit, last - placed)
            full, rest = divmod(taken, fit)
            sequence[placed : placed + taken] = np.repeat(numbers, fit)[:taken]
            put_back(room - fit * length, numbers[:full])
            put_back(room - rest * length, numbers[full : full + 1] if rest else numbers[:0])
            put_back(room, numbers[full + (rest > 0) :])
            placed += taken
    return sequence, sequences


def _counts(given: ArrayLike) -> NDArray[np.int64]:
    counts = np.asarray(given)
    if counts.size and (counts.dtype.kind not in "iu" or int(counts.min()) < 0):
        raise PackingRefused("lengths are whole numbers from 0")
    return counts.astype(np.int64).reshape(-1)


def _require_context(context: int) -> None:
    if context < 1:
        raise PackingRefused(f"a context of {context} tokens; 1 or more")


def _summary(packing: Packing, tokens: int) -> Packed:
    return _packed(packing.sequences, tokens, packing.context, packing.rows_cut)


def _packed(sequences: int, tokens: int, context: int, rows_cut: int) -> Packed:
    padding = sequences * context - tokens
    return Packed(
        sequences=sequences,
        padding=padding,
        padding_share=_share(padding, sequences * context),
        rows_cut=rows_cut,
    )


def _share(part: int, whole: int) -> float:
    return round(part / whole, 6) if whole else 0.0
