"""The files of a split: `data/<split>-00000-of-00002.<ending>`, which `datasets` finds by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any, Protocol

from dagster_project.release.shapes.shape import ShardFile

FOLDER = "data"


class Writer(Protocol):
    """Writes one file."""

    def write(self, rows: Any, /) -> int:
        """Write rows. Returns their size as Arrow, bytes."""
        ...

    def close(self) -> None:
        """Finish the file."""
        ...


class Shards:
    """Writes the rows of one split to files of so many rows each, at least one file.

    Args:
        root: of the export.
        split: its name.
        ending: of the files' names.
        rows: in a file; all by default.
        open_file: gives a writer for a path.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        ending: str,
        rows: int | None,
        open_file: Callable[[Path], Writer],
    ) -> None:
        self.root, self.split, self.ending, self.limit = root, split, ending, rows
        self.open_file = open_file
        self.sizes: list[tuple[int, int]] = []
        self.writer: Writer | None = None
        (root / FOLDER).mkdir(exist_ok=True)

    def write(self, rows: Any) -> None:
        """Write rows (an Arrow table, or a series of lines)."""
        done = 0
        while done < len(rows):
            if self.writer is None:
                self.writer = self.open_file(self._unnumbered(len(self.sizes)))
                self.sizes.append((0, 0))
            written, memory = self.sizes[-1]
            room = len(rows) if self.limit is None else self.limit - written
            part = rows.slice(done, room)
            memory += self.writer.write(part)
            self.sizes[-1] = (written + len(part), memory)
            done += len(part)
            if written + len(part) == self.limit:
                self._close()

    def finish(self) -> list[ShardFile]:
        """Close the files and give them their names, now that their number is known."""
        if not self.sizes:
            self.writer = self.open_file(self._unnumbered(0))
            self.sizes.append((0, 0))
        self._close()
        files = []
        for number, (rows, memory) in enumerate(self.sizes):
            name = f"{self.split}-{number:05}-of-{len(self.sizes):05}.{self.ending}"
            self._unnumbered(number).rename(self.root / FOLDER / name)
            files.append(ShardFile(self.split, PurePosixPath(FOLDER, name), rows, memory))
        return files

    def abandon(self) -> None:
        """Close what is open; the files are of no use."""
        self._close()

    def _close(self) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def _unnumbered(self, number: int) -> Path:
        return self.root / FOLDER / f".{self.split}-{number:05}"
