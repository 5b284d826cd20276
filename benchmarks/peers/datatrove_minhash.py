"""datatrove's MinHash deduplication of one JSONL file, with FineWeb's settings; run by an interpreter
that has datatrove. Prints the ids of the rows that go."""

from __future__ import annotations

import contextlib
import gzip
import json
import shutil
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import (
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter
from datatrove.utils.hashing import HashConfig


def main(source: Path, folder: Path) -> None:
    """Split the file in two, so that two workers have something to do, and run the four stages."""
    shutil.rmtree(folder, ignore_errors=True)
    parts = folder / "parts"
    parts.mkdir(parents=True)
    lines = source.read_text().splitlines(keepends=True)
    half = len(lines) // 2
    (parts / "0.jsonl").write_text("".join(lines[:half]))
    (parts / "1.jsonl").write_text("".join(lines[half:]))
    config = MinhashConfig(
        hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    at = {
        name: str(folder / name) for name in ("signatures", "buckets", "remove", "removed", "kept")
    }

    def stage(name: str, pipeline: list, tasks: int) -> None:
        LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=tasks,
            workers=2,
            logging_dir=str(folder / "logs" / name),
        ).run()

    reader = JsonlReader(str(parts))
    stage("1", [reader, MinhashDedupSignature(at["signatures"], config=config)], 2)
    stage("2", [MinhashDedupBuckets(at["signatures"], at["buckets"], config=config)], 14)
    stage("3", [MinhashDedupCluster(at["buckets"], at["remove"], config=config)], 1)
    stage(
        "4",
        [
            reader,
            MinhashDedupFilter(at["remove"], exclusion_writer=JsonlWriter(at["removed"])),
            JsonlWriter(at["kept"]),
        ],
        2,
    )
    gone = []
    for path in Path(at["removed"]).rglob("*.jsonl.gz"):
        with gzip.open(path, "rt") as stream:
            gone += [int(json.loads(line)["id"]) for line in stream]
    print(json.dumps({"gone": sorted(gone)}))


if __name__ == "__main__":
    with contextlib.redirect_stderr(sys.stderr):
        main(Path(sys.argv[1]), Path(sys.argv[2]))
