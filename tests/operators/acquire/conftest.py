"""Reading whole inputs in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from dagster_project.operators.acquire.block import ORIGIN_SCHEMA, Reader
from dagster_project.operators.acquire.column_types import conform, unify_schemas
from dagster_project.operators.acquire.files_reader import FilesReader
from dagster_project.operators.acquire.source_files import ReadLimits


@dataclass
class Whole:
    """All blocks of an input as one frame of rows and one of origins."""

    rows: pl.DataFrame
    origin: pl.DataFrame
    keys: list[str]
    files: list = field(default_factory=list)

    def errors(self) -> dict[int, str]:
        """Errors by line."""
        bad = self.origin.filter(pl.col("error").is_not_null())
        return dict(zip(bad["line"], bad["error"], strict=True))


def read_whole(reader: Reader) -> Whole:
    """Parse every block; checks what holds for every reader."""
    keys, rows, origins = [], [], []
    for block in reader.blocks():
        records = block.parse()
        assert records.parsed.height == records.origin.height
        assert records.origin.schema == ORIGIN_SCHEMA
        bad = records.origin["error"].is_not_null()
        assert all(column.filter(bad).is_null().all() for column in records.parsed)
        keys.append(block.key)
        rows.append(records.parsed)
        origins.append(records.origin)
    if not rows:
        return Whole(pl.DataFrame(), pl.DataFrame(schema=ORIGIN_SCHEMA), [], reader.files())
    union = unify_schemas(frame.schema for frame in rows)
    whole = pl.concat([conform(frame, union) for frame in rows])
    return Whole(whole, pl.concat(origins), keys, reader.files())


@pytest.fixture
def read_files(tmp_path: Path) -> Callable[..., Whole]:
    """Reads files of `tmp_path` by pattern."""

    def read(
        *patterns: str,
        format: str | None = None,
        schema: Mapping[str, str] | None = None,
        **limits: Any,
    ) -> Whole:
        return read_whole(FilesReader(tmp_path, patterns, format, schema, ReadLimits(**limits)))

    return read


@pytest.fixture
def read_text(tmp_path: Path, read_files: Callable[..., Whole]) -> Callable[..., Whole]:
    """Writes one file of `tmp_path` and reads it."""

    def read(name: str, content: str | bytes, **options: Any) -> Whole:
        data = content.encode() if isinstance(content, str) else content
        (tmp_path / name).write_bytes(data)
        return read_files(name, **options)

    return read


@pytest.fixture
def read_reader() -> Callable[[Reader], Whole]:
    """Reads any reader whole."""
    return read_whole
