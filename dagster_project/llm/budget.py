"""A version's budget: room is made for a call's worst case before it is sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace

from dagster_project.errors import SeedbedError
from dagster_project.llm.charges import (
    Books,
    Caps,
    Cause,
    Charge,
    Elsewhere,
    NoRoom,
    Reservation,
)
from dagster_project.llm.money import dollars, picodollars
from dagster_project.llm.records import Records
from dagster_project.operators.calls import ModelCall
from dagster_project.recipe.models import Budget
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

LOOK_AGAIN = 0.2
"""Seconds between looks at what other processes have spent."""


class BudgetReached(SeedbedError):
    """A call that does not fit the budget any more. What is done so far is recorded."""


class Allowance:
    """What a version may spend, shared by all that ask for it. `run` is what was spent through this.

    A call that does not fit waits for those that are under way, which mostly cost less than their worst
    case; when it would not fit even if they cost nothing, the budget is reached. Who waits longest, is
    served first.

    Args:
        version: whose budget it is.
        budget: as declared; None for no limit.
        records: where it is kept.
    """

    def __init__(self, version: VersionName, budget: Budget | None, records: Records) -> None:
        self._version = str(version)
        self._records = records
        self._caps = Caps(
            None if budget is None or budget.dollars is None else picodollars(budget.dollars),
            None if budget is None else budget.tokens,
        )
        self.run = Books()
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
                if not found.may_come:
                    raise BudgetReached(self._reached(found, cause, worst))
                with suppress(TimeoutError):
                    await asyncio.wait_for(changed.wait(), LOOK_AGAIN)

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
        reserving = asyncio.ensure_future(
            self._records.reserve(self._version, cause, worst, self._caps)
        )
        try:
            found = await asyncio.shield(reserving)
        except asyncio.CancelledError:
            found = await reserving
            if isinstance(found, Reservation) and found.batch is None:
                await self._records.release(found)
            raise
        if isinstance(found, Reservation):
            self._note(1, found.worst)
        return found

    def _end(self, reservation: Reservation) -> None:
        self._note(-1, reservation.worst)
        self._changed.set()
        self._changed = asyncio.Event()

    def _note(self, more: int, reserved: Charge) -> None:
        self.run = replace(
            self.run,
            reservations=self.run.reservations + more,
            reserved=self.run.reserved.plus(reserved, more),
        )

    def _reached(self, found: NoRoom, cause: Cause, worst: Charge) -> str:
        gone = found.settled.plus(found.abandoned)
        tokens = self._caps.tokens is not None and gone.tokens + worst.tokens > self._caps.tokens
        if tokens:
            cap, spent, more = "tokens", f"{gone.tokens:,}", f"{worst.tokens:,}"
            most, held = f"{self._caps.tokens:,}", f"{found.abandoned.tokens:,}"
        else:
            cap, spent, more = "dollars", _told(gone), _told(worst)
            most, held = f"${dollars(self._caps.picodollars or 0):g}", _told(found.abandoned)
        return (
            f"{self._version}: `budget.{cap}` ({most}) is reached: {spent} are spent, and the next call "
            f"to `{cause.model}` could cost {more}. Raise `budget.{cap}` in the recipe and run it again: "
            "it goes on from here, and nothing is paid for twice"
            + (
                f". Of what is spent, {held} are for calls of processes that died, at their worst; "
                "`release_abandoned` gives them up"
                if found.abandoned.tokens
                else ""
            )
        )


def _told(charge: Charge) -> str:
    return f"${dollars(charge.picodollars):.6f}"


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
