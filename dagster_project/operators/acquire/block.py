"""What a reader hands over: blocks of raw rows that know where they came from.

A block is identified before it is parsed, so that a block that was landed earlier (an input that
only grew) is not parsed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import polars as pl

ORIGIN_SCHEMA = pl.Schema(
    {
        "file": pl.String,
        "line": pl.Int64,
        "raw": pl.String,
        "raw_bytes": pl.Binary,
        "error": pl.String,
    }
)


@dataclass(frozen=True)
class Records:
    """The rows of one block.

    Attributes:
        parsed: one row per record, one typed column per field; a record that could not be read has
            null in every column.
        origin: same height and order, columns `ORIGIN_SCHEMA`: file as the recipe names it, line
            (1-based; the record's number where a format has no lines), the record's exact text
            (null where the source is typed, but for a record that could not be read: its values
            as JSON), its bytes where they are not UTF-8, and the error that says why it could not
            be read (null when it could).
    """

    parsed: pl.DataFrame
    origin: pl.DataFrame


@dataclass(frozen=True)
class Block:
    """A piece of an input, perhaps without rows.

    Attributes:
        key: sha256 (hex) over all that its records depend on: the format, the declared types, and
            each file's name, first line and bytes; where bytes are not at hand, the file's sha256
            and the range of rows, or the rows themselves.
        parse: makes its records; types are those of this block alone, see `unify_schemas`. May be
            called on another thread, while later blocks are taken and parsed.
    """

    key: str
    parse: Callable[[], Records]


@dataclass(frozen=True)
class SourceFile:
    """One external thing that was read.

    Attributes:
        name: as the recipe names it (relative where the recipe is relative).
        uri: where it was found, without credentials.
        sha256: of its bytes as stored (compressed if it is), hex.
        size: in bytes.
    """

    name: str
    uri: str
    sha256: str
    size: int


class Reader(Protocol):
    """Reads one external input, block by block, in bounded memory and in a fixed order."""

    def blocks(self) -> Iterator[Block]:
        """The blocks, in order."""
        ...

    def files(self) -> list[SourceFile]:
        """What was read; complete once `blocks` is exhausted."""
        ...
