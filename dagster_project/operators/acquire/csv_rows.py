"""CSV and TSV with a header: text columns, converted where a type is declared.

A field is quoted when it starts with a double quote; inside, two of them stand for one and line
feeds are part of the field. Records end with a line feed, a carriage return before it is not part
of the record, and empty lines are not records. A record's line is that on which it starts. Empty
fields are empty text; a declared type other than `text` makes them null.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.csv

from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.declared_types import blank, declare, misfit
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.source_files import FoundFile, ReadLimits, SourceStream
from dagster_project.operators.acquire.text_blocks import (
    Segment,
    TextRecords,
    last_line_end,
    line_ends,
    runs,
    segments,
    segments_key,
    without_bom,
)

PIECE = 2**20
"""Bytes parsed at a time, about; records of a piece that Arrow refuses are split one by one."""

_LONE_RETURN = re.compile(rb"\r(?!\n)")


def csv_blocks(
    file: FoundFile,
    delimiter: str,
    declared: Mapping[str, str],
    limits: ReadLimits,
    read: list[SourceFile],
) -> Iterator[Block]:
    """The blocks of one file.

    Args:
        file: what to read.
        delimiter: one ASCII character.
        declared: declared type by field.
        limits: when to stop.
        read: the file is appended once it is read.

    Raises:
        InputError: when the header is not UTF-8 or names a column twice, or a quote is never
            closed.
    """
    dialect = _Dialect(delimiter)
    stream = SourceStream(file, limits)
    header, line, chunks = _header(file, dialect, without_bom(stream.chunks()), limits)
    names = _names(file, dialect, header)
    format = ["csv/1", delimiter, names, dict(declared)]
    for segment in segments(file.name, chunks, line, dialect.last_end, limits):
        if segment.last:
            _check_closed(segment, dialect)
        key = segments_key(format, [segment])
        yield Block(key, lambda segment=segment: _parse(segment, dialect, names, declared, limits))
    read.append(stream.described())


@dataclass(frozen=True)
class _Dialect:
    delimiter: str

    @cached_property
    def field(self) -> str:
        other = re.escape(self.delimiter)
        return rf'(?:"([^"]*+(?:""[^"]*+)*+)("|\Z))?+([^{other}\n]*+)'

    @cached_property
    def fields(self) -> re.Pattern[str]:
        return re.compile(rf"(?:\A|{re.escape(self.delimiter)}){self.field}")

    @cached_property
    def records(self) -> re.Pattern[bytes]:
        one = re.sub(r"\((?!\?)", "(?:", self.field)
        record = rf"{one}(?:{re.escape(self.delimiter)}{one})*+(?:\n|\Z)"
        return re.compile(record.encode())

    def record_ends(self, text: bytes, final: bool) -> np.ndarray:
        """A `RecordEnds`."""
        if b'"' not in text:
            return line_ends(text, final)
        matches = self.records.finditer(text)
        ends = np.fromiter((match.end() for match in matches if match[0]), np.int64)
        if not final and len(ends) and not self._is_complete(text, ends):
            ends = ends[:-1]
        return ends

    def last_end(self, text: bytes) -> int:
        """A `LastEnd`."""
        if b'"' not in text:
            return last_line_end(text)
        ends = self.record_ends(text, False)
        return int(ends[-1]) if len(ends) else 0

    def _is_complete(self, text: bytes, ends: np.ndarray) -> bool:
        """Whether the last record ends with a line feed outside quotes."""
        start = int(ends[-2]) if len(ends) > 1 else 0
        return text.endswith(b"\n") and not self.is_open(text[start:])

    def is_open(self, record: bytes) -> bool:
        """Whether a quote of the record is never closed."""
        text = record.decode("utf-8", "replace")
        return any(match[1] is not None and not match[2] for match in self.fields.finditer(text))

    def split(self, record: str) -> list[str]:
        """The fields of a record without its line end."""
        return [
            (match[1] or "").replace('""', '"') + match[3] for match in self.fields.finditer(record)
        ]


def _header(
    file: FoundFile, dialect: _Dialect, chunks: Iterator[bytes], limits: ReadLimits
) -> tuple[bytes, int, Iterable[bytes]]:
    """The first record, the line after it, and the chunks that follow it."""
    text = b""
    for chunk in chunks:
        text += chunk
        start = len(text) - len(text.lstrip(b"\r\n"))
        ends = dialect.record_ends(text[start:], False)
        if len(ends):
            end = start + int(ends[0])
            rest = chain([text[end:]], chunks)
            return text[start:end], 1 + text.count(b"\n", 0, end), rest
        if len(text) > limits.max_line_bytes:
            raise InputError(
                f"{file.name}:1: the header has more than {limits.max_line_bytes:,} bytes; is a "
                "quote never closed?"
            )
    return text.lstrip(b"\r\n"), 1 + text.count(b"\n"), []


def _names(file: FoundFile, dialect: _Dialect, header: bytes) -> list[str]:
    """The columns; one without a name is called `column_` and its number."""
    if not header:
        return []
    if dialect.is_open(header):
        raise InputError(f"{file.name}:1: a quote in the header is never closed")
    try:
        found = dialect.split(header.decode().rstrip("\r\n"))
    except UnicodeDecodeError as error:
        raise InputError(
            f"{file.name}:1: the header is not UTF-8 text; convert the file to UTF-8"
        ) from error
    if any("\0" in name for name in found):
        raise InputError(f"{file.name}:1: the header has a NUL character")
    names = [name.strip() or f"column_{number}" for number, name in enumerate(found, 1)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise InputError(f"{file.name}:1: the header names {', '.join(twice)} more than once")
    return names


def _check_closed(segment: Segment, dialect: _Dialect) -> None:
    """Raises InputError when the segment's last record has an open quote."""
    if b'"' not in segment.text:
        return
    ends = dialect.record_ends(segment.text, True)
    start = int(ends[-2]) if len(ends) > 1 else 0
    if dialect.is_open(segment.text[start:]):
        line = segment.line + segment.text.count(b"\n", 0, start)
        raise InputError(
            f"{segment.file}:{line}: a quote is opened in this record and never closed, so the rest "
            "of the file cannot be told apart"
        )


def _parse(
    segment: Segment,
    dialect: _Dialect,
    names: list[str],
    declared: Mapping[str, str],
    limits: ReadLimits,
) -> Records:
    records = TextRecords([segment], dialect.record_ends, limits)
    errors = dict(records.errors)
    frames = [pl.DataFrame(schema=dict.fromkeys(names, pl.String))]
    pieces = max(1, len(records.text) // PIECE)
    for first, last in runs(0, len(records), pieces):
        frame = _split_fast(records, first, last, dialect, names)
        if frame is None:
            frame = _split_each(records, first, last, dialect, names, errors)
        frames.append(frame)
    texts = pl.concat(frames, rechunk=True)
    typed, misfits = declare(texts, declared)
    for row, name in misfits:
        errors.setdefault(row, misfit(name, texts[name][row], declared[name]))
    return Records(blank(typed, errors), records.origin(errors))


def _split_fast(
    records: TextRecords, first: int, last: int, dialect: _Dialect, names: Sequence[str]
) -> pl.DataFrame | None:
    """The fields of the records by Arrow, or None where a record is unusual."""
    start, end = int(records.starts[first]), int(records.ends[last - 1])
    if records.errors or _LONE_RETURN.search(records.text, start, end):
        return None
    try:
        table = pyarrow.csv.read_csv(
            pa.BufferReader(pa.py_buffer(records.text).slice(start, end - start)),
            pyarrow.csv.ReadOptions(
                column_names=names, use_threads=False, block_size=end - start + 1
            ),
            pyarrow.csv.ParseOptions(delimiter=dialect.delimiter, newlines_in_values=True),
            pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        return None
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame if frame.height == last - first else None


def _split_each(
    records: TextRecords,
    first: int,
    last: int,
    dialect: _Dialect,
    names: Sequence[str],
    errors: dict[int, str],
) -> pl.DataFrame:
    """The fields of the records one by one; adds to the errors."""
    rows: list[Sequence[str | None]] = []
    nothing = [None] * len(names)
    for number, text in enumerate(records.raw[first:last], first):
        fields = dialect.split(text) if text is not None else nothing
        if len(fields) != len(names):
            errors[number] = f"number of fields: {len(fields)}, in the header: {len(names)}"
            fields = nothing
        rows.append(fields)
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
