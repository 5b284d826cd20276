"""Confident learning: which labels are likely wrong, by probabilities that a model gives to rows that it
was not trained on (Northcutt, Jiang and Chuang 2021, arXiv 1911.00068).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEARLY = 1e-6
"""Differences of probabilities that do not count."""
NEVER = 2.0
"""A threshold that no probability reaches."""


def confident_joint(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.int64]:
    """How many rows there are of each given and each true label, estimated; classes by classes, each row
    adding up to the rows with this label.

    A row counts as of a class if its probability is at least the mean of those that are labelled so; as
    the most probable one, if there are several such classes.

    Args:
        labels: the class of each row.
        probabilities: of each class; rows by classes.
    """
    classes = probabilities.shape[1]
    given = np.bincount(labels, minlength=classes)
    thresholds = np.full(classes, NEVER)
    for each in np.nonzero(given)[0]:
        thresholds[each] = max(probabilities[labels == each, each].mean(), 2 * NEARLY)
    confident = probabilities >= thresholds - NEARLY
    among = confident.sum(axis=1)
    guess = np.where(among > 1, probabilities.argmax(axis=1), confident.argmax(axis=1))
    joint = np.zeros((classes, classes))
    np.add.at(joint, (labels[among > 0], guess[among > 0]), 1)
    np.fill_diagonal(joint, joint.diagonal().clip(min=1))
    return np.array(
        [_whole(row / row.sum() * count) for row, count in zip(joint, given, strict=True)]
    )


def label_errors(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which labels are likely wrong: for each given and each other label as many rows as are estimated to
    be mixed up so, those with the widest margin (pruning by noise rate). One row of each label stays,
    and so does a row whose label is the most probable one.

    Args:
        labels, probabilities: as in `confident_joint`.
    """
    wrong = np.zeros(len(labels), dtype=bool)
    for given, estimated in enumerate(confident_joint(labels, probabilities)):
        rows = np.nonzero(labels == given)[0]
        if len(rows) <= 1:
            continue
        spared = 0.0 if estimated[given] else 1 / max(np.count_nonzero(estimated) - 1, 1)
        for other, count in enumerate(np.maximum(estimated - spared, 0).astype(int)):
            if other != given and count > 0:
                margin = probabilities[rows, other] - probabilities[rows, given]
                wrong[rows[np.argsort(-margin, kind="stable")[:count]]] = True
    favoured = probabilities.copy()
    favoured[np.arange(len(labels)), labels] += NEARLY
    return wrong & (favoured.argmax(axis=1) != labels)


def _whole(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """Numbers rounded so that their sum stays: those with the largest remainders are rounded up, of
    equals the last."""
    floors = np.floor(numbers + 1e-9)
    missing = round(float(numbers.sum() - floors.sum()))
    upwards = np.argsort((numbers - floors).round(9), kind="stable")[::-1]
    floors[upwards[:missing]] += 1
    return floors.astype(np.int64)
