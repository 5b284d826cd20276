"""Exact duplicates beside Data-Juicer's: which rows stay here and there, and what it costs.

`python -m benchmarks.exact_duplicates [--rows 77000,1000000] [--repeats 3] [--folder FOLDER]
[--data-juicer PYTHON]`, over the corpora of `benchmarks.near_duplicates`: half of the exact copies
differ in case and space. Two settings: texts as they are, and without regard to case and space, to
which Data-Juicer's `lowercase` with `ignore_non_character` comes nearest (that drops digits and
punctuation too).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.building import program
from benchmarks.measuring import Program, alternate, machine, table, warm
from benchmarks.peering import data_juicer, kept
from benchmarks.planted import planted

SETTINGS = {
    "as they are": ("none", {"lowercase": False, "ignore_non_character": False}),
    "any case and space": ("whitespace_case", {"lowercase": True, "ignore_non_character": True}),
}
"""`normalize` here, and Data-Juicer's arguments."""


def programs(corpus: Path, told: str, folder: Path, peer: str | None) -> dict[str, Program]:
    """Seedbed and Data-Juicer over a corpus with a setting; what they write is in folders of `folder`."""
    normalize, arguments = SETTINGS[told]
    steps = f"deduplicate_exact: {{columns: [text], normalize: {normalize}}}"
    found = {"Seedbed": program(corpus, steps, folder / "exact")}
    for workers in (1, 2) if peer else ():
        place = folder / f"exact-data-juicer-{workers}"
        operators = [("document_deduplicator", arguments)]
        found[f"Data-Juicer, np={workers}"] = data_juicer(
            corpus, operators, workers, place, str(peer)
        )
    return found


def run(rows: int, repeats: int, folder: Path, peer: str | None) -> None:
    """Compare, and print a table for each setting.

    Args:
        rows: of the corpus.
        repeats: runs of each.
        folder: for corpora and results.
        peer: interpreter that has Data-Juicer.
    """
    corpus = planted(folder, rows)
    for told in SETTINGS:
        warm(programs(planted(folder, 100), told, folder, peer))
        compared = programs(corpus, told, folder, peer)
        runs = alternate(compared, repeats)
        ours = kept(compared["Seedbed"], "Seedbed")
        more = {}
        for name, measured in compared.items():
            theirs = kept(measured, name)
            more[name] = [f"{len(part):,}" for part in (theirs, ours - theirs, theirs - ours)]
        headings = ["rows that stay", "only in Seedbed", "only in it"]
        table(f"Exact duplicates, texts {told}, {rows:,} rows", runs, "Seedbed", more, headings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="77000,1000000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="for corpora; default: a temporary one")
    parser.add_argument("--data-juicer", metavar="PYTHON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        where = given.folder or Path(temporary)
        where.mkdir(parents=True, exist_ok=True)
        print(machine())
        for size in given.rows.split(","):
            run(int(size), given.repeats, where, given.data_juicer)
