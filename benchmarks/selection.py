"""Selecting rows like those of a target (DSIR), beside the authors' package: what it costs, and whether
the same rows are selected.

`python -m benchmarks.selection [--rows 100000] [--repeats 3] [--dsir PYTHON]`. Whole processes, from a
JSONL corpus and a JSONL target to a tenth of the rows on disk, the most important ones, without draws, so
that both can be compared; Seedbed with all provenance. Texts are made up: some 120 words, drawn from one
of two vocabularies that overlap; the target is of the second.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.building import materializing, published
from benchmarks.measuring import (
    PEERS,
    Measured,
    Program,
    alternate,
    machine,
    spread,
    table,
    warm,
)

WORDS = 20_000
TARGET_ROWS = 2_000
LIKE_TARGET = 0.2
"""Share of the corpus that has the target's words."""
RECIPE = """\
references:
  wanted: {{files: {target}}}
inputs:
  rows: {{files: {corpus}}}
steps:
  - select_like: {{columns: [text], like: {{wanted: [text]}}, noise: false, rows: {rows}}}
"""


def corpora(folder: Path, rows: int) -> tuple[Path, Path]:
    """A corpus and a target; seeded."""
    random = np.random.default_rng(11)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    words = ["".join(random.choice(letters, size)) for size in random.integers(2, 10, WORDS)]

    def write(path: Path, count: int, like_target: float) -> Path:
        with path.open("w") as lines:
            for number in range(count):
                ranks = np.minimum(random.zipf(1.3, random.integers(60, 180)), WORDS // 2)
                shift = WORDS // 2 - 1 if random.random() < like_target else 0
                said = " ".join(words[rank + shift * (rank > 200)] for rank in ranks - 1)
                lines.write(json.dumps({"id": number, "text": f"{said}."}) + "\n")
        return path

    corpus = folder / f"corpus-{rows}.jsonl"
    target = folder / f"target-{rows}.jsonl"
    return write(corpus, rows, LIKE_TARGET), write(target, TARGET_ROWS, 1.0)


def programs(folder: Path, rows: int, dsir: str | None) -> dict[str, Program]:
    """Seedbed and the authors' package over a corpus."""
    corpus, target = corpora(folder, rows)
    recipe = RECIPE.format(corpus=corpus, target=target, rows=rows // 10)
    found = {"Seedbed": materializing(recipe, folder / f"seedbed-{rows}")}
    if dsir:
        place = folder / f"dsir-{rows}"
        script = str(PEERS / "dsir_selection.py")
        arguments = [script, str(corpus), str(target), str(place), str(rows // 10)]
        found["data-selection, num_proc=2"] = Program(arguments, dsir, place)
    return found


def _selected(
    measured: Mapping[str, Program], runs: Mapping[str, Sequence[Measured]]
) -> dict[str, set[int]]:
    found = {}
    for name, program in measured.items():
        if name == "Seedbed":
            assert program.folder is not None
            found[name] = set(published(program.folder, "id")["id"].to_list())
        else:
            found[name] = set(runs[name][-1].printed["ids"])
    return found


def run(rows: int, repeats: int, dsir: str | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        warm(programs(folder, 1_000, dsir))
        measured = programs(folder, rows, dsir)
        runs = alternate(measured, repeats)
        selected = _selected(measured, runs)
        own = selected["Seedbed"]
        cells = {
            name: [
                f"{len(taken):,}",
                f"{len(taken & own) / len(taken | own):.4f}",
                spread((rows / run.cpu for run in runs[name]), 0),
            ]
            for name, taken in selected.items()
        }
        headings = ("selected", "Jaccard with Seedbed's", "rows a CPU second")
        table(f"{rows:,} rows like a target", runs, "Seedbed", cells, headings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--dsir", metavar="PYTHON")
    given = parser.parse_args()
    print(machine())
    run(given.rows, given.repeats, given.dsir)
