"""How far apart two distributions are."""

from __future__ import annotations

import math
from collections.abc import Mapping


def shares(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts as shares of their sum; all 0 where it is 0."""
    total = math.fsum(counts.values())
    return {value: count / total if total else 0.0 for value, count in counts.items()}


def jensen_shannon(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """The Jensen–Shannon divergence of two distributions in bits: 0 where they are equal, 1 where they
    have no value in common (Lin 1991).

    Args:
        one, other: shares by value, each summing to 1.
    """
    found = 0.0
    for value in sorted({*one, *other}):
        p, q = one.get(value, 0.0), other.get(value, 0.0)
        mean = (p + q) / 2
        found += sum(each * math.log2(each / mean) for each in (p, q) if each > 0) / 2
    return min(max(found, 0.0), 1.0)


def effective_values(distribution: Mapping[str, float]) -> float:
    """How many equally frequent values would be as varied (2 to the entropy); 0 for none."""
    entropy = -sum(p * math.log2(p) for p in distribution.values() if p > 0)
    return 2.0**entropy if any(distribution.values()) else 0.0


def wanted_of_all(wanted: Mapping[str, float], there: Mapping[str, float]) -> dict[str, float]:
    """Wanted shares of all values: what is left over goes to those that are not named, as they are.

    Args:
        wanted: shares of some values, at most 1 in all.
        there: shares of the values there are.
    """
    left = max(1 - math.fsum(wanted.values()), 0.0)
    others = {value: share for value, share in there.items() if value not in wanted}
    total = math.fsum(others.values())
    if not total:
        scale = math.fsum(wanted.values()) or 1.0
        return {value: share / scale for value, share in wanted.items()}
    return {**wanted, **{value: left * share / total for value, share in others.items()}}
