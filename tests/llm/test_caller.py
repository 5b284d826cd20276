"""What is refused before it costs, what makes a request the same, and what is asked once."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import pytest

from dagster_project.llm.caller import Caller
from dagster_project.llm.refusal import ModelRefused, NotRecorded
from dagster_project.llm.request import request
from dagster_project.operators.calls import CallFailed, ModelCall, Question
from dagster_project.recipe.models import Budget, Model, Prices
from dagster_project.warehouse.store import Store
from tests.llm.asking import VERSION, ask, ask_each, chat, model
from tests.llm.fault_server import Fault, FaultServer

AWAY = "http://models.test/v1"


def refused(store: Path, declared: Model, budget: Budget | None, question=None) -> str:
    with pytest.raises(ModelRefused) as error:
        ask(store, declared, question or chat("a"), budget)
    return str(error.value)


def test_a_name_that_is_no_model(tmp_path) -> None:
    question = replace(chat("a"), model="jugde")

    async def asked() -> None:
        async with Caller(VERSION, {"judge": model(AWAY)}, None, Store(tmp_path)) as caller:
            await caller.ask(question)

    with pytest.raises(ModelRefused, match=r"no model 'jugde'.*did you mean 'judge'"):
        asyncio.run(asked())


def test_a_key_that_is_not_set(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("SOME_KEY", raising=False)
    told = refused(tmp_path, model(AWAY, key="SOME_KEY"), Budget(dollars=1))
    assert "environment variable SOME_KEY" in told


def test_a_price_that_is_not_known(tmp_path) -> None:
    told = refused(tmp_path, model(AWAY, prices=None), Budget(dollars=1))
    assert "what 'm' costs" in told and "prices: {input: …, output: …}" in told
    with FaultServer() as server:
        here = server.url.replace("127.0.0.1", "localhost")
        ask(tmp_path, model(here, prices=None), chat("a"), None)


def test_a_model_that_costs_and_no_limit(tmp_path) -> None:
    for budget in (None, Budget(rows=5)):
        assert "no limit for it" in refused(tmp_path, model(AWAY), budget)


def test_questions_that_cannot_be_sent(tmp_path) -> None:
    image = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}
    with FaultServer() as server:
        for question in (Question("m"), Question("m", (image,)), replace(chat("a"), prompt="b")):
            assert "was asked with" in refused(tmp_path, model(server.url), None, question)
        with pytest.raises(CallFailed, match="no valid Unicode"):
            ask(tmp_path, model(server.url), chat("half of a pair: \ud800"))
        assert not server.served


def test_what_can_change_an_answer_is_in_the_hash_and_nothing_else() -> None:
    def of(question: Question, declared: Model) -> str:
        return request(question, declared.model or "", declared.identity).hash

    plain, declared = chat("a"), model("http://one.test/v1")
    changed = {
        "messages": ({"role": "user", "content": "b"},),
        "max_tokens": 33,
        "temperature": 0.5,
        "top_p": 0.5,
        "stop": ("\n",),
        "json_schema": {},
        "tools": ({"type": "function"},),
        "top_logprobs": 1,
        "sample": 1,
    }
    hashes = [of(plain, declared)] + [
        of(replace(plain, **{name: value}), declared) for name, value in changed.items()
    ]
    hashes.append(of(replace(plain, messages=(), prompt="a"), declared))
    hashes.append(of(plain, model("http://two.test/v1")))
    hashes.append(of(plain, model("http://one.test/v1", model="other")))
    assert len(set(hashes)) == len(hashes)
    told = {each.name for each in fields(Question)} - {"model", "purpose", "prompt"}
    assert told == set(changed)
    same = model(
        "http://one.test/v1", key="OTHER", retries=1, timeout=1, prices=Prices(input=0, output=0),
        concurrent=1, requests_per_minute=1, tokens_per_minute=1, repairs=0, licence="MIT",
    )  # fmt: skip
    assert of(replace(plain, model="n", purpose="judging", temperature=0), same) == hashes[0]
    assert hashes[0] == "0bdc75b5318707bef7b265b1399b9d9139e0259f113b919d97064961ed5bd8f1"


def test_equal_questions_are_asked_once_and_other_purposes_told_apart(tmp_path) -> None:
    with FaultServer(lambda *_: Fault(delay=0.05)) as server:
        asked = [chat("a"), chat("a"), chat("a", purpose="judging")]
        (one, two, judged), spend = ask_each(tmp_path, model(server.url), asked)
    assert one == two
    assert (spend.run.calls, spend.from_records, len(server.served)) == (1, 2, 1)
    assert judged.calls == (replace(one.calls[0], purpose="judging"),)


def test_a_recorded_answer_is_the_same_and_needs_neither_key_nor_endpoint(tmp_path) -> None:
    with FaultServer(lambda *_: Fault(text="Füße \N{PILE OF POO} \0 \\ud800 ok")) as server:
        first = ask(tmp_path, model(server.url), chat("grüße"))
        (call,) = first.calls
        url = server.url
    again = ask(tmp_path, model(url, key="NOT_SET_AT_ALL"), chat("grüße"), None, replay_only=True)
    assert again == first
    assert isinstance(call, ModelCall) and (call.model, call.provider) == ("m", url)
    assert call.prompt == '[{"content":"grüße","role":"user"}]'
    with pytest.raises(NotRecorded, match="generation is not in the records"):
        ask(tmp_path, model(url), chat("b"), None, replay_only=True)


def test_one_of_those_who_wait_can_leave(tmp_path) -> None:
    async def asked(url: str):
        async with Caller(VERSION, {"m": model(url)}, Budget(dollars=1), Store(tmp_path)) as caller:
            leaving = asyncio.create_task(caller.ask(chat("a")))
            staying = asyncio.create_task(caller.ask(chat("a")))
            await asyncio.sleep(0.05)
            leaving.cancel()
            return await staying

    with FaultServer(lambda *_: Fault(delay=0.2)) as server:
        assert asyncio.run(asked(server.url)).text == "an answer"
        assert len(server.served) == 1


def test_no_more_at_once_than_the_recipe_says(tmp_path) -> None:
    with FaultServer(lambda *_: Fault(delay=0.02)) as server:
        ask_each(tmp_path, model(server.url, concurrent=3), [chat(str(n)) for n in range(20)])
        assert server.most_at_once == 3
