"""The most likely answers of raters who err in ways of their own (Dawid and Skene 1979)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEAST = 1e-12
"""What a probability counts as at least, so that one surprise does not outweigh all else."""


class Estimate(NamedTuple):
    """What was estimated.

    Attributes:
        answers: probability of each answer for each unit.
        shares: of each answer among all units.
        errors: for each rater and true answer, the probability of each that is given.
    """

    answers: NDArray[np.float64]
    shares: NDArray[np.float64]
    errors: NDArray[np.float64]


def dawid_skene(
    counts: NDArray[np.float64], *, most_rounds: int = 500, tolerance: float = 1e-7
) -> Estimate:
    """Estimate by expectation maximization, from the shares of answers (their equations 2.3 to 2.5,
    and 3.1 to begin with).

    Args:
        counts: how often each rater gave each answer to each unit; units by raters by answers, with
            one answer or more to each unit.
        most_rounds: after which it ends.
        tolerance: it ends when no probability changes by more.
    """
    totals = counts.sum(axis=1)
    answers = totals / totals.sum(axis=1, keepdims=True)
    while True:
        shares = answers.mean(axis=0)
        errors = np.einsum("uj,url->rjl", answers, counts)
        given = errors.sum(axis=2, keepdims=True)
        errors = np.divide(errors, given, out=np.zeros_like(errors), where=given > 0)
        likelihood = np.einsum("url,rjl->uj", counts, np.log(np.maximum(errors, LEAST)))
        likelihood += np.log(np.maximum(shares, LEAST))
        likelihood = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
        newer = likelihood / likelihood.sum(axis=1, keepdims=True)
        change = np.abs(newer - answers).max(initial=0.0)
        answers, most_rounds = newer, most_rounds - 1
        if change <= tolerance or most_rounds <= 0:
            return Estimate(answers, shares, errors)
