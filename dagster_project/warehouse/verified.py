"""Files are opened only when they are what their manifest says; checked once, then remembered."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.identity import canonical_json, file_digest
from dagster_project.warehouse.manifest import Manifest, snapshot_path
from dagster_project.warehouse.store import Store, write_atomically
from dagster_project.workspace import VersionName


class SnapshotDamaged(SeedbedError):
    """A file that is not as it was written."""


class Verified:
    """Remembers which sha256 a file had, in `cache/verified.json`, for as long as its size, times
    and inode stay. Use as a context manager: leaving it writes what was learned.

    Args:
        store: whose files are checked.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.path = store.cache / "verified.json"
        self._known = self._read()
        self._learned: dict[str, list] = {}

    def __enter__(self) -> Verified:
        return self

    def __exit__(self, *error: object) -> None:
        if not self._learned:
            return
        known = {
            name: entry for name, entry in self._read().items() if (self.store.root / name).exists()
        }
        with suppress(OSError):  # a store that cannot be written can still be read
            write_atomically(self.path, canonical_json({**known, **self._learned}).encode())
        self._learned = {}

    def snapshot(self, manifest: Manifest) -> Path:
        """The snapshot's file, which is as its manifest says.

        Raises:
            SnapshotDamaged: naming the file and the version, when it is not.
        """
        name = VersionName.parse(manifest.version)
        path = snapshot_path(self.store, manifest)
        self.require(path, manifest.sha256, str(name), manifest.size)
        return path

    def require(self, path: Path, sha256: str, owner: str, size: int | None = None) -> None:
        """Check a file.

        Args:
            path: which.
            sha256: what it must have, hex.
            owner: the version it belongs to, for the error.
            size: what it must have, bytes, if known.

        Raises:
            SnapshotDamaged: when it is missing or altered.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise SnapshotDamaged(f"{path} of {owner} cannot be read: {error.strerror}") from error
        if size is not None and found.st_size != size:
            raise SnapshotDamaged(
                f"{path} of {owner} was altered: it has {found.st_size:,} bytes instead of "
                f"{size:,}. Restore it from a copy, or materialize {owner} again"
            )
        stamp = [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
        key = path.relative_to(self.store.root).as_posix()
        if self._known.get(key) == [*stamp, sha256]:
            return
        if file_digest(path) != sha256:
            raise SnapshotDamaged(
                f"{path} of {owner} was altered after it was written. Restore it from a copy, or "
                f"materialize {owner} again"
            )
        self._known[key] = self._learned[key] = [*stamp, sha256]

    def _read(self) -> dict[str, list]:
        try:
            known = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}
