"""Programs that do the least there is to do: read a corpus, and hash its shingles once.

`python -m benchmarks.floors bytes|polars|shingles CORPUS`. What a deduplication takes beyond these is its
own doing.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.measuring import Program

FLOORS = {
    "bytes": "reads the bytes",
    "polars": "reads the rows, by Polars",
    "shingles": "reads the rows and hashes each shingle",
}

SIZE = 5
"""Words of a shingle."""


def programs(corpus: Path) -> dict[str, Program]:
    """The floors of a corpus, by what they do."""
    return {
        told: Program(["-m", "benchmarks.floors", kind, str(corpus)])
        for kind, told in FLOORS.items()
    }


def read_bytes(corpus: Path) -> int:
    """Read the file, a mebibyte at a time."""
    total = 0
    with corpus.open("rb", buffering=0) as stream:
        while part := stream.read(1 << 20):
            total += len(part)
    return total


def read_rows(corpus: Path) -> int:
    """Parse the JSONL and look at each text."""
    import polars as pl

    rows = pl.scan_ndjson(corpus)
    return rows.select(pl.col("text").str.len_bytes().sum()).collect(engine="streaming").item()


def hash_shingles(corpus: Path) -> int:
    """Parse the JSONL and hash each shingle, in one thread."""
    import polars as pl

    from benchmarks.checksum import checksum
    from dagster_project.operators.kernels.shingles import code_points, text_buffers

    total = 0
    for batch in pl.scan_ndjson(corpus).select("text").collect_batches():
        total ^= int(checksum(*text_buffers(batch["text"]), SIZE, *code_points()))
    return total


if __name__ == "__main__":
    by_name = {"bytes": read_bytes, "polars": read_rows, "shingles": hash_shingles}
    print(by_name[sys.argv[1]](Path(sys.argv[2])))
