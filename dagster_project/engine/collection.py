"""Python's collector of cycles, held back while rows are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

NEW_OBJECTS = 50_000
"""New objects after which the collector looks for cycles; Python's default is 700, or 2,000."""


@contextmanager
def collected_seldom() -> Iterator[None]:
    """The collector runs less often: rows are in Arrow's memory, which it does not know of, and to look
    through all imported code again and again takes a tenth of the time of a small build."""
    before = gc.get_threshold()
    gc.set_threshold(max(NEW_OBJECTS, before[0]), *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
