"""A version's budget: room is made for a call's worst case before it is sent."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from dagster_project.errors import SeedbedError
from dagster_project.llm.money import dollars, picodollars
from dagster_project.llm.records import (
    Books,
    Caps,
    Cause,
    Charge,
    Elsewhere,
    NoRoom,
    Records,
    Reservation,
)
from dagster_project.operators.calls import ModelCall
from dagster_project.recipe.model import Budget
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName


class BudgetReached(SeedbedError):
    """A call that does not fit the budget any more. What is done so far is recorded."""


class Allowance:
    """What a version may spend, shared by all that ask for it. `run` is what was spent through this.

    A call that does not fit waits for those of this process that are under way, which mostly cost less
    than their worst case; when none is left and it still does not fit, the budget is reached. Who waits
    longest, is served first.

    Args:
        version: whose budget it is.
        budget: as declared; None for no limit.
        records: where it is kept.
    """

    def __init__(self, version: VersionName, budget: Budget | None, records: Records) -> None:
        self._version = str(version)
        self._records = records
        self.caps = Caps(
            None if budget is None or budget.dollars is None else picodollars(budget.dollars),
            None if budget is None else budget.tokens,
        )
        self.run = Books()
        self._under_way = 0
        self._changed = asyncio.Event()
        self._waiting = asyncio.Lock()

    async def reserve(self, cause: Cause, worst: Charge) -> Reservation | ModelCall | Elsewhere:
        """Make room for a call, unless it was made meanwhile, or another process is making it.

        Raises:
            BudgetReached: when it does not fit.
        """
        if not self._waiting.locked():
            found = await self._try(cause, worst)
            if not isinstance(found, NoRoom):
                return found
        async with self._waiting:
            while True:
                changed = self._changed
                found = await self._try(cause, worst)
                if not isinstance(found, NoRoom):
                    return found
                if not self._under_way and not changed.is_set():
                    raise BudgetReached(self._reached(found, cause, worst))
                await changed.wait()

    async def settle(
        self, reservation: Reservation, charge: Charge, note: str, call: ModelCall | None
    ) -> None:
        """Put what a call cost in place of its reservation; see `Records.settle`."""
        await self._records.settle(reservation, charge, note, call)
        self.run = replace(
            self.run, calls=self.run.calls + 1, settled=self.run.settled.plus(charge)
        )
        self._end(reservation)

    async def release(self, reservation: Reservation) -> None:
        """Give a reservation up: its call cost nothing."""
        await self._records.release(reservation)
        self._end(reservation)

    async def _try(
        self, cause: Cause, worst: Charge
    ) -> Reservation | ModelCall | Elsewhere | NoRoom:
        self._under_way += 1
        try:
            found = await self._records.reserve(self._version, cause, worst, self.caps)
        except BaseException:
            self._under_way -= 1
            raise
        if isinstance(found, Reservation):
            self._note(1, found.worst)
        else:
            self._under_way -= 1
        return found

    def _end(self, reservation: Reservation) -> None:
        self._note(-1, reservation.worst)
        self._under_way -= 1
        self._changed.set()
        self._changed = asyncio.Event()

    def _note(self, more: int, reserved: Charge) -> None:
        self.run = replace(
            self.run,
            reservations=self.run.reservations + more,
            reserved=self.run.reserved.plus(reserved, more),
        )

    def _reached(self, found: NoRoom, cause: Cause, worst: Charge) -> str:
        cap, spent, more = self._which(found, worst)
        return (
            f"{self._version}: {cap} reached: {spent} spent, and the next call to `{cause.model}` could "
            f"cost {more} more. Raise `{cap.split()[0]}` in the recipe and run it again: it goes on from "
            "here, and nothing is paid for twice"
            + (
                f". {dollars(found.reserved.picodollars):.4f} $ and {found.reserved.tokens:,} tokens of "
                "it are reserved for calls of other processes, or of such as died; "
                "`release_abandoned` gives up the latter"
                if found.reserved.tokens
                else ""
            )
        )

    def _which(self, found: NoRoom, worst: Charge) -> tuple[str, str, str]:
        tokens = found.settled.tokens + found.reserved.tokens
        if self.caps.tokens is not None and tokens + worst.tokens > self.caps.tokens:
            cap = f"budget.tokens ({self.caps.tokens:,})"
            return cap, f"{tokens:,} tokens", f"{worst.tokens:,}"
        amount = found.settled.picodollars + found.reserved.picodollars
        cap = f"budget.dollars ({dollars(self.caps.picodollars or 0):g} $)"
        return cap, f"{dollars(amount):.6f} $", f"{dollars(worst.picodollars):.6f} $"


async def release_abandoned(store: Store, version: VersionName) -> Books:
    """Give up what calls of dead processes reserved in a version's budget.

    A process that is killed leaves the reservations of calls that were under way. Whether their
    provider billed them is not known, so they count as spent at their worst, until somebody who has
    looked at the bill calls this.

    Args:
        store: with the records.
        version: whose budget it is.

    Returns:
        How many reservations were given up, and what they held: `reservations` and `reserved`.
    """
    records = Records(store)
    try:
        return await records.release_abandoned(str(version))
    finally:
        records.close()
