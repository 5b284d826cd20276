"""What one step needs at hand that may not fit in memory: kept in files that no name leads to, so that
they are gone when they are let go of, or when the process ends, however it ends."""

from __future__ import annotations

import mmap
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import DTypeLike, NDArray

MOST_IN_MEMORY = 256 * 2**20
"""Bytes of one frame or array from which on it is in a file, of which the system keeps in memory what
it has room for."""


class Scratch:
    """Frames and arrays in memory or, where they are large, in files.

    Args:
        folder: where the files are; it is made when it is needed.
        most: bytes from which on something is in a file.
    """

    def __init__(self, folder: Path, most: int = MOST_IN_MEMORY) -> None:
        self.folder, self.most = folder, most

    def empty(self, shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
        """An array whose contents do not matter yet."""
        import numpy as np

        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if size < self.most:
            return np.empty(shape, dtype)
        with self._file() as file:
            file.truncate(size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype).reshape(shape)

    def concatenated(self, parts: Iterable[NDArray[Any]], dtype: DTypeLike) -> NDArray[Any]:
        """Arrays of one dimension, one after the other; each is let go of before the next is asked
        for, once they are too large together."""
        import numpy as np

        held: list[NDArray[Any]] = []
        size = 0
        file: IO[bytes] | None = None
        try:
            for part in parts:
                held.append(np.ascontiguousarray(part, dtype))
                size += held[-1].nbytes
                if size >= self.most:
                    file = file or self._file()
                    _write(file, held)
            if file is None:
                return np.concatenate([np.empty(0, dtype), *held])
            _write(file, held)
            file.flush()
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype)
        finally:
            if file is not None:
                file.close()

    def frame(self, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
        """Frames of one schema, at least one, one after the other; as for `concatenated`."""
        held: list[pl.DataFrame] = []
        size = 0
        file: IO[bytes] | None = None
        writer: pa.RecordBatchStreamWriter | None = None
        try:
            for part in parts:
                held.append(part)
                size += part.estimated_size()
                if size >= self.most:
                    file = file or self._file()
                    for each in held:
                        table = each.to_arrow()
                        writer = writer or pa.ipc.new_stream(file, table.schema)
                        writer.write_table(table)
                    held.clear()
            if file is None or writer is None:
                return pl.concat(held, rechunk=True)
            writer.close()
            file.flush()
            view = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            written = pl.from_arrow(
                pa.ipc.open_stream(pa.py_buffer(view)).read_all(), rechunk=False
            )
            assert isinstance(written, pl.DataFrame)
            return pl.concat([written, *held], rechunk=False)
        finally:
            if file is not None:
                file.close()

    def _file(self) -> IO[bytes]:
        self.folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self.folder)


def _write(file: IO[bytes], held: list[NDArray[np.generic]]) -> None:
    for each in held:
        file.write(each.data)
    held.clear()
