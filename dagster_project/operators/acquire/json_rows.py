"""JSON objects, one per line, as typed rows.

Arrow's parser is fast, and strict once it is told the fields and types to expect: it refuses a
piece with another field, another type, a field twice or half a surrogate pair. So a piece of rows
that fits the schema seen so far is parsed by Arrow; any other is parsed row by row with Python's
`json`, which tells what is wrong with a row and what types its values have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.json

from dagster_project.operators.acquire.column_types import (
    EXACT_FLOAT,
    MAX_CELLS,
    NO_FIELDS,
    conform,
    fields_of,
    inner_of,
    leaves,
    unify_schemas,
)
from dagster_project.operators.acquire.declared_types import blank, declare, json_kind, misfit
from dagster_project.operators.acquire.record_frames import check_columns, frame_of_records
from dagster_project.operators.acquire.text_blocks import runs

MAX_NESTING = 512
"""Most levels of lists and objects in a row."""

PIECE = 2**20
"""Bytes parsed at a time, about; a piece that Arrow refuses is cut in four down to `SMALL_PIECE`."""
SMALL_PIECE = 2**16
"""Bytes of the first piece, and of the least that Arrow is tried on again."""

LONG_TEXT = 2**26
"""Bytes from which columns are left in pieces: joining very long values takes much memory."""

_NULL_AFTER_OBJECT = re.compile(rb"\}[ \t\r\n]*null")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
_STRING = re.compile(r'"(?:[^"\\]|\\.)*+"?', re.DOTALL)


class BadRow(ValueError):
    """Why a row cannot be read, in plain words."""


def read_json_rows(
    text: bytes,
    starts: np.ndarray,
    ends: np.ndarray,
    errors: dict[int, str],
    declared: Mapping[str, str],
) -> pl.DataFrame:
    """The typed columns of JSON objects.

    Args:
        text: UTF-8, but for the rows in `errors`; one object per line.
        starts, ends: where each row starts and ends in `text`, in bytes, without line ends.
        errors: by row number (from 0) why it cannot be read; rows found bad are added. They are
            null in every column.
        declared: declared type by field.

    Raises:
        InputError: see `frame_of_records`.
    """
    if not len(starts):
        return pl.DataFrame()
    return _Rows(text, starts, ends, errors, declared).read()


def decode_object(text: str) -> dict[str, Any]:
    """The JSON object that `text` holds, strictly.

    Raises:
        BadRow: when it is not JSON, not an object, has a field twice or without a name, half a
            surrogate pair, a number that is infinite or not a number, or more than `MAX_NESTING`
            levels.
    """
    try:
        _check_nesting(text)
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        reason = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
        raise BadRow(f"not valid JSON: {reason} at character {error.pos + 1}") from error
    except RecursionError as error:
        raise BadRow("nested too deeply") from error
    except BadRow:
        raise
    except ValueError as error:
        raise BadRow("holds an integer of more than 4,300 digits") from error
    if not isinstance(value, dict):
        raise BadRow(f"{json_kind(value)}, where an object is expected")
    if _SURROGATE.search(text):
        _check_surrogates(text)
    return value


@dataclass
class _Rows:
    text: bytes
    starts: np.ndarray
    ends: np.ndarray
    errors: dict[int, str]
    declared: Mapping[str, str]
    schema: pl.Schema | None = None
    frames: list[pl.DataFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.as_json = {name for name, dtype in self.declared.items() if dtype == "json"}
        self.converted = {
            name: dtype for name, dtype in self.declared.items() if name not in self.as_json
        }
        self.is_mixed = bool(self.as_json)

    def read(self) -> pl.DataFrame:
        view = np.frombuffer(self.text, np.uint8)
        self.plain = (view[self.starts] == ord("{")) & (view[self.ends - 1] == ord("}"))
        self.plain[list(self.errors)] = False
        small = int(np.searchsorted(self.ends, self.starts[0] + SMALL_PIECE)) + 1
        head = min(small, len(self.starts))  # it tells the types: parsed row by row, so not much
        count = max(1, len(self.text) // PIECE)
        rest = runs(head, len(self.starts), count) if head < len(self.starts) else []
        waiting = [(0, head), *rest][::-1]
        while waiting:
            first, last = waiting.pop()
            frame = self._parse_expected(first, last)
            if frame is not None:
                self._add(frame, first)
            elif self._is_worth_splitting(first, last):
                waiting.extend(runs(first, last, 4)[::-1])
            else:
                self._add(self._parse_any(first, last), first)
        union = unify_schemas(frame.schema for frame in self.frames)
        frames = [conform(frame, union) for frame in self.frames]
        whole = reduce(pl.DataFrame.vstack, frames)
        whole = whole.rechunk() if len(self.text) < LONG_TEXT else whole
        return blank(whole, self.errors)

    def _add(self, frame: pl.DataFrame, first: int) -> None:
        if self.declared:
            frame, misfits = declare(frame, self.converted)
            for row, name in misfits:
                value = decode_object(self._row(first + row))[name]
                self.errors.setdefault(first + row, misfit(name, value, self.declared[name]))
        self.frames.append(frame)

    def _row(self, row: int) -> str:
        return self.text[self.starts[row] : self.ends[row]].decode()

    def _is_worth_splitting(self, first: int, last: int) -> bool:
        """Whether a part of a piece that does not fit may do so. Not once Arrow has refused rows
        that are fine and have no new type: then a field has several types, in most pieces."""
        size = self.ends[last - 1] - self.starts[first]
        return not self.is_mixed and last - first > 1 and size > SMALL_PIECE

    def _parse_expected(self, first: int, last: int) -> pl.DataFrame | None:
        """The rows if they fit the schema seen so far, else None."""
        if self.schema is None or self.as_json or not self.plain[first:last].all():
            return None
        start, end = int(self.starts[first]), int(self.ends[last - 1])
        if _NULL_AFTER_OBJECT.search(self.text, start, end):
            return None  # Arrow takes a null for a row, and crashes on one that comes first
        if self.text.count(b"{", start, end) * self.arrow_leaves > MAX_CELLS:
            return None  # Arrow gives every object all fields
        try:
            table = pyarrow.json.read_json(
                pa.BufferReader(pa.py_buffer(self.text).slice(start, end - start)),
                pyarrow.json.ReadOptions(use_threads=False, block_size=end - start + 1),
                pyarrow.json.ParseOptions(
                    explicit_schema=self.arrow_schema, unexpected_field_behavior="error"
                ),
            )
            table.validate(full=True)  # Arrow miscounts the items of lists of nulls
        except pa.ArrowInvalid:
            return None
        if table.num_rows != last - first or not all(map(_floats_are_exact, table.columns)):
            return None
        frame = pl.from_arrow(table)
        assert isinstance(frame, pl.DataFrame)
        return frame

    def _parse_any(self, first: int, last: int) -> pl.DataFrame:
        """The rows one by one; adds to the errors and to the schema."""
        known, bad = self.schema or {}, len(self.errors)
        frame = frame_of_records(
            [self._record(row) for row in range(first, last)], self.converted, known
        )
        if any(known.get(name) != dtype for name, dtype in frame.schema.items()):
            self._expect(unify_schemas([known, frame.schema]))
        elif self.schema is not None and bad == len(self.errors):
            self.is_mixed = True
        return frame

    def _record(self, row: int) -> dict[str, Any]:
        """The row's object; an empty one, and an error, when it cannot be read."""
        if row in self.errors:
            return {}
        try:
            record = decode_object(self._row(row))
        except BadRow as error:
            self.errors[row] = str(error)
            return {}
        for name in self.as_json & record.keys():
            if record[name] is not None:
                record[name] = json.dumps(record[name], ensure_ascii=False, separators=(",", ":"))
        return record

    def _expect(self, schema: pl.Schema) -> None:
        check_columns(schema)
        self.schema = schema
        self.arrow_schema = pa.schema(
            [(name, _arrow_json_type(dtype)) for name, dtype in schema.items()]
        )
        self.arrow_leaves = sum(map(leaves, self.arrow_schema.types))


def _arrow_json_type(dtype: pl.DataType) -> pa.DataType:
    """`dtype` as Arrow's JSON parser knows it."""
    if isinstance(dtype, pl.List):
        return pa.list_(_arrow_json_type(inner_of(dtype)))
    if isinstance(dtype, pl.Struct):
        return pa.struct(
            [
                (name, _arrow_json_type(item))
                for name, item in fields_of(dtype).items()
                if name != NO_FIELDS
            ]
        )
    return _ARROW_SCALARS[type(dtype)]


_ARROW_SCALARS = {
    pl.Null: pa.null(),
    pl.Boolean: pa.bool_(),
    pl.Int64: pa.int64(),
    pl.Float64: pa.float64(),
    pl.String: pa.string(),
}


def _floats_are_exact(column: pa.ChunkedArray | pa.Array) -> bool:
    """False where an integer may have been rounded, or an infinity or NaN was read."""
    if isinstance(column, pa.ChunkedArray):
        return all(map(_floats_are_exact, column.chunks))
    if pa.types.is_floating(column.type):
        return bool((np.abs(column.drop_null().to_numpy()) < EXACT_FLOAT).all())
    if pa.types.is_list(column.type):
        return _floats_are_exact(column.flatten())
    if pa.types.is_struct(column.type):
        return all(map(_floats_are_exact, column.flatten()))
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if "" in value or "\0" in "".join(value):
        raise BadRow("a field has no name, or a NUL character in it")
    if len(value) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise BadRow(f"field `{twice}` appears twice")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise BadRow(f"the number {text[:40]} is too large")
    return number


def _no_constant(name: str) -> None:
    raise BadRow(f"not valid JSON: {name} is no number")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_finite, parse_constant=_no_constant
)


def _check_nesting(text: str) -> None:
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return
    depth = 0
    for bracket in re.finditer(r"[\[\]{}]", _STRING.sub("", text)):
        depth += 1 if bracket[0] in "[{" else -1
        if depth > MAX_NESTING:
            raise BadRow(f"nested more than {MAX_NESTING} levels deep")


def _check_surrogates(text: str) -> None:
    """Refuse an escape that is half of a surrogate pair."""
    high: re.Match[str] | None = None
    for escape in _ESCAPE.finditer(text):
        unit = int(escape[1], 16) if escape[1] else 0
        follows = high is not None and escape.start() == high.end()
        if 0xDC00 <= unit < 0xE000 and follows:
            high = None
            continue
        alone = high or (escape if 0xDC00 <= unit < 0xE000 else None)
        if alone:
            break
        high = escape if 0xD800 <= unit < 0xDC00 else None
    else:
        alone = high
    if alone:
        raise BadRow(f"half a surrogate pair, {alone[0]}, at character {alone.start() + 1}")
