"""Threads that work while the next rows are read or computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

WAITING = 2
"""Calls that may wait; each holds a chunk of rows in memory."""

P = ParamSpec("P")
R = TypeVar("R")


class Background:
    """Makes calls on other threads: on one, in their order, unless there are more. Use as a context
    manager: leaving it waits for all calls. An error of a call is raised by a later `call`, or on
    leaving.

    Args:
        threads: calls made at once.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads

    def __enter__(self) -> Background:
        self._pool = ThreadPoolExecutor(self.threads)
        self._waiting: deque[Future[Any]] = deque()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            for future in self._waiting:
                future.cancel()
        self._pool.shutdown()
        if kind is None:
            self.wait()

    def call(self, function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> Future[R]:
        """Make a call later; waits while too many are waiting."""
        while len(self._waiting) >= WAITING + self.threads:
            self._waiting.popleft().result()
        future = self._pool.submit(function, *arguments, **named)
        self._waiting.append(future)
        return future

    def wait(self) -> None:
        """Wait until every call was made."""
        while self._waiting:
            self._waiting.popleft().result()
