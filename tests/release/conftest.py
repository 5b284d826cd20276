"""Small real snapshots to export, and exports to read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from dagster_project.release.export import Exported, export
from dagster_project.warehouse.manifest import InputReference, Manifest
from dagster_project.warehouse.publish import seal
from dagster_project.warehouse.snapshot import SnapshotBuilder
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

NAME = VersionName("tiny", "v1")


@dataclass(frozen=True)
class Shelf:
    """A store with the version `tiny/v1`, and the exports of it."""

    root: Path

    @property
    def store(self) -> Store:
        return Store(self.root / "store")

    def publish(
        self,
        rows: pl.DataFrame | Sequence[Mapping[str, Any]],
        phase: str = "sft",
        licence: str | None = "CC-BY-4.0",
        status: Literal["published", "rejected", "trial"] = "published",
    ) -> Manifest:
        """Publish rows."""
        frame = (
            rows if isinstance(rows, pl.DataFrame) else pl.DataFrame(rows, infer_schema_length=None)
        )
        row_id = pl.int_range(frame.height, dtype=pl.Int64).alias("row_id")
        frame = frame.select(row_id, pl.all())
        edges = frame.select(
            "row_id",
            pl.lit(0, pl.UInt16).alias("parent_input"),
            pl.col("row_id").alias("parent_row_id"),
            pl.lit(0, pl.UInt32).alias("ordinal"),
            pl.lit("kept").alias("relation"),
            pl.lit(0, pl.UInt64).alias("changed_by"),
        )
        source = {
            "input": 0,
            "name": "mine",
            "kind": "files",
            "reference": "data/mine.jsonl",
            "snapshot_id": None,
            "content_id": "c" * 64,
            "licence": "CC0-1.0",
            "row_count": frame.height,
            "fetched_at": datetime.now(UTC).replace(tzinfo=None),
        }
        reference = InputReference(name="mine", source_id="s" * 64, content_id="c" * 64)
        with SnapshotBuilder(self.store, NAME, "b" * 64) as built:
            built.append("rows", frame)
            built.append("lineage", edges)
            built.append_records("inputs", [source])
            facts = {"phase": phase, "licence": licence, "recipe": {"description": "Rows to test."}}
            built.finish(facts, {0: frame.height})
            return seal(built, recipe_id="r" * 64, inputs=(reference,), status=status)

    def export(self, format: str, folder: str = "out", **options: Any) -> Exported:
        """Export the version."""
        return export(self.store, NAME, self.root / folder, format, **options)

    def written(self, format: str, **options: Any) -> dict[str, str]:
        """The files of an export but its manifest, as text, by path."""
        exported = self.export(format, folder=f"{format.replace(':', '-')}", **options)
        return texts(exported.folder)


def texts(folder: Path) -> dict[str, str]:
    """The files of a folder but the manifest, as text, by path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "seedbed_export.json"
    }


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


@pytest.fixture
def lines() -> Callable[..., str]:
    """Joins lines, each with its end."""
    return lambda *lines: "".join(f"{line}\n" for line in lines)
