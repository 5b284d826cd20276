"""Promise 11: concurrent calls never exceed the cap; a stopped run loses nothing and pays for nothing
twice."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dagster_project.llm import caller, pace
from dagster_project.llm.books import books_of
from dagster_project.llm.budget import BudgetReached, release_abandoned
from dagster_project.llm.charges import Books
from dagster_project.llm.records import Records
from dagster_project.operators.calls import Answer, CallFailed
from dagster_project.recipe.models import Budget
from dagster_project.warehouse.store import Store
from tests.llm import asker
from tests.llm.asking import PRICES, VERSION, ask_each, chat, each, model
from tests.llm.fault_server import Fault, FaultServer

FULL = os.environ.get("SEEDBED_PROMISES") == "full"
KILLS = 40 if FULL else 4
EXAMPLES = 200 if FULL else 15

HONEST = [
    Fault(),
    Fault(text="a long answer " * 20, finish_reason="length"),
    Fault(429),
    Fault(500),
    Fault(400),
    Fault(cut_after=10),
    Fault(body=b"{", billed=True),
    Fault(text="", message={"content": None, "refusal": "no"}),
    Fault(text="", billed=True),
]
LIES = [
    Fault(usage={}),
    Fault(usage={"prompt_tokens": 0, "completion_tokens": 0}),
    Fault(usage={"prompt_tokens": -5, "completion_tokens": -(10**9)}),
    Fault(usage={"prompt_tokens": 10**400, "completion_tokens": 1e308}),
    Fault(usage={"prompt_tokens": "12", "completion_tokens": None}),
    Fault(usage={"prompt_tokens": True, "completion_tokens": 0.5}),
    Fault(usage=[]),
    Fault(usage=7),
]


@pytest.fixture(autouse=True, scope="module")
def impatient():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pace, "FIRST_BACK_OFF", 0.002)
        patch.setattr(pace, "LONGEST_BACK_OFF", 0.02)
        yield


def by_question(faults: list[list[Fault]]):
    """A script in which a question meets its faults one after the other, and then none."""

    def script(body, seen: int) -> Fault:
        own = faults[int(body["messages"][0]["content"].split()[-1])]
        return own[seen] if seen < len(own) else Fault()

    return script


def questions(count: int, **asked):
    return [chat(f"question {number}", **asked) for number in range(count)]


def billed(server: FaultServer) -> float:
    return server.dollars(PRICES.input, PRICES.output)


def faults_of(kinds: list[Fault]):
    return st.lists(st.lists(st.sampled_from(kinds), max_size=3), min_size=32, max_size=32)


@settings(max_examples=EXAMPLES)
@given(faults_of(HONEST), st.floats(0, 0.08))
@example([[Fault(text="x" * 1000)]] * 32, 0.0201)
def test_the_cap_holds_in_our_books_and_in_the_provider_s(faults, dollars: float) -> None:
    with tempfile.TemporaryDirectory() as folder, FaultServer(by_question(faults)) as server:
        declared, budget = model(server.url, retries=1), Budget(dollars=dollars)
        found, spend = ask_each(Path(folder), declared, questions(32), budget)
        assert billed(server) <= spend.version.dollars + 1e-12
        assert spend.version.dollars <= dollars
        assert spend.version.reservations == 0
        require_no_empty_answer(found)


@settings(max_examples=EXAMPLES)
@given(faults_of(HONEST + LIES), st.integers(0, 40_000))
def test_the_cap_holds_whatever_a_provider_says(faults, tokens: int) -> None:
    with tempfile.TemporaryDirectory() as folder, FaultServer(by_question(faults)) as server:
        declared, budget = model(server.url, retries=1), Budget(tokens=tokens)
        found, spend = ask_each(Path(folder), declared, questions(32), budget)
        assert spend.version.tokens_in + spend.version.tokens_out <= tokens
        assert spend.version.reservations == 0
        for one in found:
            if isinstance(one, Answer):
                (call,) = one.calls
                assert call.tokens_in >= len("question 1") // 8 and call.tokens_out >= 1
        require_no_empty_answer(found)


def require_no_empty_answer(found) -> None:
    for one in found:
        assert isinstance(one, Answer | CallFailed | BudgetReached), repr(one)
        assert not isinstance(one, Answer) or one.text


@settings(max_examples=EXAMPLES)
@given(faults_of(HONEST))
def test_nothing_is_paid_for_twice(faults) -> None:
    """A request is made again only where nothing was billed, or nobody knows."""
    with tempfile.TemporaryDirectory() as folder, FaultServer(by_question(faults)) as server:
        twice = questions(32) * 2
        declared = model(server.url, retries=3)
        ask_each(Path(folder), declared, twice)
        known = Counter(
            each.key
            for each in server.billed
            if each.fault.cut_after is None and each.fault.body is None
        )
        assert set(known.values()) <= {1}
        made = len(server.served)
        ask_each(Path(folder), declared, [q for q in twice if server_answers(server, q)])
        assert len(server.served) == made


def server_answers(server: FaultServer, question) -> bool:
    """Whether the server answered a question, and the answer arrived."""
    return any(
        each.fault.status == 200 and each.fault.cut_after is None and each.fault.body is None
        for each in server.served
        if each.body["messages"] == list(question.messages)
    )


def test_a_run_stops_at_the_cap_and_goes_on_when_it_is_raised(tmp_path) -> None:
    with FaultServer(lambda body, seen: Fault(delay=0.002)) as server:
        declared, asked = model(server.url), questions(200)
        low, high = Budget(dollars=0.008), Budget(dollars=1)
        found, spend = ask_each(tmp_path, declared, asked, low)
        answered = [one for one in found if isinstance(one, Answer)]
        reached = [one for one in found if isinstance(one, BudgetReached)]
        assert len(answered) + len(reached) == 200
        assert spend.version.calls == len(answered) == len(server.served) > 0
        worst = 0.002
        assert 0.008 - worst < spend.version.dollars <= 0.008
        assert "`budget.dollars` ($0.008) is reached" in str(reached[0])
        assert "Raise `budget.dollars`" in str(reached[0])
        found, spend = ask_each(tmp_path, declared, asked, high)
        assert all(isinstance(one, Answer) for one in found)
        assert spend.from_records == len(answered)
        assert len(server.served) == 200
        assert {each.key for each in server.served} == {each.key for each in server.billed}


@pytest.mark.parametrize("cap", [0.006, 100.0])
def test_callers_of_one_process_share_the_cap_and_the_answers(tmp_path, cap: float) -> None:
    async def both(url: str):
        asked = questions(100)
        return await asyncio.gather(
            *(each(tmp_path, model(url), asked, Budget(dollars=cap)) for _ in range(3))
        )

    with FaultServer(lambda body, seen: Fault(delay=0.002)) as server:
        asyncio.run(both(server.url))
        assert max(Counter(each.key for each in server.served).values()) == 1
        assert billed(server) <= books_of(Store(tmp_path), str(VERSION)).settled[2] / 1e12 <= cap


def start(store: Path, url: str, *said: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, asker.__file__, str(store), url, *map(str, said)],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_processes_share_the_cap_and_the_answers(tmp_path) -> None:
    """Of four processes, two and two ask the same questions; all together reach the cap."""
    with FaultServer(lambda body, seen: Fault(delay=0.01)) as server:
        running = [
            start(tmp_path, server.url, 0.006, first, first + 80, 8) for first in (0, 0, 40, 40)
        ]
        told = [process.communicate(timeout=60) for process in running]
        assert [process.returncode for process in running] == [0] * 4, told
        assert max(Counter(each.key for each in server.served).values()) == 1
        spend = books_of(Store(tmp_path), str(VERSION))
        assert spend.reservations == 0
        assert billed(server) <= spend.settled.picodollars / 1e12 <= 0.006
        results = [json.loads(out) for out, _ in told]
        assert {what for result in results for what in result["became"]} == {
            "an answer",
            "BudgetReached",
        }
        assert sum(result["calls"] for result in results) == spend.calls == len(server.served)


def test_a_killed_run_pays_only_for_what_was_not_recorded(tmp_path) -> None:
    generator = random.Random(11)
    store = Store(tmp_path)
    answered = threading.Event()

    def script(body, seen: int) -> Fault:
        if len(server.served) >= wanted:
            answered.set()
        return Fault(delay=0.01)

    with FaultServer(script) as server:
        abandoned = 0
        for _ in range(KILLS):
            wanted = len(server.served) + generator.randrange(1, 60)
            answered.clear()
            process = start(tmp_path, server.url, 100, 0, 400, 16)
            answered.wait(30)
            process.kill()
            process.communicate()
            left = books_of(store, str(VERSION))
            abandoned = left.reservations
            again = {k for k, times in Counter(s.key for s in server.served).items() if times > 1}
            assert len(again) <= abandoned
            assert billed(server) <= (left.settled.plus(left.reserved)).picodollars / 1e12
        assert 0 < abandoned <= 16 * KILLS
        process = start(tmp_path, server.url, 100, 0, 400, 16)
        (out, err) = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert set(json.loads(out)["became"]) == {"an answer"}
        made_again = len(server.served) - 400
        assert 0 <= made_again <= abandoned
        released = asyncio.run(release_abandoned(store, VERSION))
        assert released.reservations == abandoned
        after = books_of(store, str(VERSION))
        assert (after.calls, after.reservations, after.reserved) == (400, 0, (0, 0, 0))


def test_what_a_killed_run_reserved_counts_until_it_is_given_up(tmp_path) -> None:
    with FaultServer(lambda body, seen: Fault(delay=10)) as server:
        process = start(tmp_path, server.url, 0.03, 0, 400, 16)
        while len(server.served) < 10:
            assert process.poll() is None
        process.kill()
        process.communicate()
        server.script = lambda body, seen: Fault()
        left = books_of(Store(tmp_path), str(VERSION))
        assert left.reservations >= 10
        cap = Budget(dollars=left.reserved.picodollars / 1e12)
        (found,), _ = ask_each(tmp_path, model(server.url), questions(1), cap)
        assert isinstance(found, BudgetReached)
        assert "release_abandoned" in str(found)
        asyncio.run(release_abandoned(Store(tmp_path), VERSION))
        (found,), _ = ask_each(tmp_path, model(server.url), questions(1), cap)
        assert isinstance(found, Answer)


def test_a_caller_that_is_left_gives_up_what_it_did_not_send(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(caller, "GRACE", 0.1)
    reserve = Records.reserve

    async def slow(*given):
        found = await reserve(*given)
        await asyncio.sleep(0.5)
        return found

    async def leave(url: str) -> None:
        async with asyncio.timeout(0.2):
            await each(tmp_path, model(url), questions(4), Budget(dollars=1))

    monkeypatch.setattr(Records, "reserve", slow)
    with FaultServer() as server:
        with pytest.raises(TimeoutError):
            asyncio.run(leave(server.url))
        assert books_of(Store(tmp_path), str(VERSION)) == Books()
        assert not server.served


def test_a_caller_that_is_left_pays_for_what_is_under_way(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(caller, "GRACE", 0.1)

    async def leave(url: str) -> None:
        async with asyncio.timeout(0.5):
            await each(tmp_path, model(url), questions(4), Budget(dollars=1))

    with FaultServer(lambda body, seen: Fault(delay=5)) as server:
        with pytest.raises(TimeoutError):
            asyncio.run(leave(server.url))
        spend = books_of(Store(tmp_path), str(VERSION))
        assert (spend.calls, spend.reservations) == (4, 0)
        assert spend.settled.tokens_out == 4 * 32
        assert spend.settled.picodollars / 1e12 >= billed(server) > 0
