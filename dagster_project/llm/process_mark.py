"""Whether a process that left its name in the records is still at work."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path


class ProcessMark:
    """A name that is held as long as the process that took it lives.

    It is a lock on a file, which the operating system frees when its holder dies.

    Args:
        folder: where these files are.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.name = uuid.uuid4().hex
        self._path = folder / self.name
        self._descriptor = os.open(self._path, os.O_CREAT | os.O_RDWR, 0o644)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def release(self) -> None:
        """Give the name up."""
        self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


def at_work(folder: Path, name: str) -> bool:
    """Whether the process that took this name still lives."""
    try:
        descriptor = os.open(folder / name, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def forget(folder: Path, name: str) -> None:
    """Remove what a dead process left."""
    (folder / name).unlink(missing_ok=True)
