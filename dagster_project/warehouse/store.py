"""Where the warehouse keeps things, and how it writes files that survive a crash."""

from __future__ import annotations

import fcntl
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_project.workspace import VersionName


@dataclass(frozen=True)
class Store:
    """The folders of a warehouse.

    ::

        snapshots/<dataset>/<version>/head.json          which snapshots are published, which is current
        snapshots/<dataset>/<version>/<id>.json          a snapshot's manifest
        snapshots/<dataset>/<version>/<id>.duckdb        the snapshot itself, read-only
        snapshots/<dataset>/<version>/.building-*        a build in progress, or one that was killed
        landed/blocks/<aa>/<key>/{parsed,origin}.parquet a landed piece of an external input
        landed/sources/<content id>.json                 which blocks make up an external input
        landed/generated/<key>.json                      how the making of an input's rows ended
        erasures/<id>.json                               what was erased: numbers and keyed hashes
        calls/                                           what models answered and programs came to
        cache/                                           stage results; may be deleted at any time
    """

    root: Path

    def version_folder(self, name: VersionName) -> Path:
        """The folder of a version's snapshots."""
        return self.root / "snapshots" / name.dataset / name.version

    @property
    def landed(self) -> Path:
        """Landed external inputs."""
        return self.root / "landed"

    @property
    def calls(self) -> Path:
        """Records of calls: what was paid for, and what was run."""
        return self.root / "calls"

    @property
    def cache(self) -> Path:
        """Stage results."""
        return self.root / "cache"

    def versions(self) -> list[VersionName]:
        """The versions that have a folder here, sorted."""
        snapshots = self.root / "snapshots"
        return sorted(
            VersionName(path.parent.name, path.name)
            for path in snapshots.glob("*/*")
            if path.is_dir() and not path.name.startswith(".")
        )


def write_atomically(path: Path, content: bytes) -> None:
    """Replace `path` by `content`: after a crash it holds the old bytes or the new, never a mix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_file(path: Path) -> None:
    """Force a file's bytes to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Force a folder's entries (renames, creations) to the disk."""
    sync_file(folder)


@contextmanager
def exclusive(lock: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an advisory lock on `lock` (created if missing); waits for other holders.

    The operating system frees it when its holder dies.

    Args:
        lock: the file.
        waiting: called once if there is somebody to wait for.
    """
    with _held(lock, fcntl.LOCK_EX, waiting):
        yield


@contextmanager
def shared(lock: Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock together with others that share it; as `exclusive` otherwise."""
    with _held(lock, fcntl.LOCK_SH, waiting):
        yield


@contextmanager
def _held(lock: Path, kind: int, waiting: Callable[[], None]) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as stream:
        try:
            fcntl.flock(stream, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(stream, kind)
        yield
