"""The Vendi score: how many different vectors some vectors amount to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ROWS = 8192
_NOTHING = 1e-12
"""Eigenvalues up to here are 0 that was not computed exactly."""


def vendi_score(vectors: NDArray[np.number], order: float = 1) -> float:
    """The Vendi score (Friedman and Dieng 2022, arXiv 2210.02410) by cosine similarity: the exponential
    of the entropy of the eigenvalues of K/n, where K holds the similarities of the n vectors.

    It is 1 where all point the same way, and n where each is orthogonal to all others; never above the
    number of dimensions. It is computed from the smaller of K/n and the matrix of the dimensions that has
    the same eigenvalues.

    Args:
        vectors: shape (vectors, dimensions); none of zeros only.
        order: q of the Rényi entropy (Pasarkar and Dieng 2023, arXiv 2310.12952): 1 is Shannon's, 0
            counts dimensions, infinity looks only at what is most frequent.

    Returns:
        0 where there is no vector.
    """
    count, dimensions = vectors.shape
    if not count:
        return 0.0
    if count <= dimensions:
        unit = _unit(vectors)
        matrix = unit @ unit.T
    else:
        matrix = np.zeros((dimensions, dimensions))
        for start in range(0, count, _ROWS):
            unit = _unit(vectors[start : start + _ROWS])
            matrix += unit.T @ unit
    shares = np.linalg.eigvalsh(matrix / count)
    shares = shares[shares > _NOTHING]
    shares /= shares.sum()
    if order == 1:
        return float(np.exp(-(shares * np.log(shares)).sum()))
    if np.isinf(order):
        return float(1 / shares.max())
    return float((shares**order).sum() ** (1 / (1 - order)))


def _unit(vectors: NDArray[np.number]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    return wide / np.linalg.norm(wide, axis=1, keepdims=True)
