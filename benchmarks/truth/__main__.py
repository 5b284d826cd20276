"""What operators find of what was planted: precision and recall, as Markdown tables.

`python -m benchmarks.truth [--data FOLDER] [--only NAME ...]`, with a folder of public sets:
`gsm8k/train.jsonl`, `gsm8k/test.jsonl`, `gpteacher/*.json` and `hh_rlhf/test.jsonl.gz`. Without it texts
are made up, and what needs the sets is left out. Seeded; no network.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from benchmarks.truth import (
    arena_defects,
    cleaning,
    contamination,
    duplicates,
    filters,
    meaning,
    passages,
    planted_defects,
)

TABLES = {
    "exact": duplicates.exact,
    "prompts": duplicates.prompts,
    "near": duplicates.near,
    "passages": passages.passages,
    "semantic": meaning.semantic,
    "decontaminate": contamination.decontaminate,
    "filters": filters.post_training,
    "cleaning": cleaning.cleaning,
    "models": cleaning.models,
    "planted": planted_defects.planted,
    "arena": arena_defects.arena,
}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of public sets")
    parser.add_argument("--only", nargs="*", choices=TABLES, default=list(TABLES))
    given = parser.parse_args()
    for name in given.only:
        started = time.process_time()
        TABLES[name](given.data)
        print(f"\n{name}: {time.process_time() - started:.1f} CPU s", flush=True)
