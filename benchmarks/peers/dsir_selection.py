"""The authors' own DSIR over a JSONL corpus; run by an interpreter that has data-selection.
`python dsir_selection.py CORPUS TARGET FOLDER ROWS`. It prints how many rows it selected."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from data_selection import HashedNgramDSIR


def main(corpus: Path, target: Path, folder: Path, rows: int) -> None:
    selection = HashedNgramDSIR(
        [str(corpus)],
        [str(target)],
        cache_dir=str(folder / "cache"),
        min_example_length=0,
        num_proc=2,
    )
    selection.fit_importance_estimator(num_tokens_to_fit="auto")
    selection.compute_importance_weights()
    selection.resample(
        out_dir=str(folder / "kept"),
        num_to_sample=rows,
        cache_dir=str(folder / "resampled"),
        top_k=True,
    )
    kept = [
        json.loads(line)["id"]
        for path in sorted((folder / "kept").glob("*.jsonl"))
        for line in path.open()
    ]
    print(json.dumps({"selected": len(kept), "ids": kept}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
