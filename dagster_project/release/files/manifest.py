"""The manifest of an export, `seedbed_export.json`: what it is of, and what its files were."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, field_validator

from dagster_project.errors import SeedbedError
from dagster_project.identity import digest

NAME = "seedbed_export.json"


class NotAnExport(SeedbedError):
    """A folder that is no export."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(_Part):
    """What wrote the export."""

    name: Literal["seedbed"] = "seedbed"
    version: str


class Options(_Part):
    """How the export was asked for."""

    split_by: str | None
    columns: tuple[str, ...] | None
    shard_rows: int | None
    compress: Literal["zst", "gz"] | None
    row_ids: bool


class Source(_Part):
    """An external input of the snapshot, or of one that it was made from.

    Attributes:
        version: the version that read it.
        snapshot_id: the snapshot that did.
        input: its name there.
        kind: files, huggingface, sql or python.
        reference: where it was.
        licence: SPDX identifier, as the recipe says.
        content_id: identity of its rows; None for a query.
        rows: how many it had.
    """

    version: str
    snapshot_id: str
    input: str
    kind: str
    reference: str
    licence: str | None
    content_id: str
    rows: int


class RowCounts(_Part):
    """Rows of the snapshot = exported + left out."""

    snapshot: int
    exported: int
    left_out: int


class FileEntry(_Part):
    """A file of the export.

    Attributes:
        path: in the folder.
        bytes: its size.
        rows: of the version, or of `left_out.jsonl`; None for a file about the rows.
        sha256: of its bytes.
    """

    path: str
    bytes: int
    rows: int | None
    sha256: str

    @field_validator("path")
    @classmethod
    def _inside(cls, value: str) -> str:
        if not value or PurePosixPath(value).is_absolute() or ".." in PurePosixPath(value).parts:
            raise ValueError("a path in the folder")
        return value


class ExportManifest(_Part):
    """What an export is of, and what its files were.

    Attributes:
        export: version of this layout.
        tool: what wrote it.
        version: `dataset/version`.
        snapshot_id, content_id, recipe_id: of the snapshot.
        phase: the rows are for.
        licence: SPDX identifier, as the recipe says.
        format: the shape of the rows.
        options: how it was asked for.
        rows: how many.
        splits: rows of each.
        left_out: rows left out, by rule; each is in `left_out.jsonl`.
        sources: external inputs, with their licences.
        files: all files but this one.
    """

    export: Literal[1] = 1
    tool: Tool
    version: str
    snapshot_id: str
    content_id: str
    recipe_id: str
    phase: str
    licence: str | None
    format: str
    options: Options
    rows: RowCounts
    splits: dict[str, int]
    left_out: dict[str, int]
    sources: tuple[Source, ...]
    files: tuple[FileEntry, ...]


def write_manifest(folder: Path, manifest: ExportManifest) -> None:
    """Write it, with a sha256 of itself at the end."""
    body = manifest.model_dump(mode="json")
    sealed = {**body, "sha256": digest(body)}
    text = json.dumps(sealed, ensure_ascii=False, allow_nan=False, indent=2)
    (folder / NAME).write_text(f"{text}\n", "utf-8")


def read_manifest(folder: Path) -> tuple[ExportManifest, bool]:
    """An export's manifest, and whether it is as it was written.

    Raises:
        NotAnExport: when there is none, or what is there is none.
    """
    path = folder / NAME
    try:
        body: dict[str, Any] = dict(json.loads(path.read_bytes()))
        seal = body.pop("sha256", None)
        return ExportManifest.model_validate(body), seal == digest(body)
    except OSError as error:
        raise NotAnExport(
            f"{folder} is no export: {NAME} cannot be read: {error.strerror}"
        ) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise NotAnExport(f"{folder} is no export: {path} is not a manifest of one") from error
