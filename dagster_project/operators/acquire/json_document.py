"""A file that holds one JSON document: a list of objects, or one object.

A list's objects are the rows, read as a stream. An object is one row; but when its only field is a
list of objects (as in `{"data": [...]}`), those are the rows. A record's line is its number in the
list.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NoReturn

import numpy as np
import polars as pl

from dagster_project.operators.acquire.block import Block, Records, SourceFile
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.json_rows import read_json_rows
from dagster_project.operators.acquire.origins import typed_origin
from dagster_project.operators.acquire.source_files import FoundFile, ReadLimits, SourceStream
from dagster_project.operators.acquire.text_blocks import (
    BLOCK_BYTES,
    Segment,
    line_ends,
    segments_key,
    without_bom,
)

_SPACE = re.compile(r"[ \t\r\n]*")


def json_blocks(
    file: FoundFile, declared: Mapping[str, str], limits: ReadLimits, read: list[SourceFile]
) -> Iterator[Block]:
    """The blocks of one file.

    Args:
        file: what to read.
        declared: declared type by field.
        limits: when to stop; a record, or a document that is an object, is a line.
        read: the file is appended once it is read.

    Raises:
        InputError: when the document is broken (no row of it can be told apart), or is neither list
            nor object.
    """
    stream = SourceStream(file, limits)
    first = 1
    for texts in _in_blocks(_records(_Document(file.name, without_bom(stream.chunks()), limits))):
        # A line feed outside text is white space, so that a record can stand on one line.
        flat = (text.replace("\n", " ").replace("\r", " ") for text in texts)
        lines = "\n".join(flat).encode()
        exact = Segment(file.name, first, "\0".join(texts).encode(), last=False)
        key = segments_key(["json/1", dict(declared)], [exact])
        yield Block(
            key,
            lambda texts=texts, lines=lines, first=first: _parse(
                file.name, first, texts, lines, declared
            ),
        )
        first += len(texts)
    read.append(stream.described())


def _parse(
    file: str, first: int, texts: list[str], lines: bytes, declared: Mapping[str, str]
) -> Records:
    errors: dict[int, str] = {}
    after = line_ends(lines, True)
    starts = np.concatenate([[0], after[:-1]])
    ends = after - 1
    ends[-1] = len(lines)
    try:
        parsed = read_json_rows(lines, starts, ends, errors, declared)
    except InputError as error:
        raise InputError(f"{file}: records from {first:,} on: {error}") from error
    origin = typed_origin(file, first, len(texts), errors)
    return Records(parsed, origin.with_columns(raw=pl.Series(texts, dtype=pl.String)))


def _in_blocks(records: Iterator[str]) -> Iterator[list[str]]:
    block: list[str] = []
    size = 0
    for record in records:
        block.append(record)
        size += len(record)
        if size >= BLOCK_BYTES:
            yield block
            block, size = [], 0
    if block:
        yield block


def _records(document: _Document) -> Iterator[str]:
    """The exact texts of a document's rows."""
    start = document.peek()
    if start == "[":
        yield from document.items()
    elif start == "{":
        yield from _records_of_object(document.file, document.value()[1], document.limits)
    elif start:
        document.fail("a list or an object is expected")
    document.finish()


def _records_of_object(file: str, text: str, limits: ReadLimits) -> Iterator[str]:
    fields = list(_Document(file, [text.encode()], limits).fields())
    if len(fields) == 1:
        _, value, value_text = fields[0]
        if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
            yield from _Document(file, [value_text.encode()], limits).items()
            return
    yield text


class _Document:
    """A window that moves over the text of a JSON document.

    Args:
        file: the file's name, for errors.
        chunks: the text, UTF-8.
        limits: see `ReadLimits`.
    """

    def __init__(self, file: str, chunks: Iterable[bytes], limits: ReadLimits) -> None:
        self.file = file
        self.limits = limits
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder("utf-8")()
        # Only where a value ends matters here, so numbers are not converted.
        self._decoder = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=len)
        self._text = ""
        self._at = 0
        self._ended = False
        self._lines_before = 0
        self._characters_before = 0

    def peek(self) -> str:
        """The next character that is not white space, '' at the end."""
        while True:
            space = _SPACE.match(self._text, self._at)
            self._at = space.end() if space else self._at
            if self._at < len(self._text) or self._ended:
                return self._text[self._at : self._at + 1]
            self._read()

    def value(self) -> tuple[Any, str]:
        """The value that starts here, and its exact text."""
        self.peek()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
                if end < len(self._text) or self._ended:
                    self._check_length(end)
                    text, self._at = self._text[self._at : end], end
                    return value, text
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos > len(self._text) - 16
                if self._ended or not is_cut:
                    reason = error.msg[0].lower() + error.msg[1:].removesuffix(" at")
                    self.fail(f"not valid JSON: {reason}", error.pos)
            except RecursionError:
                self.fail("a value is nested too deeply")
            self._check_length(len(self._text))
            self._read()

    def items(self) -> Iterator[str]:
        """The exact texts of the items of the list that starts here."""
        for _ in self._members("[", "]"):
            yield self.value()[1]

    def fields(self) -> Iterator[tuple[str, Any, str]]:
        """Name, value and exact text of the value of the fields of the object that starts here."""
        for _ in self._members("{", "}"):
            name, _ = self.value()
            self._expect(":")
            yield (name, *self.value())

    def finish(self) -> None:
        """Refuse anything but white space from here on."""
        if self.peek():
            self.fail("not valid JSON: more text after the end of the document")

    def fail(self, reason: str, position: int | None = None) -> NoReturn:
        """Refuse the document.

        Raises:
            InputError: always.
        """
        before = self._text[: self._at if position is None else position]
        line = self._lines_before + before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        column += 0 if "\n" in before else self._characters_before
        raise InputError(f"{self.file}:{line}:{column}: {reason}")

    def _check_length(self, end: int) -> None:
        if end - self._at > self.limits.max_line_bytes:
            self.fail(
                f"a value is longer than {self.limits.max_line_bytes:,} bytes; if that is meant, "
                "raise `limits.max_line_bytes`"
            )

    def _members(self, opening: str, closing: str) -> Iterator[None]:
        self._expect(opening)
        if self.peek() != closing:
            yield
            while self.peek() == ",":
                self._at += 1
                yield
        self._expect(closing)

    def _expect(self, character: str) -> None:
        if self.peek() != character:
            self.fail(f"not valid JSON: {character!r} is expected")
        self._at += 1

    def _read(self) -> None:
        """Take in as much text as is waiting, at least a chunk; forget what was passed."""
        passed, waiting = self._text[: self._at], self._text[self._at :]
        self._lines_before += passed.count("\n")
        last_feed = passed.rfind("\n")
        self._characters_before = (
            len(passed) - last_feed - 1 + (self._characters_before if last_feed < 0 else 0)
        )
        new: list[str] = []
        size = 0
        while not self._ended and size <= len(waiting):
            chunk = next(self._chunks, b"")
            self._ended = not chunk
            try:
                new.append(self._utf8.decode(chunk, final=self._ended))
            except UnicodeDecodeError as error:
                self._text, self._at = "".join([waiting, *new]), 0
                self._text += chunk[: error.start].decode(errors="replace")
                self.fail("not UTF-8 text", len(self._text))
            size += len(new[-1])
        self._text, self._at = "".join([waiting, *new]), 0
