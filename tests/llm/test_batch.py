"""Questions in batches: mapped by name, paid for once, found again."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dagster_project.llm import batch, caller
from dagster_project.llm.books import FILE, books_of
from dagster_project.llm.budget import BudgetReached, release_abandoned
from dagster_project.llm.records import Records
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.recipe.models import Budget, Model
from dagster_project.warehouse.store import Store
from tests.llm.asking import PRICES, VERSION, ask_each, chat, each, model
from tests.llm.batch_server import BatchServer
from tests.llm.fault_server import Fault


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches without long waits."""
    monkeypatch.setattr(batch, "QUIET", 0.1)
    monkeypatch.setattr(batch, "FIRST_LOOK", 0.02)
    monkeypatch.setattr(caller, "GRACE", 0.2)


def repeats(body, seen: int) -> Fault:
    return Fault(text=f"answer to {body['messages'][0]['content']}")


def batched(server: BatchServer, **declared) -> Model:
    return model(server.url, batch=True, **declared)


def test_each_question_gets_its_own_answer(tmp_path) -> None:
    with BatchServer(repeats) as server:
        questions = [chat(str(number)) for number in range(40)]
        found, spend = ask_each(tmp_path, batched(server, concurrent=2), questions * 2)
        assert [one.text for one in found] == [f"answer to {n}" for n in range(40)] * 2
        assert [one.calls[0].seconds for one in found[:2]] == [60, 60]
        assert (len(server.batches), len(server.served), spend.run.calls) == (1, 40, 40)
        assert spend.run.dollars == pytest.approx(server.dollars(PRICES.input, PRICES.output))
        with closing(sqlite3.connect(tmp_path / "calls" / FILE)) as connection:
            assert connection.execute("SELECT count(*) FROM batched").fetchone() == (0,)
        again, spend = ask_each(tmp_path, batched(server), questions)
        assert again == found[:40]
        assert (spend.run.calls, len(server.batches)) == (0, 1)


def test_lines_that_fail_are_asked_again_or_refused(tmp_path) -> None:
    faults = {"0": Fault(500), "1": Fault(429), "2": Fault(0), "3": Fault(400), "4": Fault(text="")}

    def script(body, seen: int) -> Fault:
        kind = body["messages"][0]["content"]
        return faults[kind] if kind in faults and (seen == 0 or kind == "3") else Fault()

    with BatchServer(script) as server:
        found, spend = ask_each(tmp_path, batched(server), [chat(str(n)) for n in range(6)])
        assert [getattr(one, "kind", "") or one.text for one in found] == [
            "an answer", "an answer", "an answer", "refused", "invalid", "an answer",
        ]  # fmt: skip
        assert len(server.batches) > 1
        assert (spend.run.calls, spend.run.reservations) == (5, 0)


def test_a_batch_that_is_turned_down_costs_nothing(tmp_path) -> None:
    with BatchServer() as server:
        server.ended = "failed"
        (found,), spend = ask_each(tmp_path, batched(server), [chat("a")])
    assert isinstance(found, CallFailed) and "told to fail" in str(found)
    assert (spend.run.calls, spend.run.reservations) == (0, 0)


def test_a_batch_that_was_made_though_nobody_heard_is_found(tmp_path) -> None:
    with BatchServer() as server:
        server.cut_once = True
        (found,), spend = ask_each(tmp_path, batched(server), [chat("a")])
        assert isinstance(found, Answer)
        assert (len(server.batches), spend.run.calls) == (1, 1)


@pytest.mark.parametrize("heard", [True, False])
def test_a_run_that_ended_finds_its_batch_again(tmp_path, monkeypatch, heard: bool) -> None:
    questions = [chat(str(number)) for number in range(5)]
    budget = Budget(dollars=0.01)

    async def left(declared: Model) -> None:
        async with asyncio.timeout(0.7):
            await each(tmp_path, declared, questions, budget)

    async def silent(*_: object) -> None:
        await asyncio.sleep(60)

    with BatchServer(repeats) as server:
        server.ended = None
        with monkeypatch.context() as patch:
            if not heard:
                patch.setattr(Records, "name_batch", silent)
            with pytest.raises(TimeoutError):
                asyncio.run(left(batched(server)))
        asyncio.run(release_abandoned(Store(tmp_path), VERSION))
        open_calls = books_of(Store(tmp_path), str(VERSION))
        assert (open_calls.calls, open_calls.reservations) == (0, 5)
        server.ended = "completed"
        found, spend = ask_each(tmp_path, batched(server), questions, budget)
        assert [one.text for one in found] == [f"answer to {n}" for n in range(5)]
        assert (len(server.batches), len(server.served)) == (1, 5)
        assert (spend.version.calls, spend.version.reservations) == (5, 0)


def test_what_was_not_sent_is_given_up(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(batch, "QUIET", 60)

    async def left(declared: Model) -> None:
        async with asyncio.timeout(0.3):
            await each(tmp_path, declared, [chat("a"), chat("b")])

    with BatchServer() as server:
        with pytest.raises(TimeoutError):
            asyncio.run(left(batched(server)))
        assert not server.batches
    assert books_of(Store(tmp_path), str(VERSION)).reservations == 0


def test_the_cap_holds_for_batches(tmp_path) -> None:
    with BatchServer(repeats) as server:
        questions = [chat(str(number)) for number in range(60)]
        found, spend = ask_each(tmp_path, batched(server), questions, Budget(dollars=0.004))
        assert {type(one) for one in found} == {Answer, BudgetReached}
        assert server.dollars(PRICES.input, PRICES.output) <= spend.version.dollars <= 0.004
        assert spend.version.calls == len(server.served)
