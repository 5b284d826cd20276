"""One thread that writes while the next rows are computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

WAITING = 2
"""Calls that may wait; each holds a chunk of rows in memory."""


class Background:
    """Makes calls in their order, on one other thread. Use as a context manager: leaving it waits
    for all of them. An error of a call is raised by the next `call`, or on leaving."""

    def __enter__(self) -> Background:
        self._pool = ThreadPoolExecutor(1)
        self._waiting: deque[Future[Any]] = deque()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for future in self._waiting:
                future.cancel()
        self._pool.shutdown()
        if kind is None:
            self.wait()

    def call(self, function: Callable[..., Any], *arguments: Any) -> None:
        """Make a call later; waits while too many are waiting."""
        while len(self._waiting) > WAITING:
            self._waiting.popleft().result()
        self._waiting.append(self._pool.submit(function, *arguments))

    def wait(self) -> None:
        """Wait until every call was made."""
        while self._waiting:
            self._waiting.popleft().result()
