"""A model of the recipe, as it is served: where, at what price, how fast."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import cached_property
from typing import Any

from dagster_project.llm import embedded
from dagster_project.llm.batch import Batches
from dagster_project.llm.capabilities import Capabilities
from dagster_project.llm.charges import Reservation
from dagster_project.llm.keys import key_of
from dagster_project.llm.pace import Pace
from dagster_project.llm.prices import prices_of
from dagster_project.llm.provider import Became, CallBroken, Provider, Reply
from dagster_project.llm.records import Records
from dagster_project.llm.refusal import ModelRefused
from dagster_project.llm.request import Request
from dagster_project.operators.calls import CallFailed
from dagster_project.recipe.models import Budget, Model, Prices

NOT_ALLOWED, NO_CREDIT = (401, 403), (402,)
NOT_FOUND = (301, 302, 303, 307, 308, 404, 405, 410)
MAY_PASS = (408, 409, 425, 429)
"""Statuses below 500 after which a call is made again."""


class ServedModel:
    """A model that can be asked.

    Args:
        name: in the recipe.
        declared: what the recipe says of it.
        records: where its batches are recorded.
    """

    def __init__(self, name: str, declared: Model, records: Records) -> None:
        self._records = records
        self.name, self.declared = name, declared
        self.capabilities = Capabilities(name)
        self.pace = Pace(
            min(declared.concurrent, embedded.AT_ONCE) if self._embedded else declared.concurrent,
            declared.requests_per_minute,
            declared.tokens_per_minute,
        )
        self._opening = asyncio.Lock()
        self._provider: Provider | None = None
        self._batches: Batches | None = None

    @cached_property
    def identity(self) -> Mapping[str, Any]:
        """What can change its answers.

        Raises:
            ModelRefused: when it is embedded, and not installed.
        """
        return embedded.identity() if self._embedded else self.declared.identity

    @property
    def served_as(self) -> str:
        """What its provider calls it."""
        return self.declared.model or embedded.NAME

    @property
    def served_by(self) -> str:
        """Its base URL, or `embedded`."""
        return self.declared.base_url or "embedded"

    @cached_property
    def prices(self) -> Prices | None:
        """What it costs; None where that is not known."""
        return prices_of(self.declared)

    async def open(self, budget: Budget | None) -> None:
        """Get ready to ask it; its endpoint is started if need be.

        Raises:
            ModelRefused: when it cannot be asked as it is declared.
        """
        async with self._opening:
            if self._provider is None:
                self._require_prices(budget)
                base_url, key = self.declared.base_url, None
                if base_url is None:
                    served = await asyncio.to_thread(embedded.endpoint)
                    base_url, key = served.base_url, served.key
                else:
                    key = key_of(self.name, self.declared.key)
                self._provider = Provider(
                    base_url, key, self.declared.timeout, self.declared.concurrent
                )

    async def send(
        self, place: Reservation, asked: Request, body: Mapping[str, Any], content: bytes
    ) -> Reply:
        """Make a call, once.

        Args:
            place: its reservation.
            asked: the request.
            body: the form of it that is sent.
            content: the same as JSON.

        Raises:
            CallBroken: when there is no answer.
        """
        assert self._provider is not None
        if not self.declared.batch and place.batch is None:
            return await self._provider.send(asked.path, content)
        if self._batches is None:
            self._batches = Batches(self._provider, self._records)
        return await self._batches.answer(place, asked, body)

    def became(self, place: Reservation, asked: Request) -> Became:
        """What is to be thought of a call that nobody waits for any more."""
        if not self.declared.batch and place.batch is None:
            return "lost"
        in_time = self._batches is None or self._batches.withdraw(place, asked)
        return "unreached" if in_time else "open"

    def turn(self, asked: Request) -> AbstractAsyncContextManager[float]:
        """A turn for a call. In batches there are none."""
        return nullcontext(0.0) if self.declared.batch else self.pace.turn(asked.tokens)

    async def close(self) -> None:
        """Close its connections."""
        if self._batches is not None:
            await self._batches.close()
        if self._provider is not None:
            await self._provider.close()
            self._provider = None

    def give_up(self, broken: CallBroken) -> None:
        """Raise what says that a call is not to be made again, if it is not.

        Raises:
            ModelRefused: when no other call would fare better.
            CallFailed: `refused`, when this question is at fault.
        """
        status, told = broken.status, f"model {self.name!r} ({self.served_by}): {broken}"
        if broken.became != "rejected":
            return
        if status in NOT_ALLOWED:
            key = self.declared.key
            raise ModelRefused(
                f"{told}. The endpoint does not accept "
                + (f"the key in {key}; set that to a valid one" if key else "calls without a key; "
                "name the environment variable that holds it in `key`")
            )  # fmt: skip
        if status in NO_CREDIT or broken.code == "insufficient_quota":
            raise ModelRefused(f"{told}. The account has no credit; top it up and run again")
        if status in NOT_FOUND:
            raise ModelRefused(
                f"{told}. There is no model {self.served_as!r} at this address; mend `model` or "
                "`base_url`"
            )
        if (status < 500 and status not in MAY_PASS) or status == 501:
            raise CallFailed("refused", told)

    @property
    def _embedded(self) -> bool:
        return self.declared.provider == "embedded"

    def _require_prices(self, budget: Budget | None) -> None:
        if self.prices is None:
            if budget is not None and budget.unknown_prices == "allow":
                return
            raise ModelRefused(
                f"model {self.name!r}: what {self.served_as!r} costs at {self.served_by} is not known. "
                "Give `prices: {input: …, output: …}`, in US dollars for a million tokens, with the "
                "model; or say `unknown_prices: allow` in `budget`, and only its tokens are counted"
            )
        free = self.prices.input == 0 and self.prices.output == 0
        if not free and (budget is None or (budget.dollars is None and budget.tokens is None)):
            raise ModelRefused(
                f"model {self.name!r} costs money, and the recipe has no limit for it: give `budget: "
                "{dollars: …}` or `budget: {tokens: …}`"
            )
