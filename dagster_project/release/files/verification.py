"""Compares an export with what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from dagster_project.identity import file_digest
from dagster_project.release.files.manifest import NAME, ExportManifest, read_manifest
from dagster_project.warehouse.address import Answer


class Difference(Answer):
    """A file that is not as it was written.

    Attributes:
        path: in the folder.
        problem: changed, missing or extra.
    """

    path: str
    problem: Literal["changed", "missing", "extra"]


class ExportVerification(Answer):
    """What was found.

    Attributes:
        differences: by path; empty when all is as it was written.
        files: how many files the export has.
        size: of those, bytes.
    """

    differences: tuple[Difference, ...]
    files: int
    size: int


def verify_export(folder: Path) -> ExportVerification:
    """Read every file of an export, and compare it with its manifest.

    Raises:
        NotAnExport: when the folder has no manifest.
    """
    manifest, whole = read_manifest(folder)
    found = dict.fromkeys(extra_files(folder, manifest), "extra")
    if not whole:
        found[NAME] = "changed"
    for entry in manifest.files:
        path = folder / entry.path
        if not path.is_file() or path.is_symlink():
            found[entry.path] = "missing"
        elif path.stat().st_size != entry.bytes or file_digest(path) != entry.sha256:
            found[entry.path] = "changed"
    return ExportVerification(
        differences=tuple(
            Difference.model_validate({"path": path, "problem": problem})
            for path, problem in sorted(found.items())
        ),
        files=len(manifest.files) + 1,
        size=sum(entry.bytes for entry in manifest.files),
    )


def extra_files(folder: Path, manifest: ExportManifest) -> list[str]:
    """What is in an export's folder that the export did not write, sorted."""
    known = {NAME, *(entry.path for entry in manifest.files)}
    there = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return sorted({path.relative_to(folder).as_posix() for path in there} - known)
