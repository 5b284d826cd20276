"""Rows as JSON lines."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from dagster_project.operators.process.column_kinds import json_text
from dagster_project.release.shapes.shape import Fields, Json
from dagster_project.release.sparse_json import json_key, sparse_json

LINE_ENDS = {"\u2028": "\\u2028", "\u2029": "\\u2029", "\u0085": "\\u0085"}
"""Characters that JSON may hold as they are, but where some readers of lines would end the line."""


class JsonLines:
    """A file of lines. The same lines give the same bytes, compressed too: no time is written.

    Args:
        path: of the file.
        compression: `zstd` or `gzip`.
    """

    def __init__(self, path: Path, compression: str | None) -> None:
        self.stream = pa.output_stream(str(path), compression=compression)

    def write(self, lines: pl.Series) -> int:
        """Write lines. Returns 0, as text has no size as Arrow."""
        if len(lines):
            self.stream.write(f"{lines.str.join(chr(10)).item()}\n".encode())
        return 0

    def close(self) -> None:
        """Finish the file."""
        self.stream.close()


def json_line(fields: Fields, schema: pl.Schema, *, keep_nulls: bool) -> pl.Expr:
    """Each row as one line of JSON: keys in the order of the fields, texts as UTF-8, times as ISO
    8601 texts, decimals as texts; NaN and infinities, for which JSON has no word, as null.

    Args:
        fields: of the row.
        schema: of the columns they are made from.
        keep_nulls: whether null is written, or else its key left out, at any depth of objects.
    """
    kinds = dict(pl.LazyFrame(schema=schema).select(**_named(fields)).collect_schema())
    line = _object(fields, kinds, keep_nulls=keep_nulls)
    return line.str.replace_many(list(LINE_ENDS), list(LINE_ENDS.values()))


def _named(fields: Fields, path: str = "") -> dict[str, pl.Expr]:
    named: dict[str, pl.Expr] = {}
    for name, field in fields.items():
        if isinstance(field, Mapping):
            named |= _named(field, f"{path}{name}/")
        elif isinstance(field, pl.Expr):
            named[f"{path}{name}"] = field
    return named


def _object(
    fields: Fields, kinds: Mapping[str, Any], path: str = "", *, keep_nulls: bool
) -> pl.Expr:
    written = []
    for name, field in fields.items():
        if isinstance(field, Mapping):
            value = _object(field, kinds, f"{path}{name}/", keep_nulls=keep_nulls)
        elif isinstance(field, Json):
            value = pl.col(field.column)
        else:
            value = json_text(field) if keep_nulls else sparse_json(field, kinds[f"{path}{name}"])
        if keep_nulls:
            value = value.fill_null("null")
        written.append(pl.lit(json_key(name)) + value)
    inside = pl.concat_str(written, separator=",", ignore_nulls=True) if written else pl.lit("")
    return pl.lit("{") + inside + pl.lit("}")
