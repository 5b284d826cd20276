"""A function of a column that several expressions want, called once for all of them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

import polars as pl

Found = TypeVar("Found")


class Once(Generic[Found]):
    """Remembers the last answer of a function, and for which values it was. Polars asks from several
    threads at once; the lock makes one of them work and the others wait for it.

    Expressions that call it must not be `is_elementwise`, so that all values come at once.
    """

    def __init__(self, measure: Callable[[pl.Series], Found]) -> None:
        self._measure = measure
        self._last: tuple[pl.Series, Found] | None = None
        self._lock = Lock()

    def __call__(self, values: pl.Series) -> Found:
        with self._lock:
            if self._last is None or not self._last[0].equals(values, null_equal=True):
                self._last = values, self._measure(values)
            return self._last[1]
