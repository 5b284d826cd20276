"""Rates, and Markdown tables of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def rate(part: int, whole: int) -> str:
    """`part / whole` to three digits; a dash where there is nothing."""
    return f"{part / whole:.3f}" if whole else "–"


def table(title: str, headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print one; cells of the first column are text, others numbers."""
    print(f"\n### {title}\n")
    print(f"| {' | '.join(headings)} |")
    print("|---|" + "---:|" * (len(headings) - 1))
    for cells in rows:
        print(f"| {' | '.join(map(str, cells))} |", flush=True)


def excerpt(text: str, size: int = 110) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= size else line[: size - 1] + "…"
