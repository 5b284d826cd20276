"""Multinomial logistic regression: probabilities of classes, by vectors of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 200


def held_out_probabilities(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    classes: int,
    folds: NDArray[np.int64],
    penalty: float,
) -> NDArray[np.float64]:
    """The probability of each class for each row, by a model trained on the rows of other folds.

    Args:
        vectors: of length 1; rows by dimensions.
        labels: the class of each row.
        classes: how many there are.
        folds: the fold of each row, from 0.
        penalty: of squared weights, relative to the mean loss of a row.
    """
    features = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)])
    found = np.zeros((len(vectors), classes))
    for fold in range(int(folds.max(initial=-1)) + 1):
        out = folds == fold
        weights = _trained(features[~out], labels[~out], classes, penalty)
        found[out] = _softmax(features[out] @ weights)
    return found


def _trained(
    features: NDArray[np.float32], labels: NDArray[np.int64], classes: int, penalty: float
) -> NDArray[np.float32]:
    """Weights, by Nesterov's accelerated gradient. A row's features have a squared length of 2, so the
    curvature of its loss is 1 at most, and a step of 1 / (1 + penalty) never overshoots."""
    rate = 1 / (1 + penalty)
    slowness = (rate * penalty) ** 0.5
    momentum = (1 - slowness) / (1 + slowness)
    weights = np.zeros((features.shape[1], classes), np.float32)
    ahead: NDArray[np.float32] = weights
    for _ in range(ROUNDS):
        off = _softmax(features @ ahead).astype(np.float32)
        off[np.arange(len(labels)), labels] -= 1
        gradient = features.T @ off / max(len(labels), 1) + penalty * ahead
        newer = np.asarray(ahead - rate * gradient, np.float32)
        ahead = np.asarray(newer + momentum * (newer - weights), np.float32)
        weights = newer
    return weights


def _softmax(scores: NDArray[np.float32]) -> NDArray[np.float64]:
    powers = np.exp((scores - scores.max(axis=1, keepdims=True)).astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)
