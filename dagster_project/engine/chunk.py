"""A chunk: rows that can be loaded when they are needed, and an identity that stands for them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Chunk:
    """Some rows of a run.

    Attributes:
        key: identity of the rows and of who they are; equal keys load equal frames.
        input: number of the input they come from.
        rows: how many.
        load: reads them, with the columns that say who they are.
    """

    key: str
    input: int
    rows: int
    load: Callable[[], pl.DataFrame]


def frame_digest(frame: pl.DataFrame) -> str:
    """Identity of a frame's columns, types and values."""
    stream = io.BytesIO()
    frame.rechunk().write_ipc(stream, compression="uncompressed")
    return hashlib.sha256(stream.getbuffer()).hexdigest()
