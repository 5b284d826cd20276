"""JSON Lines: one object per line, blank lines ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.json_rows import read_json_rows
from dagster_project.operators.acquire.source_files import FoundFile, ReadLimits, SourceStream
from dagster_project.operators.acquire.text_blocks import (
    Segment,
    TextRecords,
    blocks_of_segments,
    last_line_end,
    line_ends,
    segments,
    segments_key,
    without_bom,
)


def jsonl_blocks(
    files: Iterable[FoundFile],
    declared: Mapping[str, str],
    limits: ReadLimits,
    read: list[SourceFile],
) -> Iterator[Block]:
    """The blocks of JSONL files.

    Args:
        files: what to read, in order.
        declared: declared type by field.
        limits: when to stop.
        read: each file is appended once it is read.
    """

    def found() -> Iterator[Segment]:
        for file in files:
            stream = SourceStream(file, limits)
            yield from segments(file.name, without_bom(stream.chunks()), 1, last_line_end, limits)
            read.append(stream.described())

    for block in blocks_of_segments(found()):
        key = segments_key(["jsonl/1", dict(declared)], block)
        yield Block(key, lambda block=block: _parse(block, declared, limits))


def _parse(block: list[Segment], declared: Mapping[str, str], limits: ReadLimits) -> Records:
    records = TextRecords(block, line_ends, limits, spaces=b" \t\r\f\v")
    errors = dict(records.errors)
    try:
        parsed = read_json_rows(records.text, records.starts, records.ends, errors, declared)
    except InputError as error:
        raise InputError(f"{records.place}: {error}") from error
    return Records(parsed, records.origin(errors))
