"""Whether the arena ranks rows as they were above the same rows with defects planted in their answers: by
the quick models, at equally many rows, each draw by itself and all together."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl

from benchmarks.truth.base_rows import gsm8k
from benchmarks.truth.planted_defects import ROWS, SHARES, defects, spoiled
from benchmarks.truth.tables import table
from dagster_project.arena.contest import Entry, contest
from dagster_project.arena.standing import standing
from dagster_project.engine.contest_source import embedded_once

HELD_OUT = 250
BUDGET = 600
SEEDS = 5


def arena(data: Path | None) -> None:
    """Print, for each defect and share, how much worse a model becomes."""
    if data is None:
        print("\narena over planted defects: not run; give --data")
        return
    rows = gsm8k(data, "train")
    good, held_out = rows[:ROWS], _pairs(rows[-HELD_OUT:])
    embed = partial(embedded_once, {})
    lines = []
    for defect, spoil in defects(data).items():
        entries = [Entry("as it was", _pairs(good))]
        for share in SHARES:
            frame, _ = spoiled(good, share, spoil)
            entries.append(Entry(f"{share:.0%}", frame.rename({"question": "prompt"})))
        results = pl.concat(
            contest(
                entries,
                held_out,
                [("rows", BUDGET)],
                SEEDS,
                ["language_model", "embedding_map"],
                embed,
            )
        )
        for (model,), own in results.group_by("model", maintain_order=True):
            found = {row["contestant"]: row for row in standing(own, "as it was").to_dicts()}
            cells = [defect, model]
            for share in SHARES:
                row = found[f"{share:.0%}"]
                worse = _draws_worse(own, f"{share:.0%}")
                cells += [
                    f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})",
                    f"{worse} of {SEEDS}",
                ]
            lines.append(cells)
    headings = ["planted", "model"]
    headings += [f"{what} at {share:.0%}" for share in SHARES for what in ("score", "draws worse")]
    table(
        f"Trained on {BUDGET} rows with defects, against the same rows as they were; {HELD_OUT} held out",
        headings,
        lines,
    )


def _pairs(rows: list[tuple[str, str]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=["prompt", "answer"], orient="row")


def _draws_worse(own: pl.DataFrame, name: str) -> int:
    """In how many draws the mean score is below that of the rows as they were."""
    means = own.group_by("contestant", "seed").agg(pl.col("score").mean())
    both = means.filter(contestant=name).join(means.filter(contestant="as it was"), on="seed")
    return int((both["score"] < both["score_right"]).sum())
