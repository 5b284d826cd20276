"""Exports: the rows of a snapshot as files that a trainer reads, with a manifest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from dagster_project.errors import SeedbedError
from dagster_project.release.export_writer import ExportFailed, ExportWriter, LeftOut
from dagster_project.release.files.folder import put_at
from dagster_project.release.files.manifest import (
    ExportManifest,
    Options,
)
from dagster_project.release.rows import RowsRefused, SnapshotRows
from dagster_project.warehouse.address import Answer, SnapshotAddress
from dagster_project.warehouse.storage_failure import is_storage_failure
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName


class Exported(Answer):
    """An export that was written.

    Attributes:
        folder: where.
        manifest: as it is in the folder.
        left_out: the first few rows that were left out.
        unused_split: the column `split`, as `assign_splits` writes it, where all rows went into one
            split.
    """

    folder: Path
    manifest: ExportManifest
    left_out: tuple[LeftOut, ...]
    unused_split: str | None = None


def export(
    store: Store,
    version: VersionName,
    folder: Path,
    format: str,
    *,
    snapshot_id: str | None = None,
    split_by: str | None = None,
    columns: Sequence[str] | None = None,
    shard_rows: int | None = None,
    compress: Literal["zst", "gz"] | None = None,
    row_ids: bool = False,
    force: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> Exported:
    """Write a version's rows to a new folder, in a form that a trainer reads.

    Every row is in `data/<split>-00000-of-00001.<ending>`, or in `left_out.jsonl` with the reason.
    The same snapshot and options give the same bytes, `seedbed_export.json` included. The folder
    appears whole, or not at all.

    Args:
        store: where the version is.
        version: which.
        folder: that is made.
        format: a shape of `release.shapes.catalogue`, e.g. `trl:preference`, or a family, e.g.
            `trl`: what fits the phase that the rows are for.
        snapshot_id: of a published snapshot; the current one by default.
        split_by: column whose values name the splits; by default all rows are the split `train`.
        columns: for rows as they are, the columns to export, all by default; for other formats,
            columns that go along, none by default.
        shard_rows: rows in a file; by default a split is one file.
        compress: `zst` or `gz`; JSON lines are not compressed by default, Parquet is with zstd.
        row_ids: add the field `row_id`, with which `trace` finds where a row came from.
        force: replace an earlier export, if nothing else is in the folder.
        progress: told what was done.

    Raises:
        ShapeRefused: when the rows cannot have this format.
        RowsRefused: when a column or the name of a split will not do.
        FolderRefused: when the folder is there already.
        ExportFailed: when the disk fails, or too few rows are left for the reader of the format.
        NotPublished, SnapshotDamaged, ManifestDamaged: when there is no snapshot to read.
    """
    if shard_rows is not None and shard_rows < 1:
        raise RowsRefused(f"a file cannot have {shard_rows} rows; 1 or more")
    options = Options(
        split_by=split_by,
        columns=None if columns is None else tuple(columns),
        shard_rows=shard_rows,
        compress=compress,
        row_ids=row_ids,
    )
    with SnapshotRows(store, SnapshotAddress(version, snapshot_id)) as rows:
        writer = ExportWriter(rows, format, options)
        try:
            with put_at(folder, replace=force) as temporary:
                manifest = writer.write(temporary, progress)
            unused = "split" if split_by is None and "split" in rows.schema else None
        except SeedbedError:
            raise
        except Exception as error:
            if is_storage_failure(error):
                raise ExportFailed(f"{folder} cannot be written: {error}") from error
            raise
    return Exported(
        folder=folder, manifest=manifest, left_out=tuple(writer.shown), unused_split=unused
    )
