"""A fixed vocabulary of 4,096 tokens, for models that are fitted on little text.

It is the beginning of `cl100k` (OpenAI), which ships with quicktok: byte-pair encoding merges in the
order of token numbers, so its first tokens are a vocabulary of their own, and a token of the whole one
is cut into theirs by its bytes alone, whatever stands around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SIZE = 4096
LIBRARY = "quicktok-v1"


def tokenized(texts: Sequence[str]) -> tuple[NDArray[np.uint16], NDArray[np.int64]]:
    """The tokens of all texts, one after the other, and where each text's start; one more for the end."""
    encoding = _encoding()
    given = [text.encode("utf-8", "replace").decode() for text in texts]
    ids, first = encoding.encode_batch(given, with_special=False)
    ids, first = np.asarray(ids, np.int64), np.asarray(first, np.int64)
    distinct, at = np.unique(ids, return_inverse=True)
    pieces = [_pieces(int(token)) for token in distinct]
    lengths = np.array([len(each) for each in pieces], np.int64)
    flat = np.array([token for each in pieces for token in each], np.uint16)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    each = lengths[at]
    ends = np.concatenate([[0], np.cumsum(each)])
    within = np.arange(ends[-1]) - np.repeat(ends[:-1], each)
    return flat[np.repeat(starts[at], each) + within], ends[first]


@cache
def _encoding() -> Any:
    import quicktok

    return quicktok.get_encoding("cl100k_base")


@cache
def _ranks() -> dict[bytes, int]:
    encoding = _encoding()
    return {encoding.decode_single_token_bytes(token): token for token in range(SIZE)}


@cache
def _pieces(token: int) -> tuple[int, ...]:
    """A token of the whole vocabulary as tokens of the small one: its bytes, merged as far as these
    go, lowest number first."""
    ranks = _ranks()
    parts = [bytes([byte]) for byte in _encoding().decode_single_token_bytes(token)]
    while len(parts) > 1:
        merges = [ranks.get(a + b, SIZE) for a, b in pairwise(parts)]
        least = min(merges)
        if least == SIZE:
            break
        at = merges.index(least)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    return tuple(ranks[part] for part in parts)
