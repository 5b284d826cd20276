"""Rows at fault, as a file."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dagster_project.engine.profile.profiled_rows import TargetRefused
from dagster_project.engine.profile.quality import QualityReport

WRITERS = {
    ".parquet": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
    ".jsonl": pl.DataFrame.write_ndjson,
    ".ndjson": pl.DataFrame.write_ndjson,
}


def require_writable(path: Path) -> None:
    """Refuse a file of another kind, before work is done for it.

    Raises:
        TargetRefused: when its name does not end as one of `WRITERS`, or its folder is not there.
    """
    if path.suffix.lower() not in WRITERS:
        raise TargetRefused(f"{path}: cannot be written; it must be one of {', '.join(WRITERS)}")
    if not path.parent.is_dir():
        raise TargetRefused(f"{path}: there is no folder {path.parent}")


def write_flagged(report: QualityReport, path: Path) -> int:
    """Write the rows of a report that are at fault, as `QualityReport.rows` has them, and count them.

    Raises:
        TargetRefused: when the file cannot be written.
    """
    require_writable(path)
    flagged = report.rows.filter(pl.col("flags") != "")
    try:
        WRITERS[path.suffix.lower()](flagged, path)
    except OSError as error:
        raise TargetRefused(f"{path}: cannot be written: {error.strerror or error}") from error
    return flagged.height
