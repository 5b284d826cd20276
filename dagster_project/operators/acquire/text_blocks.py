"""Text files cut into blocks of whole records, and the place and exact text of every record.

A block holds several small files, or a part of one large file. Blocks of a large file are counted
from its start, so that they stay what they are when the file grows or other files come and go.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import pyarrow as pa

from dagster_project.identity import canonical_json
from dagster_project.operators.acquire.block import ORIGIN_SCHEMA
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.origins import sparse
from dagster_project.operators.acquire.source_files import ReadLimits

BLOCK_BYTES = 32 * 2**20
_BOM = b"\xef\xbb\xbf"

LastEnd = Callable[[bytes], int]
"""Where the last whole record of a text ends, in bytes; 0 when there is none."""

RecordEnds = Callable[[bytes, bool], np.ndarray]
"""Where the records of a text end, as offsets after their line feeds; with `True` the text is the
last of its file and what follows the last line feed is a record too."""


@dataclass(frozen=True)
class Segment:
    """A run of whole records of one file.

    Attributes:
        file: the file's name.
        line: the line the run starts on.
        text: its bytes.
        last: whether the file ends with it.
    """

    file: str
    line: int
    text: bytes
    last: bool


def line_ends(text: bytes, final: bool) -> np.ndarray:
    """The records of a text in which every line is one; a `RecordEnds`."""
    ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
    if final and text and not text.endswith(b"\n"):
        ends = np.append(ends, len(text))
    return ends


def last_line_end(text: bytes) -> int:
    """The end of the last line of a text; a `LastEnd`."""
    return text.rfind(b"\n") + 1


def without_bom(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks of a file without the byte order mark it may start with."""
    for number, chunk in enumerate(chunks):
        yield chunk.removeprefix(_BOM) if number == 0 else chunk


def segments(
    file: str, chunks: Iterable[bytes], first_line: int, last_end: LastEnd, limits: ReadLimits
) -> Iterator[Segment]:
    """Cut one file's text, from a line on, into segments of about `BLOCK_BYTES`.

    Raises:
        InputError: when a record is longer than `limits.max_line_bytes`.
    """
    waiting: list[bytes] = []
    size = 0
    line = first_line
    enough = BLOCK_BYTES
    for chunk in chunks:
        waiting.append(chunk)
        size += len(chunk)
        if size < min(enough, limits.max_line_bytes + BLOCK_BYTES):
            continue
        text = b"".join(waiting)
        cut = last_end(text)
        rest = text[cut:]
        if len(rest) > limits.max_line_bytes:
            raise _too_long(file, line + text.count(b"\n", 0, cut), len(rest), limits, "more than ")
        if cut:
            yield Segment(file, line, text[:cut], last=False)
            line += text.count(b"\n", 0, cut)
        waiting, size = [rest], len(rest)
        enough = BLOCK_BYTES if cut else 2 * size
    text = b"".join(waiting)
    waiting.clear()
    if text:
        yield Segment(file, line, text, last=True)


def blocks_of_segments(found: Iterable[Segment]) -> Iterator[list[Segment]]:
    """Put whole small files together, up to `BLOCK_BYTES`; leave parts of large ones alone."""
    together: list[Segment] = []
    size = 0
    for segment in found:
        is_whole_file = segment.last and segment.line == 1
        if together and not (is_whole_file and size + len(segment.text) <= BLOCK_BYTES):
            yield together
            together, size = [], 0
        if is_whole_file:
            together.append(segment)
            size += len(segment.text)
        else:
            yield [segment]
    if together:
        yield together


def segments_key(format: object, found: Iterable[Segment]) -> str:
    """The key of a block: sha256 (hex) over how it is read, and names, lines and bytes."""
    key = hashlib.sha256(canonical_json(format).encode())
    for segment in found:
        head = [segment.file, segment.line, len(segment.text)]
        key.update(canonical_json(head).encode())
        key.update(segment.text)
    return key.hexdigest()


class TextRecords:
    """The records of a block's segments, without blank ones.

    Args:
        found: the segments.
        ends: how records end.
        limits: see `ReadLimits`.
        spaces: what a blank line may hold.

    Attributes:
        text: all segments' bytes in one.
        starts, ends: where each record starts and ends in `text`, without its line end.
        raw: the records as text; null where they are not UTF-8.
        errors: for those, by record number (from 0), what is wrong.

    Raises:
        InputError: when a record is longer than `limits.max_line_bytes`.
    """

    def __init__(
        self, found: list[Segment], ends: RecordEnds, limits: ReadLimits, spaces: bytes = b""
    ) -> None:
        self._segments = found
        texts = [_terminated(segment.text) for segment in found[:-1]] + [found[-1].text]
        self.text = texts[0] if len(texts) == 1 else b"".join(texts)
        view = np.frombuffer(self.text, np.uint8)
        after = ends(self.text, True)
        starts = np.concatenate([[0], after[:-1]]).astype(np.int64)
        stops = after - (view[after - 1] == ord("\n"))
        stops -= (stops > starts) & (view[stops - 1] == ord("\r"))
        kept = stops > starts
        for row in np.flatnonzero(kept & np.isin(view[starts], list(spaces))):
            kept[row] = bool(self.text[starts[row] : stops[row]].strip(spaces))
        self.starts, self.ends = starts[kept], stops[kept]
        offsets = np.cumsum([0] + [len(text) for text in texts[:-1]])
        self._file_of = np.searchsorted(offsets, self.starts, "right") - 1
        feeds = line_ends(self.text, False)
        line_of = np.array([segment.line for segment in found]) - np.searchsorted(
            feeds, offsets, "right"
        )
        self._lines = np.searchsorted(feeds, self.starts, "right") + line_of[self._file_of]
        self._check_lengths(limits)
        self.errors: dict[int, str] = {}
        self._undecoded: dict[int, bytes] = {}
        try:
            self.raw = _views(self.text, self.starts, self.ends).cast(pl.String)
        except pl.exceptions.ComputeError:
            self.raw = pl.Series([self._decode(row) for row in range(len(self))], dtype=pl.String)

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def place(self) -> str:
        """The files and lines of the records, for errors."""
        first, last = self._segments[0], self._segments[-1]
        if first is not last:
            return f"{first.file} to {last.file}"
        return f"{first.file}:{first.line}-{self._lines[-1] if len(self) else first.line}"

    def origin(self, errors: Mapping[int, str]) -> pl.DataFrame:
        """Where the records come from; see `ORIGIN_SCHEMA`."""
        names = pl.Series("file", [segment.file for segment in self._segments])
        return pl.DataFrame(
            [
                names.gather(self._file_of),
                pl.Series("line", self._lines, dtype=pl.Int64),
                self.raw.rename("raw"),
                sparse(self._undecoded, pl.Binary, len(self)).rename("raw_bytes"),
                sparse(errors, pl.String, len(self)).rename("error"),
            ],
            schema=ORIGIN_SCHEMA,
        )

    def _check_lengths(self, limits: ReadLimits) -> None:
        lengths = self.ends - self.starts
        if len(self) and lengths.max() > limits.max_line_bytes:
            row = int(lengths.argmax())
            file = self._segments[self._file_of[row]].file
            raise _too_long(file, int(self._lines[row]), int(lengths[row]), limits)
        if len(self.text) >= 2**31:
            raise InputError(f"{self.place}: a line is longer than 2 GiB, which cannot be read")

    def _decode(self, row: int) -> str | None:
        record = self.text[self.starts[row] : self.ends[row]]
        try:
            return record.decode()
        except UnicodeDecodeError as error:
            byte, position = record[error.start], error.start + 1
            self._undecoded[row] = record
            self.errors[row] = f"not UTF-8 text: byte 0x{byte:02x} at byte {position}"
            return None


def _views(text: bytes, starts: np.ndarray, ends: np.ndarray) -> pl.Series:
    """The records as a binary column that points into `text`, in Arrow's layout of views: size,
    then up to 12 bytes of a short record, or 4 bytes, buffer and offset of a longer one."""
    data = np.frombuffer(text, np.uint8)
    sizes = ends - starts
    short = sizes <= 12
    views = np.zeros((len(starts), 16), np.uint8)
    views[:, :4] = sizes.astype("<i4").view(np.uint8).reshape(-1, 4)
    views[~short, 12:] = starts[~short].astype("<i4").view(np.uint8).reshape(-1, 4)
    for index in range(12):
        shown = np.flatnonzero((sizes > index) & (short | (index < 4)))
        views[shown, 4 + index] = data[starts[shown] + index]
    buffers = [None, pa.py_buffer(views.tobytes()), pa.py_buffer(text)]
    records = pa.Array.from_buffers(pa.binary_view(), len(starts), buffers)
    # of a batch: Polars imports Arrow's functions, a tenth of a second, to take an array by itself
    return pl.DataFrame(pl.from_arrow(pa.record_batch([records], ["raw"]))).to_series()


def runs(first: int, last: int, count: int) -> list[tuple[int, int]]:
    """The rows from `first` to before `last` in at most `count` runs of about as many rows."""
    edges = np.unique(np.linspace(first, last, count + 1).astype(int)).tolist()
    return list(itertools.pairwise(edges))


def _terminated(text: bytes) -> bytes:
    return text if text.endswith(b"\n") else text + b"\n"


def _too_long(file: str, line: int, length: int, limits: ReadLimits, least: str = "") -> InputError:
    return InputError(
        f"{file}:{line}: the line has {least}{length:,} bytes; at most "
        f"{limits.max_line_bytes:,} are read. If that is meant, raise `limits.max_line_bytes`"
    )
