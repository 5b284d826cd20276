"""The folder of an export: written beside its place, and put there whole."""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.release.files.manifest import NotAnExport, read_manifest
from dagster_project.release.files.verification import extra_files
from dagster_project.warehouse.store import sync_file, sync_folder


class FolderRefused(SeedbedError):
    """A folder that an export may not take."""


@contextmanager
def put_at(folder: Path, *, replace: bool) -> Iterator[Path]:
    """A new folder to write to, which becomes `folder` at the end; after an error or a crash,
    `folder` is as it was. What a killed export to the same place left behind is deleted.

    Args:
        folder: where the export will be.
        replace: whether it may be there already, as an export with nothing else in it.

    Raises:
        FolderRefused: when it may not be written, or not replaced.
    """
    folder = Path(os.path.abspath(folder))  # not resolved: a link is refused, not followed
    _require_free(folder, replace)
    folder.parent.mkdir(parents=True, exist_ok=True)
    unfinished = f".{folder.name}.exporting-"
    _delete_abandoned(folder.parent, unfinished)
    temporary = folder.with_name(unfinished + uuid.uuid4().hex)
    temporary.mkdir()
    writing = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(writing, fcntl.LOCK_EX)  # the system lets go of it when this process ends
        yield temporary
        for path in sorted(temporary.rglob("*")):
            (sync_folder if path.is_dir() else sync_file)(path)
        sync_folder(temporary)
        _require_free(folder, replace)
        _put(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    finally:
        os.close(writing)


def _delete_abandoned(parent: Path, unfinished: str) -> None:
    """Delete the folders that begin so and that no running export holds."""
    for left in sorted(parent.iterdir()):
        if left.is_symlink() or not left.is_dir() or not left.name.startswith(unfinished):
            continue
        held = os.open(left, os.O_RDONLY)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
        except BlockingIOError:
            continue
        finally:
            os.close(held)


def _put(temporary: Path, folder: Path) -> None:
    """Put a folder in its place; one that is there goes to the temporary place, at the same moment where
    the system can do so, and is deleted."""
    if not folder.exists():
        temporary.rename(folder)
        sync_folder(folder.parent)
        return
    if not _exchanged(temporary, folder):
        replaced = folder.with_name(f".{folder.name}.replaced-{uuid.uuid4().hex}")
        folder.rename(replaced)
        try:
            temporary.rename(folder)
        except BaseException:
            replaced.rename(folder)
            raise
        replaced.rename(temporary)
    sync_folder(folder.parent)
    shutil.rmtree(temporary)


def _exchanged(one: Path, other: Path) -> bool:
    """Whether two folders have changed places, which Linux does in one step; else nothing was done."""
    exchange = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if exchange is None:
        return False
    here, places = -100, (os.fsencode(one), os.fsencode(other))
    return exchange(here, places[0], here, places[1], 2) == 0


def _require_free(folder: Path, replace: bool) -> None:
    if not folder.is_symlink() and not folder.exists():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise FolderRefused(f"{folder} is not a folder; name another place for the export")
    if not replace:
        raise FolderRefused(
            f"{folder} is there already; name another folder, or replace an earlier export with "
            "--force"
        )
    try:
        manifest, _ = read_manifest(folder)
    except NotAnExport as error:
        raise FolderRefused(f"{error}; it is left alone, so name another folder") from error
    if extra := extra_files(folder, manifest):
        raise FolderRefused(
            f"{folder} holds files that no export wrote ({', '.join(extra[:5])}"
            f"{', …' if len(extra) > 5 else ''}); move them, or name another folder"
        )
