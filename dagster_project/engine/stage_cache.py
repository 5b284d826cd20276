"""Stage results by content: same rows in, same steps, same result, without running again."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from dagster_project.engine.accounts import StepCount
from dagster_project.engine.batch import StageResult
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.store import Store


@dataclass(frozen=True)
class StageCache:
    """Results by key, in the store's cache folder. Entries appear whole or not at all; the folder
    may be deleted at any time."""

    store: Store

    def folder(self, key: str) -> Path:
        """Where the result of this key is."""
        return self.store.cache / "stages" / key[:2] / key

    def get(self, key: str) -> StageResult | None:
        """The result of this key, if it is there; its rows count as cached."""
        folder = self.folder(key)
        try:
            counts = json.loads((folder / "counts.json").read_text())
            result = StageResult(
                rows=pl.read_parquet(folder / "rows.parquet"),
                removed=pl.read_parquet(folder / "removed.parquet"),
                scores=pl.read_parquet(folder / "scores.parquet"),
                counts=[(number, StepCount.model_validate(count)) for number, count in counts],
                ledger=pl.read_parquet(folder / "ledger.parquet"),
            )
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        for _, count in result.counts:
            count.cached, count.seconds = count.rows_in, 0.0
        return result

    def put(self, key: str, result: StageResult) -> None:
        """Keep a result."""
        folder = self.folder(key)
        building = folder.with_name(f".building-{uuid.uuid4().hex}")
        building.mkdir(parents=True)
        try:
            for name in ("rows", "removed", "scores", "ledger"):
                frame: pl.DataFrame = getattr(result, name)
                frame.write_parquet(building / f"{name}.parquet", compression="lz4")
            counts = [(number, count.model_dump()) for number, count in result.counts]
            (building / "counts.json").write_text(json.dumps(counts))
            try:
                building.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
            failpoint("stage_cached")
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def rows(self, key: str) -> pl.DataFrame:
        """The rows of a result that is there."""
        return pl.read_parquet(self.folder(key) / "rows.parquet")
