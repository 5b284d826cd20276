"""Near-duplicates: what is found of what was planted, and what finding it costs, beside peers; how the
cost grows with the rows, and how far it is from the least there is to do.

`python -m benchmarks.near_duplicates [--rows 77000] [--repeats 3] [--folder FOLDER] [--datatrove
PYTHON] [--data-juicer PYTHON]`. With several numbers of rows, such as `--rows
10000,100000,1000000,3000000`, Seedbed alone is measured, beside the floors. Corpora are made in the
folder, if they are not there yet. All read one JSONL file (datatrove the same in two parts, so that
both its workers have something to do) and write the rows that stay; compiled code is on disk before
the first run.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks import floors
from benchmarks.building import program
from benchmarks.measuring import (
    Measured,
    Program,
    alternate,
    machine,
    ratio,
    spread,
    table,
    warm,
)
from benchmarks.peering import data_juicer, datatrove_minhash, halved, kept
from benchmarks.planted import Pair, pairs_of, planted

STEPS = "deduplicate_near: {columns: [text], threshold: 0.8, size: 5}"

DATA_JUICER = {"tokenization": "space", "window_size": 5, "jaccard_threshold": 0.8}
"""Other settings are its defaults: 256 permutations, bands by its own optimum, lower case."""

ALIKE = 0.8
"""Rows are near-duplicates from this similarity on."""


def scores(gone: set[int], pairs: Sequence[Pair]) -> list[str]:
    """Recall of pairs that are alike enough, share of pairs that go although they are a little less
    alike, and precision: share of the rows that go which are alike enough to their copy or original (an
    original may go in its copy's place)."""
    told = []
    for low, high in ((ALIKE, 1.01), (0.7, ALIKE)):
        band = [pair for pair in pairs if low <= pair[2] < high]
        caught = sum(copy in gone or original in gone for copy, original, _ in band)
        told.append(f"{caught / len(band):.4f}" if band else "none planted")
    right = {row for copy, original, alike in pairs if alike >= ALIKE for row in (copy, original)}
    told.append(f"{len(gone & right) / len(gone):.4f}" if gone else "none gone")
    return told


def programs(
    corpus: Path, folder: Path, peer: str | None, other_peer: str | None
) -> dict[str, Program]:
    """Seedbed and the peers over a corpus; what they write is in folders of `folder`.

    Args:
        corpus: see `planted`.
        folder: for results.
        peer: interpreter that has datatrove.
        other_peer: interpreter that has Data-Juicer.
    """
    found = {"Seedbed": program(corpus, STEPS, folder / "seedbed")}
    if peer:
        parts = halved(corpus, folder / f"parts-{corpus.stem}")
        found["datatrove"] = datatrove_minhash(parts, folder / "datatrove", peer)
    for workers in (1, 2) if other_peer else ():
        operators = [("document_minhash_deduplicator", DATA_JUICER)]
        place = folder / f"data-juicer-{workers}"
        found[f"Data-Juicer, np={workers}"] = data_juicer(
            corpus, operators, workers, place, str(other_peer)
        )
    return found


def compare(
    rows: int, repeats: int, folder: Path, peer: str | None, other_peer: str | None
) -> None:
    """Print the table of Seedbed and peers.

    Args:
        rows: of the corpus.
        repeats: runs of each.
        folder: for corpora and results.
        peer: interpreter that has datatrove.
        other_peer: interpreter that has Data-Juicer.
    """
    warm(programs(planted(folder, 100), folder, peer, other_peer))
    corpus = planted(folder, rows)
    compared = programs(corpus, folder, peer, other_peer)
    runs = alternate(compared, repeats)
    pairs = list(pairs_of(corpus))
    more = {}
    for name, measured in compared.items():
        gone = set(range(rows)) - kept(measured, name)
        more[name] = [f"{len(gone):,}", *scores(gone, pairs)]
    headings = ["rows gone", "recall J ≥ .8", "gone of J .7-.8", "precision"]
    table(f"Near-duplicates, {rows:,} rows", runs, "Seedbed", more, headings)
    print(
        "\nSeedbed verifies candidates and keeps provenance; datatrove and Data-Juicer do neither."
    )


def grow(sizes: Sequence[int], repeats: int, folder: Path) -> None:
    """Print the table of Seedbed by rows, and its distance to the floors."""
    small = planted(folder, 100)
    warm({"Seedbed": program(small, STEPS, folder / "seedbed"), **floors.programs(small)})
    told = list(floors.FLOORS.values())
    print(f"\n### Near-duplicates by rows, and the floors, {repeats} runs\n")
    costs = " | ".join(f"{floor}, CPU s" for floor in told)
    print(f"| rows | MB | CPU s | CPU s / 1,000 rows | wall s | peak MB | {costs} | CPU ÷ floors |")
    print("|" + "---:|" * (7 + len(told)))
    for rows in sizes:
        corpus = planted(folder, rows)
        own = program(corpus, STEPS, folder / "seedbed")
        runs = alternate({"Seedbed": own, **floors.programs(corpus)}, repeats)
        print(
            f"| {rows:,} | {corpus.stat().st_size / 1e6:,.0f} | {_line(rows, runs, told)} |",
            flush=True,
        )


def _line(rows: int, runs: dict[str, list[Measured]], told: Sequence[str]) -> str:
    """Cells of a size."""
    own = runs["Seedbed"]
    return " | ".join(
        [
            spread(run.cpu for run in own),
            spread((run.cpu / rows * 1000 for run in own), 4),
            spread(run.wall for run in own),
            f"{median(run.peak_mb for run in own):,.0f}",
            *(spread(run.cpu for run in runs[floor]) for floor in told),
            ", ".join(f"{ratio(own, runs[floor]):.1f}" for floor in told),
        ]
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="77000", help="one number to compare, several to grow")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for corpora; default: a temporary one")
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--data-juicer", metavar="PYTHON")
    given = parser.parse_args()
    sizes = [int(rows) for rows in given.rows.split(",")]
    with tempfile.TemporaryDirectory() as temporary:
        place = given.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        print(machine())
        if len(sizes) == 1:
            compare(sizes[0], given.repeats, place, given.datatrove, given.data_juicer)
        else:
            grow(sizes, given.repeats, place)
