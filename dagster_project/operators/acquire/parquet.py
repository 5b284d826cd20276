"""Parquet files. Rows are typed, so they have no text; a row's line is its number in the file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock

import pyarrow as pa
import pyarrow.parquet as pq

from dagster_project.identity import digest, file_digest
from dagster_project.operators.acquire.arrow_frames import frame_of_arrow
from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.column_types import text_of
from dagster_project.operators.acquire.declared_types import blank, declare, misfit
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.origins import typed_origin
from dagster_project.operators.acquire.source_files import FoundFile, ReadLimits, check_unchanged
from dagster_project.operators.acquire.text_blocks import BLOCK_BYTES

BLOCK_ROWS = 50_000
BATCH_ROWS = 256
"""Rows decoded at a time: what a row says it takes may be far from what it does take."""


def parquet_blocks(
    file: FoundFile, declared: Mapping[str, str], limits: ReadLimits, read: list[SourceFile]
) -> Iterator[Block]:
    """The blocks of one file: parts of its row groups of about `BLOCK_BYTES`.

    Args:
        file: what to read.
        declared: declared type by field.
        limits: `expansion_floor` is the most a block may take in memory, in bytes.
        read: the file is appended once it is read.

    Raises:
        InputError: when the file is broken, encrypted, or changes while it is read.
    """
    with _named_errors(file):
        before = file.path.stat()
        sha256 = file_digest(file.path)
        check_unchanged(file, before)
        if before.st_size:
            rows = _Rows(file, limits)
            for group, start, count in rows.ranges():
                line = rows.first_of(group) + start + 1
                key = digest(["parquet/1", file.name, sha256, line, count, dict(declared)])
                yield Block(
                    key,
                    lambda group=group, start=start, count=count, line=line: _parse(
                        rows.take(group, start, count), file, line, declared
                    ),
                )
    check_unchanged(file, before)
    read.append(SourceFile(file.name, file.path.as_uri(), sha256, before.st_size))


@contextmanager
def _named_errors(file: FoundFile) -> Iterator[None]:
    """Raises InputError for what Arrow and the system say of a file that cannot be read."""
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{file.name}: is no Parquet file that can be read: {error}") from error


class _Rows:
    """The rows of one file, best taken in order; rows that are passed over are not decoded unless
    others of their row group are."""

    def __init__(self, file: FoundFile, limits: ReadLimits) -> None:
        self.file = file
        self.limits = limits
        self.parquet = pq.ParquetFile(file.path, pre_buffer=False)
        self.groups = [
            self.parquet.metadata.row_group(index)
            for index in range(self.parquet.metadata.num_row_groups)
        ]
        self.group = -1
        self.lock = Lock()

    def first_of(self, group: int) -> int:
        """The number (from 0) of a row group's first row."""
        return sum(earlier.num_rows for earlier in self.groups[:group])

    def ranges(self) -> Iterator[tuple[int, int, int]]:
        """Row group, first row in it and number of rows of every block."""
        for index, group in enumerate(self.groups):
            width = max(1, group.total_byte_size // max(1, group.num_rows))
            size = min(BLOCK_ROWS, max(1, BLOCK_BYTES // width))
            for start in range(0, group.num_rows, size):
                yield index, start, min(size, group.num_rows - start)

    def take(self, group: int, start: int, count: int) -> pa.Table:
        """Decode rows of a row group."""
        with self.lock:
            return self._take(group, start, count)

    def _take(self, group: int, start: int, count: int) -> pa.Table:
        if group != self.group or start < self.at:
            self.group, self.at, self.waiting = group, 0, None
            self.batches = self.parquet.iter_batches(BATCH_ROWS, [group], use_threads=False)
        taken: list[pa.RecordBatch] = []
        size = 0
        while self.at < start + count:
            with _named_errors(self.file):
                batch = self.waiting or next(self.batches)
            end = min(self.at + batch.num_rows, start + count)
            part, rest = batch[max(0, start - self.at) : end - self.at], batch[end - self.at :]
            if part.num_rows:
                taken.append(part)
                size += part.nbytes
            if size > self.limits.expansion_floor:
                raise InputError(
                    f"{self.file.name}: rows from {self.first_of(group) + start + 1:,} on take "
                    f"more than {size:,} bytes in memory; write the file with smaller values"
                )
            self.waiting, self.at = (rest if rest.num_rows else None), end
        return pa.Table.from_batches(taken)


def _parse(table: pa.Table, file: FoundFile, line: int, declared: Mapping[str, str]) -> Records:
    found = frame_of_arrow(table, file.name)
    typed, misfits = declare(found, declared)
    errors: dict[int, str] = {}
    for row, name in misfits:
        errors.setdefault(row, misfit(name, found[name][row], declared[name]))
    texts = {row: json.dumps(found.row(row, named=True), default=text_of) for row in errors}
    return Records(blank(typed, errors), typed_origin(file.name, line, found.height, errors, texts))
