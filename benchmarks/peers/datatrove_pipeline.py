"""datatrove's local executor over a folder of JSONL files, a worker each; run by an interpreter that
has datatrove. `python datatrove_pipeline.py PARTS FOLDER STEPS`, STEPS as JSON: names of its steps,
each with its arguments. Rows that stay are in FOLDER/kept."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.formatters import PIIFormatter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

KNOWN = {
    kind.__name__: kind for kind in (GopherQualityFilter, GopherRepetitionFilter, PIIFormatter)
}


def main(parts: Path, folder: Path, steps: list) -> None:
    workers = len(list(parts.iterdir()))
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(str(parts)),
            *(KNOWN[name](**arguments) for name, arguments in steps),
            JsonlWriter(str(folder / "kept"), compression=None),
        ],
        tasks=workers,
        workers=workers,
        logging_dir=str(folder / "logs"),
    ).run()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
