"""One thread that writes to an SQLite file, with as many pieces of work in a transaction as wait."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

MOST_AT_ONCE = 512

T = TypeVar("T")


@dataclass(frozen=True)
class _Waiting:
    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


class GroupCommit:
    """Writes in groups: a piece of work is done when its group is on the disk.

    Args:
        connect: opens the file, in autocommit mode; called in the thread that writes.
    """

    def __init__(self, connect: Callable[[], sqlite3.Connection]) -> None:
        self._connect = connect
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="records", daemon=True)
        self._thread.start()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do `work` in a transaction, and wait until it is on the disk. It is done even if the wait is
        cancelled.

        Raises:
            sqlite3.Error: when the group could not be written; then nothing of it is.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.put(_Waiting(work, loop, done))
        return await done

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        connection: sqlite3.Connection | None = None
        open_for_more = True
        while open_for_more:
            group = [self._waiting.get()]
            while len(group) < MOST_AT_ONCE and not self._waiting.empty():
                group.append(self._waiting.get())
            open_for_more = None not in group
            work = [each for each in group if each is not None]
            if not work:
                continue
            try:
                connection = connection or self._connect()
                results = _together(connection, work)
            except Exception as error:
                _tell(work, [error] * len(work))
            else:
                _tell(work, results)
        if connection is not None:
            connection.close()


def _together(connection: sqlite3.Connection, group: list[_Waiting]) -> list[Any]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        results = [each.work(connection) for each in group]
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return results


def _tell(group: list[_Waiting], results: list[Any]) -> None:
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for each, result in zip(group, results, strict=True):
        by_loop.setdefault(each.loop, []).append((each.done, result))
    for loop, told in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, told)


def _resolve(told: list[tuple[asyncio.Future[Any], Any]]) -> None:
    for done, result in told:
        if done.done():
            continue
        if isinstance(result, Exception):
            done.set_exception(result)
        else:
            done.set_result(result)
