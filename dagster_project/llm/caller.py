"""Answers questions to the models of a recipe: from the records, or by calls that are paid for."""

from __future__ import annotations

import asyncio
import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from dagster_project.llm.books import books_of
from dagster_project.llm.budget import Allowance
from dagster_project.llm.charges import Books, Cause, Elsewhere, Reservation
from dagster_project.llm.money import dollars
from dagster_project.llm.pace import back_off
from dagster_project.llm.provider import Became, CallBroken
from dagster_project.llm.records import Records
from dagster_project.llm.refusal import ModelRefused, NotRecorded
from dagster_project.llm.request import Request, request
from dagster_project.llm.response import Malformed, read
from dagster_project.llm.served_model import ServedModel
from dagster_project.llm.structured import answered
from dagster_project.llm.usage import charged, worst
from dagster_project.operators.calls import Answer, CallFailed, ModelCall, Question
from dagster_project.recipe.models import Budget, Model
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

GRACE = 5.0
"""Seconds that calls under way have to end when nobody waits for them any more."""
LOOK_AGAIN, LONGEST_LOOK = 0.2, 5.0
"""Seconds between looks at what another process is asking, which grow from the first to the second."""


@dataclass(frozen=True)
class Spent:
    """What was spent.

    Attributes:
        calls: that were billed, or may have been.
        dollars: US dollars; of models whose price is not known, none.
        tokens_in, tokens_out: read and written.
        reservations: calls that are under way, or were when their process died.
        reserved_dollars, reserved_tokens: the most that those cost. They count against the budget.
    """

    calls: int
    dollars: float
    tokens_in: int
    tokens_out: int
    reservations: int
    reserved_dollars: float
    reserved_tokens: int


@dataclass(frozen=True)
class Spend:
    """What a version has spent.

    Attributes:
        version: over all time, by all processes.
        run: through this caller.
        from_records: questions that this caller answered without a call.
    """

    version: Spent
    run: Spent
    from_records: int


class Caller:
    """Asks the models of a recipe, for one version. To be used with `async with`.

    An answer is recorded in the store as it is paid for; a question that was answered, for whatever
    version, is answered from there. Questions that are equal and asked at the same time, in this or
    another process, are asked once.

    Args:
        version: whose budget it is.
        models: by their names in the recipe.
        budget: what the version may spend; None for no limit, where no model costs anything.
        store: where answers and charges are recorded.
        replay_only: answer from the records alone.
    """

    def __init__(
        self,
        version: VersionName,
        models: Mapping[str, Model],
        budget: Budget | None,
        store: Store,
        *,
        replay_only: bool = False,
    ) -> None:
        self._version, self._models, self._budget = version, models, budget
        self._store, self._replay_only = store, replay_only
        self._served: dict[str, ServedModel] = {}
        self._asking: dict[str, asyncio.Task[ModelCall]] = {}
        self._records: Records | None = None
        self._allowance: Allowance | None = None
        self._from_records = 0

    async def __aenter__(self) -> Caller:
        self._records = await asyncio.to_thread(Records, self._store)
        self._allowance = Allowance(self._version, self._budget, self._records)
        return self

    async def __aexit__(self, *_: object) -> None:
        asking = list(self._asking.values())
        if asking:
            await asyncio.wait(asking, timeout=GRACE)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        for served in self._served.values():
            await served.close()
        if self._records is not None:
            await asyncio.to_thread(self._records.close)
            self._records = None

    async def ask(self, question: Question) -> Answer:
        """Ask a model.

        Args:
            question: what is asked.

        Raises:
            CallFailed: when this question has no usable answer.
            BudgetReached: when a call for it does not fit the budget.
            ModelRefused: when the model cannot be asked as the recipe declares it.
            NotRecorded: when only records may be used, and the answer is not there.
            RecordsFailed: when the records cannot be written.
        """
        served = await self._model(question.model)
        call = partial(self._call, served)
        answer = await answered(question, call, served.declared.repairs)
        if question.top_logprobs and answer.text and not answer.logprobs:
            raise served.capabilities.gives_no_logprobs()
        return answer

    def spent(self) -> Spend:
        """What the version has spent so far; may be asked from any thread, at any time."""
        run = Books() if self._allowance is None else self._allowance.run
        version = books_of(self._store, str(self._version))
        return Spend(_spent(version), _spent(run), self._from_records)

    async def _model(self, name: str) -> ServedModel:
        assert self._records is not None, "a caller is used with `async with`"
        if name not in self._served:
            if name not in self._models:
                near = difflib.get_close_matches(name, self._models, n=1, cutoff=0)
                raise ModelRefused(
                    f"there is no model {name!r} in the recipe's `models`"
                    + (f"; did you mean {near[0]!r}?" if near else ", which is empty")
                )
            served = ServedModel(name, self._models[name], self._records)
            await asyncio.to_thread(lambda: served.identity)
            self._served.setdefault(name, served)
        return self._served[name]

    async def _call(self, served: ServedModel, question: Question) -> ModelCall:
        """The call that a question takes, from the records or made now."""
        assert self._records is not None, "a caller is used with `async with`"
        asked = request(question, served.served_as, served.identity)
        call = self._records.find(asked.hash)
        task = self._asking.get(asked.hash)
        if call is not None or task is not None:
            self._from_records += 1
        if call is None:
            if self._replay_only:
                raise NotRecorded(
                    f"{self._version}: the answer of model {served.name!r} to a question for "
                    f"{question.purpose} is not in the records (request {asked.hash[:16]}…), and nothing "
                    "else may be used"
                )
            if task is None:
                task = asyncio.create_task(self._pay(served, asked, question.purpose))
                self._asking[asked.hash] = task
                task.add_done_callback(partial(self._done, asked.hash))
            call = await asyncio.shield(task)
        return call if call.purpose == question.purpose else replace(call, purpose=question.purpose)

    def _done(self, request_hash: str, task: asyncio.Task[ModelCall]) -> None:
        del self._asking[request_hash]
        if not task.cancelled():
            task.exception()

    async def _pay(self, served: ServedModel, asked: Request, purpose: str) -> ModelCall:
        """Make a call, again if need be."""
        failures = looks = 0
        while True:
            answered_before = served.pace.answered
            try:
                made = await self._attempt(served, asked, purpose)
                if isinstance(made, ModelCall):
                    return made
                looks += 1
                await asyncio.sleep(min(LONGEST_LOOK, made * looks))
            except CallBroken as broken:
                served.give_up(broken)
                if broken.became == "open":
                    raise CallFailed(
                        "unavailable",
                        f"model {served.name!r} ({served.served_by}): {broken}; run again to look for "
                        "its answers",
                    ) from None
                others_fare_better = served.pace.answered > answered_before
                if not (broken.too_much and others_fare_better):
                    failures += 1
                if failures > served.declared.retries:
                    raise CallFailed(
                        "unavailable",
                        f"model {served.name!r} ({served.served_by}): no answer after {failures} "
                        f"{'try' if failures == 1 else 'tries'}: {broken}",
                    ) from None
                await asyncio.sleep(back_off(max(1, failures)))

    async def _attempt(
        self, served: ServedModel, asked: Request, purpose: str
    ) -> ModelCall | float:
        """Make a call once, or tell after how many seconds that is to be tried again."""
        assert self._allowance is not None
        await served.open(self._budget)
        async with served.turn(asked) as began:
            body = served.capabilities.form(asked)
            content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
            most = worst(asked, content, served.prices)
            place = await self._allowance.reserve(Cause(served.name, purpose, asked.hash), most)
            if isinstance(place, Elsewhere):
                return LOOK_AGAIN
            if isinstance(place, ModelCall):
                return place
            try:
                reply = await served.send(place, asked, body, content)
                try:
                    response = read(reply.body, asked.path)
                except Malformed as error:
                    raise CallBroken("lost", f"the response cannot be read: {error}") from None
            except CallBroken as broken:
                if broken.too_much:
                    served.pace.ease(began, broken.pause)
                await self._end(place, broken.became, str(broken))
                if served.capabilities.learn(broken, body):
                    return 0.0
                raise
            except BaseException:
                await self._end(place, served.became(place, asked), "given up")
                raise
            charge, doubt = charged(reply.body, response, asked, place.worst, served.prices)
            call = ModelCall(
                request_hash=asked.hash,
                purpose=purpose,
                model=served.served_as,
                provider=served.served_by,
                sampling=asked.sampling,
                prompt=asked.prompt,
                response=reply.text,
                finish_reason=response.finish_reason,
                tokens_in=charge.tokens_in,
                tokens_out=charge.tokens_out,
                dollars=dollars(charge.picodollars),
                seconds=reply.seconds,
            )
            await self._allowance.settle(place, charge, doubt, call)
            served.pace.succeed()
            if "logprobs" in asked.body and response.text and not response.logprobs:
                served.capabilities.gives_no_logprobs()
            return call

    async def _end(self, place: Reservation, became: Became, why: str) -> None:
        """End the reservation of a call without an answer, if the call has ended."""
        assert self._allowance is not None
        if became == "lost":
            await self._allowance.settle(place, place.worst, f"outcome unknown: {why}", None)
        elif became != "open":
            await self._allowance.release(place)


def _spent(books: Books) -> Spent:
    return Spent(
        books.calls,
        dollars(books.settled.picodollars),
        books.settled.tokens_in,
        books.settled.tokens_out,
        books.reservations,
        dollars(books.reserved.picodollars),
        books.reserved.tokens,
    )
