"""Rows read from files: JSONL, JSON, CSV, TSV and Parquet."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from dagster_project.operators.acquire.block import Block, SourceFile
from dagster_project.operators.acquire.csv_rows import csv_blocks
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.json_document import json_blocks
from dagster_project.operators.acquire.jsonl import jsonl_blocks
from dagster_project.operators.acquire.parquet import parquet_blocks
from dagster_project.operators.acquire.source_files import (
    COMPRESSIONS,
    FoundFile,
    ReadLimits,
    find_files,
)

FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
}


@dataclass
class FilesReader:
    """Reads files that paths and globs name; a `Reader`.

    Args:
        root: the workspace's folder; relative patterns start from it, and files in it are named
            relative to it.
        patterns: paths or globs; files are read pattern by pattern, sorted by name, each once.
        format: one of `FORMATS`' values; None tells it by each file's suffix, before that of its
            compression.
        schema: declared type by field, see `declared_types`; None declares none.
        limits: when to stop.
    """

    root: Path
    patterns: tuple[str, ...]
    format: str | None = None
    schema: Mapping[str, str] | None = None
    limits: ReadLimits = field(default_factory=ReadLimits)
    _read: list[SourceFile] = field(default_factory=list, init=False, repr=False)

    def blocks(self) -> Iterator[Block]:
        """The blocks, file by file; files that are empty have none.

        Raises:
            InputError: when a pattern or a file cannot be read; see the formats.
        """
        self._read.clear()
        files = find_files(Path(os.path.abspath(self.root)), self.patterns)
        declared = self.schema or {}
        for format, together in groupby(files, self._format_of):
            if format == "jsonl":
                yield from jsonl_blocks(together, declared, self.limits, self._read)
                continue
            for file in together:
                yield from self._blocks_of(file, format, declared)

    def files(self) -> list[SourceFile]:
        """The files that were read; complete once `blocks` is exhausted."""
        return list(self._read)

    def _blocks_of(self, file: FoundFile, format: str, declared: Mapping[str, str]):
        if format == "json":
            return json_blocks(file, declared, self.limits, self._read)
        if format == "parquet":
            return parquet_blocks(file, declared, self.limits, self._read)
        return csv_blocks(file, "\t" if format == "tsv" else ",", declared, self.limits, self._read)

    def _format_of(self, file: FoundFile) -> str:
        suffix, compression = file.suffixes
        format = self.format or FORMATS.get(suffix)
        if format is None:
            raise InputError(
                f"{file.name}: the suffix {suffix or '(none)'} tells no format; known are "
                f"{', '.join(FORMATS)}, each also with {', '.join(COMPRESSIONS)}. Declare `format`"
            )
        if format == "parquet" and compression:
            raise InputError(
                f"{file.name}: Parquet compresses its own columns; decompress the file"
            )
        return format
