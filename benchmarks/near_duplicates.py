"""Near-duplicates: what is found of what was planted, and what finding it costs, beside peers.

`python -m benchmarks.near_duplicates [--rows 77000] [--repeats 3] [--datatrove PYTHON]`; the last is
an interpreter that has datatrove. All read one JSONL file and tell which rows go. Of the planted pairs
the true Jaccard similarity of their sets of 5-word shingles is computed, with words split in plain
Python, and recall is shown by it.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.measuring import Measured, machine, measure

RECIPE = """\
description: benchmark rows
phase: pretrain
inputs:
  rows: {{files: {path}}}
steps:
  - deduplicate_near: {{columns: [text], threshold: 0.8, size: 5}}
"""

SHARE = 0.05
"""So many rows are exact copies, half of them in other case and space; as many are edited ones."""


def planted(folder: Path, rows: int) -> tuple[Path, list[tuple[int, int, float]]]:
    """A JSONL file of `id` and `text`, and the planted pairs: the copy, its original, and their true
    similarity. Seeded."""
    import numpy as np

    random = np.random.default_rng(11)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    weights = 1 / np.arange(1, 27) ** 0.7
    lengths = random.integers(2, 10, 40_000)
    drawn = random.choice(letters, lengths.sum(), p=weights / weights.sum())
    words = ["".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    copies = int(rows * SHARE)
    base = rows - 2 * copies
    texts: list[list[str]] = []
    for size in random.integers(25, 160, base):
        ranks = np.minimum(random.zipf(1.25, size), 39_999)
        texts.append([words[rank] for rank in ranks])
    pairs: list[tuple[int, int, float]] = []
    path = folder / f"planted-{rows}.jsonl"
    with path.open("w") as stream:

        def write(number: int, text: str) -> None:
            stream.write(json.dumps({"id": str(number), "text": text}) + "\n")

        for number, text in enumerate(texts):
            write(number, " ".join(text))
        originals = random.permutation(base)[: 2 * copies]
        for index, original in enumerate(originals):
            text, number = list(texts[original]), base + index
            if index < copies:
                joined = " ".join(text) if index % 2 else "  ".join(text).upper() + " "
                write(number, joined)
                pairs.append((number, int(original), 1.0))
                continue
            for place in random.integers(
                0, len(text), max(1, int(len(text) * 0.06 * index / rows))
            ):
                text[place] = "x" + words[random.integers(40_000)]
            write(number, " ".join(text))
            pairs.append((number, int(original), similarity(texts[original], text)))
    return path, pairs


def similarity(one: list[str], other: list[str]) -> float:
    """Jaccard similarity of the sets of 5-word shingles."""
    a, b = ({tuple(text[at : at + 5]) for at in range(len(text) - 4)} for text in (one, other))
    return len(a & b) / len(a | b)


def seedbed(path: Path, folder: Path) -> None:
    """Materialize the recipe from a cold store, with all provenance; prints the rows that go, and
    those not alike enough to their survivor (none: they are verified)."""
    import shutil

    from dagster_project.engine.plan import plan
    from dagster_project.quality.gate import materialize
    from dagster_project.recipe.loading import read_recipe
    from dagster_project.warehouse.connect import open_snapshot
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    shutil.rmtree(folder, ignore_errors=True)
    name = VersionName("bench", "v1")
    recipe = folder / "assets" / "bench" / "v1.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text(RECIPE.format(path=path))
    workspace = Workspace(folder)
    store = Store(workspace.store)
    outcome = materialize(plan(read_recipe(recipe, name)), [], workspace, store)
    with open_snapshot(store, name, outcome.manifest.snapshot_id) as connection:
        gone = connection.execute(
            "SELECT parent_row_id, survivor_row_id FROM snapshot.dispositions"
        ).fetchall()
        ((seconds,),) = connection.execute("SELECT sum(seconds) FROM snapshot.steps").fetchall()
    print(json.dumps({"gone": [row for row, _ in gone], "step_seconds": seconds}))


def scores(found: dict, pairs: list[tuple[int, int, float]]) -> dict[str, float]:
    """Recall by true similarity, and precision: rows that go which are alike enough to their original
    by 0.8, or were drawn so by chance (an original with a copy may go in its place)."""
    gone = set(map(int, found["gone"]))
    bands = {"recall J ≥ .8": (0.8, 1.01), "recall J .7-.8": (0.7, 0.8)}
    told = {}
    for name, (low, high) in bands.items():
        alike = [pair for pair in pairs if low <= pair[2] < high]
        caught = sum(copy in gone or original in gone for copy, original, _ in alike)
        told[name] = caught / max(len(alike), 1)
    right = {row for copy, original, alike in pairs if alike >= 0.8 for row in (copy, original)}
    told["precision"] = len(gone & right) / max(len(gone), 1)
    return told


def run(rows: int, repeats: int, datatrove: str | None) -> None:
    """Compare, and print the table."""
    me = ["-m", "benchmarks.near_duplicates", "--program"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, pairs = planted(folder, rows)
        programs = {"Seedbed, with provenance": [*me, "seedbed", str(path), str(folder / "work")]}
        if datatrove:
            script = str(Path(__file__).parent / "peers" / "datatrove_minhash.py")
            programs["datatrove"] = [script, str(path), str(folder / "datatrove")]
        runs: dict[str, list[Measured]] = {program: [] for program in programs}
        for _ in range(repeats):
            for program, arguments in programs.items():
                python = datatrove if program == "datatrove" else None
                runs[program].append(measure(arguments, python=python))
    print(f"\n### Near-duplicates, {rows:,} rows, {repeats} runs; {machine()}\n")
    print("| program | CPU s | wall s | peak MB | recall J ≥ .8 | recall J .7-.8 | precision |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for program, taken in runs.items():
        told = scores(taken[-1].printed, pairs)
        shown = " | ".join(f"{value:.4f}" for value in told.values())
        cost = [median(getattr(run, what) for run in taken) for what in ("cpu", "wall", "peak_mb")]
        print(f"| {program} | {cost[0]:.1f} | {cost[1]:.1f} | {cost[2]:.0f} | {shown} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=77_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--program", nargs=3)
    given = parser.parse_args()
    if given.program:
        seedbed(Path(given.program[1]), Path(given.program[2]))
    else:
        run(given.rows, given.repeats, given.datatrove)
        sys.stdout.flush()
