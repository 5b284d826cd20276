"""Run every benchmark that can be run with what is given, and say which were not.

`python -m benchmarks [--quick] [--repeats 3] [--folder FOLDER] [--corpus JSONL] [--carriers FOLDER]
[--datatrove PYTHON] [--data-juicer PYTHON] [--distilabel PYTHON] [--curator PYTHON]`. Peers'
interpreters are made from `benchmarks/peers/requirements-*.txt`.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import (
    exact_duplicates,
    filter_parity,
    loading,
    model_calls,
    near_duplicates,
    overhead,
    pii,
)
from benchmarks.measuring import machine, versions

DATATROVE_NAMES = ("datatrove", "spacy", "numpy")
DATA_JUICER_NAMES = ("py-data-juicer", "datasets", "numpy")
DISTILABEL_NAMES = ("distilabel", "openai")
CURATOR_NAMES = ("bespokelabs-curator", "litellm", "openai")


def run(given: argparse.Namespace, folder: Path) -> None:
    """Run and print them, one after another.

    Args:
        given: see `parsed`.
        folder: for corpora and results.
    """
    quick, repeats = given.quick, given.repeats
    missing: list[str] = []
    print(f"{machine()}; CPU seconds are those of whole process trees: median (range)")
    for peer, python, names in (
        ("datatrove", given.datatrove, DATATROVE_NAMES),
        ("data-juicer", given.data_juicer, DATA_JUICER_NAMES),
        ("distilabel", given.distilabel, DISTILABEL_NAMES),
        ("curator", given.curator, CURATOR_NAMES),
    ):
        if python:
            print(f"\n{peer}'s interpreter: {versions(names, python)}")
        else:
            missing.append(f"comparisons with {peer}: give --{peer} PYTHON")
    overhead.run(10_000 if quick else 1_000_000, repeats)
    loading.run(repeats)
    near_duplicates.compare(
        1_500 if quick else 77_000, repeats, folder, given.datatrove, given.data_juicer
    )
    sizes = (500, 1_500) if quick else (10_000, 100_000, 1_000_000, 3_000_000)
    near_duplicates.grow(sizes, repeats, folder)
    for rows in (1_500,) if quick else (77_000, 1_000_000):
        exact_duplicates.run(rows, repeats, folder, given.data_juicer)
    model_calls.run(100 if quick else 3_000, repeats, given.distilabel, given.curator)
    if given.corpus and given.datatrove:
        filter_parity.run(given.corpus, repeats, given.datatrove, differences=0)
    else:
        missing.append("filters beside datatrove: give --datatrove PYTHON and --corpus JSONL")
    if given.carriers:
        rows = 1_000 if quick else 77_000
        pii.run(given.carriers, rows, repeats, given.datatrove, given.data_juicer)
    else:
        missing.append("personal data: give --carriers FOLDER, see benchmarks/pii.py")
    print("\nNot run:", *(missing or ["nothing"]), sep="\n- ")


def parsed() -> argparse.Namespace:
    """Options of the command line.

    Raises:
        SystemExit: when an interpreter, file or folder that is named is not there.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datatrove", metavar="PYTHON", help="interpreter that has datatrove")
    parser.add_argument("--data-juicer", metavar="PYTHON", help="interpreter that has Data-Juicer")
    parser.add_argument("--distilabel", metavar="PYTHON", help="interpreter that has distilabel")
    parser.add_argument("--curator", metavar="PYTHON", help="one that has bespokelabs-curator")
    parser.add_argument("--corpus", type=Path, help="JSONL with `text`, for filters")
    parser.add_argument("--carriers", type=Path, help="folder of texts for personal data")
    parser.add_argument("--folder", type=Path, help="for corpora, kept; default: a temporary one")
    parser.add_argument("--repeats", type=int, help="runs of each program; default 3, quick 1")
    parser.add_argument("--quick", action="store_true", help="small corpora: whether all runs")
    given = parser.parse_args()
    given.repeats = given.repeats or (1 if given.quick else 3)
    for option in ("datatrove", "data_juicer", "distilabel", "curator", "corpus", "carriers"):
        named = getattr(given, option)
        if named and not Path(named).exists():
            parser.error(f"--{option.replace('_', '-')}: {named} is not there")
    return given


if __name__ == "__main__":
    wanted = parsed()
    with tempfile.TemporaryDirectory() as temporary:
        place = wanted.folder or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        run(wanted, place)
