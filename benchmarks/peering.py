"""Pipelines of peers as programs to measure, and the rows that programs leave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.building import published
from benchmarks.measuring import PEERS, Program

Operators = Sequence[tuple[str, dict[str, Any]]]
"""Names of a peer's operators, in order, with their arguments."""


def data_juicer(
    corpus: Path, operators: Operators, workers: int, folder: Path, python: str
) -> Program:
    """Data-Juicer's own executor over a corpus."""
    process = json.dumps([{name: arguments} for name, arguments in operators])
    script = str(PEERS / "data_juicer_pipeline.py")
    arguments = [script, str(corpus), str(folder), str(workers), process]
    return Program(arguments, python, folder)


def datatrove(parts: Path, steps: Operators, folder: Path, python: str) -> Program:
    """datatrove's local executor over the parts of a corpus, a worker each."""
    script = str(PEERS / "datatrove_pipeline.py")
    return Program([script, str(parts), str(folder), json.dumps(steps)], python, folder)


def datatrove_minhash(parts: Path, folder: Path, python: str) -> Program:
    """datatrove's four stages of MinHash deduplication over the parts of a corpus."""
    script = str(PEERS / "datatrove_minhash.py")
    return Program([script, str(parts), str(folder)], python, folder)


def halved(corpus: Path, parts: Path) -> Path:
    """The corpus in two files, for datatrove, whose workers each read files of their own."""
    parts.mkdir(parents=True, exist_ok=True)
    size, read = corpus.stat().st_size, 0
    with corpus.open("rb") as lines:
        for number, share in enumerate((size / 2, size)):
            with (parts / f"{number}.jsonl").open("wb") as part:
                while read < share and (line := lines.readline()):
                    part.write(line)
                    read += len(line)
    return parts


def written(program: Program, name: str) -> pl.DataFrame:
    """`id`, as a number, and `text` of the rows that a program left: from Seedbed's snapshot, or from the
    JSONL of a peer."""
    if program.folder is None:
        raise ValueError(f"{name} writes no rows")
    if name.startswith("Seedbed"):
        left = published(program.folder, "id", "text")
    else:
        left = pl.scan_ndjson(program.folder / "kept" / "*.jsonl").select("id", "text").collect()
    return left.with_columns(pl.col("id").cast(pl.Int64))


def kept(program: Program, name: str) -> set[int]:
    """The ids of those rows."""
    return set(written(program, name)["id"].to_list())
