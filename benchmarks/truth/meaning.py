"""Texts that mean the same in other words, and texts that mean something else in the same words."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import examples, gsm8k
from benchmarks.truth.tables import rate, table

THRESHOLDS = (0.95, 0.92, 0.9, 0.85, 0.8)


def semantic(data: Path | None) -> None:
    """Print how many hand-written pairs of each kind are merged."""
    kinds: dict[str, list[tuple[str, str]]] = {"paraphrase": [], "hard_negative": []}
    for pair in examples("pairs"):
        kinds[pair["kind"]].append((pair["one"], pair["other"]))
    if data:
        test = gsm8k(data, "test")
        kinds["rephrased problem"] = [
            (test[row["test_row"]][0], row["text"]) for row in examples("rephrased")
        ]
    lines = []
    for same_numbers in (True, False):
        for threshold in THRESHOLDS:
            found = {kind: _merged(pairs, threshold, same_numbers) for kind, pairs in kinds.items()}
            right, wrong = len(found["paraphrase"][0]), len(found["hard_negative"][0])
            others = sum(more for _, more in found.values())
            cells = [f"{len(own)} / {len(kinds[kind])}" for kind, (own, _) in found.items()]
            recall = rate(right, len(kinds["paraphrase"]))
            precision = rate(right, right + wrong)
            named = "yes" if same_numbers else "no"
            lines.append((f"{threshold:g}", named, *cells, others, recall, precision))
    headings = [f"{kind.replace('_', ' ')}s merged" for kind in kinds]
    title = "deduplicate_semantic: hand-written pairs, each kind in a corpus of its own"
    rates = [
        "texts of other pairs merged",
        "recall of paraphrases",
        "precision on paraphrases and hard negatives",
    ]
    table(title, ["threshold", "`same_numbers`", *headings, *rates], lines)
    print("\nHard negatives merged at 0.95, with the same numbers:\n")
    for one, other in _merged(kinds["hard_negative"], THRESHOLDS[0], True)[0]:
        print(f"- {one} / {other}")


def _merged(
    pairs: list[tuple[str, str]], threshold: float, same_numbers: bool
) -> tuple[list[tuple[str, str]], int]:
    """The pairs that are merged, among all texts of all pairs, and how many texts were merged with one
    of another pair."""
    rows = [text for pair in pairs for text in pair]
    given = {"columns": ["text"], "threshold": threshold, "same_numbers": same_numbers}
    done = apply("deduplicate_semantic", given, pl.DataFrame({"text": rows}))
    told = [
        row
        for row, there in done.removed.select("row", "survivor").iter_rows()
        if row // 2 == there // 2
    ]
    return [pairs[row // 2] for row in sorted(told)], done.removed.height - len(told)
