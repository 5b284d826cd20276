"""Rows made by a user's generator function."""

from __future__ import annotations

import difflib
import hashlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import polars as pl
import pyarrow as pa

from dagster_project.operators.acquire.arrow_frames import frame_of_arrow
from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.column_types import (
    check_name,
    conform,
    fields_of,
    inner_of,
    unify_schemas,
)
from dagster_project.operators.acquire.content_key import content_key
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.origins import typed_origin
from dagster_project.operators.acquire.record_frames import MAX_DEPTH, frame_of_records
from dagster_project.workspace_code import unrun_module

BLOCK_ROWS = 10_000
BLOCK_BYTES = 32 * 2**20


@dataclass
class PythonReader:
    """Runs a generator function of a user's file; a `Reader`.

    The function yields rows as dicts, or frames of rows (`polars.DataFrame`, `pyarrow.Table`,
    `pyarrow.RecordBatch`). The fields `_file` (text) and `_line` (a whole number) of a row say
    where it comes from and are not part of it; without them it is `name` and the row's number.

    Args:
        path: the Python file.
        function: the function's name.
        params: its keyword arguments.
        name: what the recipe calls the input, for errors and as the rows' file.
    """

    path: Path
    function: str
    params: Mapping[str, Any]
    name: str
    _source: SourceFile | None = field(default=None, init=False, repr=False)

    def blocks(self) -> Iterator[Block]:
        """The rows in blocks of up to 10,000 rows and about 32 MiB.

        Raises:
            InputError: when the file or function is missing, the user's code raises, or it yields
                something else than rows.
        """
        number = 1
        for frame in self._frames(self._load()):
            records = self._records(frame, number)
            number += frame.height
            yield Block(content_key("python/1", records), lambda records=records: records)

    def files(self) -> list[SourceFile]:
        """The Python file."""
        return [self._source] if self._source else []

    def _load(self) -> Callable[..., Any]:
        try:
            text = self.path.read_bytes()
        except OSError as error:
            raise InputError(
                f"{self.name}: {self.path} cannot be read: {error.strerror}"
            ) from error
        sha256 = hashlib.sha256(text).hexdigest()
        uri = self.path.absolute().as_uri()
        self._source = SourceFile(self.path.name, uri, sha256, len(text))
        module = self._run(f"seedbed_input_{sha256[:16]}", text)
        function = getattr(module, self.function, None)
        if not callable(function):
            names = [name for name, value in vars(module).items() if callable(value)]
            near = difflib.get_close_matches(self.function, names, n=1)
            raise InputError(
                f"{self.name}: {self.path} has no function `{self.function}`"
                + (f"; did you mean `{near[0]}`?" if near else "")
            )
        return function

    def _run(self, module_name: str, text: bytes) -> ModuleType:
        module = unrun_module(module_name, self.path, text)
        assert module.__spec__ is not None and module.__spec__.loader is not None
        sys.modules[module_name] = module  # where dataclasses look for their module
        try:
            module.__spec__.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            raise self._raised(error) from error
        return module

    def _frames(self, function: Callable[..., Any]) -> Iterator[pl.DataFrame]:
        rows: list[dict[str, Any]] = []
        size = 0
        for item in self._items(function):
            if isinstance(item, Mapping):
                rows.append(dict(item))
                size += _weight(item)
                if len(rows) < BLOCK_ROWS and size < BLOCK_BYTES:
                    continue
            if rows:
                yield self._frame_of_rows(rows)
                rows, size = [], 0
            if not isinstance(item, Mapping):
                yield from _in_blocks(self._frame_of(item))
        if rows:
            yield self._frame_of_rows(rows)

    def _items(self, function: Callable[..., Any]) -> Iterator[Any]:
        try:
            yield from function(**self.params)
        except (Exception, SystemExit) as error:
            raise self._raised(error) from error

    def _frame_of_rows(self, rows: list[dict[str, Any]]) -> pl.DataFrame:
        wrong = next((key for row in rows for key in row if not isinstance(key, str)), None)
        if wrong is not None:
            raise InputError(f"{self._where}: a row has the field {wrong!r}; names must be text")
        try:
            return frame_of_records(rows)
        except (InputError, ValueError, RecursionError) as error:
            raise InputError(f"{self._where}: {error}") from error

    def _frame_of(self, item: Any) -> pl.DataFrame:
        if isinstance(item, pa.RecordBatch):
            item = pa.Table.from_batches([item])
        if isinstance(item, pa.Table):
            return frame_of_arrow(item, self._where)
        if not isinstance(item, pl.DataFrame):
            raise InputError(
                f"{self._where}: yields {type(item).__module__}.{type(item).__qualname__}; yield a "
                "dict for each row, or a polars.DataFrame or pyarrow.Table"
            )
        objects = [name for name, dtype in item.schema.items() if dtype == pl.Object]
        if objects:
            raise InputError(f"{self._where}: column `{objects[0]}` holds Python objects")
        try:
            _check_names(item.schema)
            return conform(item, unify_schemas([item.schema]))
        except InputError as error:
            raise InputError(f"{self._where}: {error}") from error

    def _records(self, frame: pl.DataFrame, number: int) -> Records:
        origin = typed_origin(self.name, number, frame.height)
        for field_name, dtype in {"_file": pl.String, "_line": pl.Int64}.items():
            if field_name not in frame.columns:
                continue
            given = frame[field_name]
            if given.dtype not in (dtype, pl.Null):
                raise InputError(
                    f"{self._where}: `{field_name}` must be "
                    f"{'text' if dtype == pl.String else 'a whole number'}, not {given.dtype}"
                )
            name = field_name.removeprefix("_")
            told = pl.coalesce(given.cast(dtype), pl.col(name)).alias(name)
            origin = origin.with_columns(told)
        return Records(frame.drop("_file", "_line", strict=False), origin)

    @property
    def _where(self) -> str:
        return f"{self.name}: {self.path.name}, {self.function}()"

    def _raised(self, error: BaseException) -> InputError:
        """The user's error with the line of their file where it came from."""
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == str(self.path)]
        line = error.lineno if isinstance(error, SyntaxError) else lines[-1] if lines else None
        at = f", line {line}" if line else ""
        return InputError(f"{self._where}{at}: {type(error).__name__}: {error}")


def _check_names(fields: Mapping[str, pl.DataType]) -> None:
    for name, dtype in fields.items():
        check_name(name)
        while isinstance(dtype, pl.List | pl.Array):
            dtype = inner_of(dtype)  # noqa: PLW2901
        if isinstance(dtype, pl.Struct):
            _check_names(fields_of(dtype))


def _in_blocks(frame: pl.DataFrame) -> Iterator[pl.DataFrame]:
    width = max(1, int(frame.estimated_size()) // max(1, frame.height))
    return frame.iter_slices(min(BLOCK_ROWS, max(1, BLOCK_BYTES // width)))


def _weight(value: Any, depth: int = 0) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, str | bytes):
        return len(value)
    if depth == MAX_DEPTH:
        return 8
    if isinstance(value, Mapping):
        items = value.items()
        return sum(_weight(key) + _weight(item, depth + 1) for key, item in items)
    if isinstance(value, list | tuple):
        return sum(_weight(item, depth + 1) for item in value)
    return 8
