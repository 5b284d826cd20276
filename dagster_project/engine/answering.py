"""Answers what operators ask during a run: models through the caller, programs in the sandbox."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from dagster_project.engine.plan import Plan
from dagster_project.errors import SeedbedError
from dagster_project.identity import digest
from dagster_project.llm.budget import BudgetReached
from dagster_project.llm.caller import Caller, Spend
from dagster_project.operators.calls import (
    Answer,
    CallFailed,
    Calls,
    ModelCall,
    Outcome,
    Program,
    Question,
)
from dagster_project.sandbox.run import run as run_isolated
from dagster_project.warehouse.store import Store, write_atomically

AT_ONCE = 1024
"""Rows or attempts in work at once; how many calls of each model, is the caller's business."""

T = TypeVar("T")


@dataclass(frozen=True)
class Answered(Generic[T]):
    """What came of one piece of work.

    Attributes:
        value: its result; None where it failed.
        error: why it failed.
        calls: the paid calls that it made, in order.
    """

    value: T | None
    error: Exception | None
    calls: tuple[ModelCall, ...]

    @property
    def lasting(self) -> bool:
        """Whether it would come out the same if it was done again."""
        return not (
            isinstance(self.error, CallFailed) and self.error.kind in ("unavailable", "unsafe")
        )


Work = Callable[[Calls], Awaitable[T]]
"""Something to do with the help of calls."""


class Answering:
    """Does work that makes calls, much of it at once, on an event loop of its own. Use `answering`.

    Args:
        plan: whose models and budget count.
        store: where answers are recorded.
        replay_only: answer from records alone.
    """

    def __init__(self, plan: Plan, store: Store, *, replay_only: bool = False) -> None:
        recipe = plan.declared.recipe
        self.store = store
        self.caller = Caller(
            plan.name, recipe.models, recipe.budget, store, replay_only=replay_only
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def all(self, work: Sequence[Work[T]]) -> list[Answered[T]]:
        """Do all of it, in any order; the results are in the order given. Where the budget is reached,
        what was not begun is not, and has `BudgetReached` as its error.

        Raises:
            SeedbedError: when the recipe, not a call, is at fault.
        """
        if not work:
            return []
        return self._await(self._all(work))

    def spent(self) -> Spend:
        """What the version has spent."""
        return self.caller.spent()

    def close(self) -> None:
        """End the event loop, and what it holds open."""
        if self._loop is None or self._thread is None:
            return
        self._await(self.caller.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._loop = self._thread = None

    async def _all(self, work: Sequence[Work[T]]) -> list[Answered[T]]:
        window = asyncio.Semaphore(AT_ONCE)
        reached: list[BudgetReached] = []

        async def one(piece: Work[T]) -> Answered[T]:
            async with window:
                recorder = _Recorder(self)
                try:
                    if reached:
                        raise reached[0]
                    return Answered(await piece(recorder), None, tuple(recorder.calls))
                except BudgetReached as error:
                    reached.append(error)
                    return Answered(None, error, tuple(recorder.calls))
                except Exception as error:
                    if isinstance(error, SeedbedError) and not isinstance(error, CallFailed):
                        raise
                    return Answered(None, error, tuple(recorder.calls))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(piece)) for piece in work]
        return [task.result() for task in tasks]

    def _await(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="answering", daemon=True
            )
            self._thread.start()
            self._await(self.caller.__aenter__())
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        except BaseException:
            future.cancel()
            raise


@contextmanager
def answering(plan: Plan, store: Store) -> Iterator[Answering]:
    """What answers the operators of a plan."""
    answers = Answering(plan, store)
    try:
        yield answers
    finally:
        answers.close()


class _Recorder:
    """The calls of one piece of work; a `Calls`."""

    def __init__(self, answers: Answering) -> None:
        self.answers = answers
        self.calls: list[ModelCall] = []

    async def ask(self, question: Question) -> Answer:
        try:
            answer = await self.answers.caller.ask(question)
        except CallFailed as error:
            self.calls += error.calls
            raise
        self.calls += answer.calls
        return answer

    async def run(self, program: Program) -> Outcome:
        """Run a program, or tell what became of it when it was run before."""
        python = ".".join(map(str, sys.version_info[:3]))
        key = digest(["program", python, asdict(program)])
        path = self.answers.store.calls / "outcomes" / key[:2] / f"{key}.json"
        try:
            return Outcome(**json.loads(path.read_text("utf-8")))
        except FileNotFoundError:
            outcome = await run_isolated(program)
            write_atomically(path, json.dumps(asdict(outcome)).encode())
            return outcome
