"""Counts as a row of bars, in text."""

from __future__ import annotations

from collections.abc import Sequence

BARS = " ▁▂▃▄▅▆▇█"


def sparkline(counts: Sequence[int]) -> str:
    """A bar for each count, as high as its share of the largest; any but 0 is seen."""
    top = max(counts, default=0)
    if not top:
        return " " * len(counts)
    return "".join(BARS[-(-count * (len(BARS) - 1) // top)] for count in counts)
