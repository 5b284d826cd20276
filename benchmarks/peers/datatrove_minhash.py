"""datatrove's MinHash deduplication of a folder of JSONL files, a worker each, with FineWeb's settings;
run by an interpreter that has datatrove. `python datatrove_minhash.py PARTS FOLDER`. Rows that stay are
in FOLDER/kept."""

from __future__ import annotations

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


def main(parts: Path, folder: Path) -> None:
    """The four stages."""
    workers = len(list(parts.iterdir()))
    config = MinhashConfig(
        hash_config=HashConfig(precision=64), num_buckets=14, hashes_per_bucket=8, n_grams=5
    )
    at = {name: str(folder / name) for name in ("signatures", "buckets", "remove", "kept")}

    def stage(name: str, pipeline: list, tasks: int) -> None:
        LocalPipelineExecutor(
            pipeline=pipeline,
            tasks=tasks,
            workers=workers,
            logging_dir=str(folder / "logs" / name),
        ).run()

    reader = JsonlReader(str(parts))
    stage("1", [reader, MinhashDedupSignature(at["signatures"], config=config)], workers)
    stage("2", [MinhashDedupBuckets(at["signatures"], at["buckets"], config=config)], 14)
    stage("3", [MinhashDedupCluster(at["buckets"], at["remove"], config=config)], 1)
    kept = JsonlWriter(at["kept"], compression=None)
    stage("4", [reader, MinhashDedupFilter(at["remove"]), kept], workers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
