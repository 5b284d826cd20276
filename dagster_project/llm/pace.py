"""How many calls are made at once, and how fast: as many as the endpoint takes."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

LONGEST_PAUSE = 300.0
FIRST_BACK_OFF, LONGEST_BACK_OFF = 0.5, 60.0
"""Seconds."""


class Pace:
    """Turns for calls to one model, first come, first served.

    The number of calls at once is halved when the endpoint says that it is too much, and grows by one
    each time that so many were answered (Chiu and Jain 1989). All wait as long as the endpoint asks.

    Args:
        most: calls at once.
        requests_per_minute: None for any number.
        tokens_per_minute: None for any number.
    """

    def __init__(
        self,
        most: int,
        requests_per_minute: int | None = None,
        tokens_per_minute: int | None = None,
    ) -> None:
        self._most = most
        self.limit = float(most)
        self.answered = 0
        self._running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._eased_at = 0.0
        self._rates = [
            (_Rate(requests_per_minute), False),
            (_Rate(tokens_per_minute), True),
        ]

    @asynccontextmanager
    async def turn(self, tokens: int) -> AsyncIterator[float]:
        """Wait for a turn, and hold it.

        Args:
            tokens: that the call will take, roughly.

        Yields:
            When it began, for `ease`.
        """
        await self._enter()
        try:
            while (
                wait := max(
                    self._resume_at - time.monotonic(),
                    *(rate.wait() for rate, _ in self._rates),
                )
            ) > 0:
                await asyncio.sleep(wait)
            for rate, counts_tokens in self._rates:
                rate.take(tokens if counts_tokens else 1)
            yield time.monotonic()
        finally:
            self._running -= 1
            self._admit()

    def succeed(self) -> None:
        """Tell of a call that was answered."""
        self.answered += 1
        self.limit = min(float(self._most), self.limit + 1 / self.limit)

    def ease(self, began: float, pause: float | None) -> None:
        """Tell of a call that was too much.

        Args:
            began: when its turn began. Of calls that were under way together, one counts.
            pause: seconds that the endpoint wants no calls for.
        """
        now = time.monotonic()
        if began >= self._eased_at:
            self.limit, self._eased_at = max(1.0, self.limit / 2), now
        if pause is not None:
            self._resume_at = max(self._resume_at, now + min(pause, LONGEST_PAUSE))

    async def _enter(self) -> None:
        if self._running < int(self.limit) and not self._waiting:
            self._running += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._running -= 1
                self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting and self._running < int(self.limit):
            turn = self._waiting.popleft()
            if not turn.done():
                self._running += 1
                turn.set_result(None)


class _Rate:
    """A number a minute, of which a second's worth may come at once."""

    def __init__(self, per_minute: int | None) -> None:
        self._a_second = None if per_minute is None else per_minute / 60
        self._free_at = 0.0

    def wait(self) -> float:
        return 0.0 if self._a_second is None else self._free_at - time.monotonic()

    def take(self, amount: int) -> None:
        if self._a_second is not None:
            self._free_at = max(self._free_at, time.monotonic() - 1) + amount / self._a_second


def back_off(failures: int) -> float:
    """Seconds to wait after so many failures: any number up to a bound that doubles with each."""
    return random.uniform(0, min(LONGEST_BACK_OFF, FIRST_BACK_OFF * 2 ** (failures - 1)))
