"""Calls that wait at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

T = TypeVar("T")


async def together(waiting: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What each of some coroutines comes to, in order. All of them come to their end, whatever becomes
    of one: a call that was left alone would be paid for and belong to nobody.

    Raises:
        Exception: the first, in order, that one of them raised.
    """
    tasks = [asyncio.ensure_future(one) for one in waiting]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]
