"""Data-Juicer's default executor over one JSONL file; run by an interpreter that has py-data-juicer.

`python data_juicer_pipeline.py SOURCE FOLDER WORKERS OPERATORS`, OPERATORS as JSON: the list `process`
of its configuration. Rows that stay are in FOLDER/kept/rows.jsonl. Its cache is in FOLDER too, so that
no run finds what another computed.

Data-Juicer installs a package that it finds missing, with pip, while it runs; here that is refused. After
each operator it frees the models it loaded, for which it imports torch, or installs it. No operator here
loads a model, so that step is left out, to its advantage.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import refusing  # noqa: F401  before Data-Juicer


def main(source: str, folder: Path, workers: int, process: list) -> None:
    os.environ |= {
        "HF_HOME": str(folder / "cache"),
        "DATA_JUICER_CACHE_HOME": str(folder / "cache"),
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    from data_juicer.config import init_configs
    from data_juicer.core import DefaultExecutor
    from data_juicer.ops import base_op

    base_op.free_models = lambda: None
    configuration = folder / "configuration.yaml"
    configuration.write_text(
        json.dumps(
            {
                "project_name": "benchmark",
                "dataset_path": source,
                "export_path": str(folder / "kept" / "rows.jsonl"),
                "text_keys": "text",
                "np": workers,
                "process": process,
            }
        )
    )
    DefaultExecutor(init_configs(["--config", str(configuration)])).run()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]))
