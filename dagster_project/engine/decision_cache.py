"""Decisions of relation steps by content: same rows in, same step, same decisions, without running it
again."""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import dataclass

import polars as pl

from dagster_project.operators.base import Decisions, Metric
from dagster_project.warehouse.store import Store

FRAMES = ("removed", "annotations", "columns", "pairs", "cuts")


@dataclass(frozen=True)
class DecisionCache:
    """Decisions by key, in the store's cache folder. Entries appear whole or not at all; the folder may
    be deleted at any time."""

    store: Store

    def get(self, key: str) -> Decisions | None:
        """The decisions of this key, if they are there."""
        folder = self._folder(key)
        try:
            metrics = json.loads((folder / "metrics.json").read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return None
        frames = {
            name: pl.read_parquet(path)
            for name in FRAMES
            if (path := folder / f"{name}.parquet").exists()
        }
        order = folder / "order.parquet"
        return Decisions(
            **frames,
            order=pl.read_parquet(order)["order"] if order.exists() else None,
            metrics=[Metric(*metric) for metric in metrics],
        )

    def put(self, key: str, decisions: Decisions) -> None:
        """Keep decisions."""
        folder = self._folder(key)
        building = folder.with_name(f".building-{uuid.uuid4().hex}")
        building.mkdir(parents=True)
        try:
            frames = {name: getattr(decisions, name) for name in FRAMES}
            if decisions.order is not None:
                frames["order"] = decisions.order.to_frame("order")
            for name, frame in frames.items():
                if frame is not None:
                    frame.write_parquet(building / f"{name}.parquet", compression="lz4")
            (building / "metrics.json").write_text(json.dumps(decisions.metrics))
            try:
                building.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
        finally:
            shutil.rmtree(building, ignore_errors=True)

    def _folder(self, key: str):
        return self.store.cache / "decisions" / key[:2] / key
