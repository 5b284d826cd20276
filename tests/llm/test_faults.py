"""What becomes of calls that fail, in each way that they can."""

from __future__ import annotations

import socket
import time

import pytest

from dagster_project.llm.refusal import ModelRefused
from dagster_project.operators.calls import CallFailed
from tests.llm.asking import PRICES, ask, ask_each, chat, model
from tests.llm.fault_server import Fault, FaultServer

NOT_BILLED = [
    Fault(429),
    Fault(429, headers={"Retry-After": "0.01"}),
    Fault(500),
    Fault(503),
    Fault(408),
    Fault(409),
]
MAY_BE_BILLED = [
    Fault(body=b'{"choices": [', billed=True),
    Fault(body=b"<html>no</html>", billed=True),
    Fault(body=b"[1]", billed=True),
    Fault(body=b'{"choices": []}', billed=True),
    Fault(body=b'{"choices": [{"message": {"content": 7}}]}', billed=True),
    Fault(body=b'{"error": {"message": "overloaded"}}', billed=True),
    Fault(body=b"[" * 100_000, billed=True),
    Fault(cut_after=20),
    Fault(cut_after=0),
    Fault(delay=2.0),
    Fault(504),
    Fault(524),
]


def first(fault: Fault):
    return lambda body, seen: fault if seen == 0 else Fault()


@pytest.mark.parametrize("fault", NOT_BILLED)
def test_a_call_that_was_not_made_costs_nothing(tmp_path, fault: Fault) -> None:
    with FaultServer(first(fault)) as server:
        (answer,), spend = ask_each(tmp_path, model(server.url), [chat("a")])
    assert answer.text == "an answer"
    assert len(server.served) == 2
    assert (spend.run.calls, spend.run.reservations) == (1, 0)
    assert spend.run.dollars == pytest.approx(server.dollars(PRICES.input, PRICES.output))


@pytest.mark.parametrize("fault", MAY_BE_BILLED)
def test_a_call_that_may_be_billed_costs_its_worst(tmp_path, fault: Fault) -> None:
    with FaultServer(first(fault)) as server:
        (answer,), spend = ask_each(tmp_path, model(server.url, timeout=0.3), [chat("a")])
    assert answer.text == "an answer"
    assert len(answer.calls) == 1
    assert (spend.run.calls, spend.run.reservations) == (2, 0)
    assert spend.run.tokens_out == 32 + answer.calls[0].tokens_out
    assert spend.run.dollars >= server.dollars(PRICES.input, PRICES.output)


def test_no_answer_after_all_retries_is_no_answer(tmp_path) -> None:
    with FaultServer(lambda body, seen: Fault(500)) as server:
        with pytest.raises(CallFailed, match="after 3 tries: status 500") as failed:
            ask(tmp_path, model(server.url, retries=2), chat("a"))
        assert (failed.value.kind, failed.value.calls) == ("unavailable", ())
        server.script = lambda body, seen: Fault()
        assert ask(tmp_path, model(server.url), chat("a")).text == "an answer"


def test_nobody_listens(tmp_path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        (failed,), spend = ask_each(tmp_path, model(url, retries=1), [chat("a")])
    assert isinstance(failed, CallFailed) and failed.kind == "unavailable"
    assert (spend.run.calls, spend.run.reservations) == (0, 0)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Fault(401), "THE_KEY"),
        (Fault(403), "THE_KEY"),
        (Fault(404), "no model 'm'"),
        (Fault(307, headers={"Location": "http://elsewhere.test/"}), "elsewhere"),
        (Fault(402), "no credit"),
        (Fault(429, body=b'{"error": {"code": "insufficient_quota"}}'), "no credit"),
    ],
)
def test_what_no_other_call_would_mend_ends_the_run(tmp_path, monkeypatch, fault, said) -> None:
    monkeypatch.setenv("THE_KEY", "sk-1234567890abcdef")
    with FaultServer(lambda body, seen: fault) as server:
        declared = model(server.url, key="THE_KEY")
        (found, *_), spend = ask_each(tmp_path, declared, [chat(str(n)) for n in range(3)])
    assert isinstance(found, ModelRefused) and said in str(found)
    assert (spend.run.calls, spend.run.reservations) == (0, 0)
    assert len(server.served) <= 3


@pytest.mark.parametrize("status", [400, 413, 422])
def test_a_question_that_is_turned_down_is_refused_alone(tmp_path, status: int) -> None:
    def script(body, seen):
        return Fault(status) if "bad" in body["messages"][0]["content"] else Fault()

    with FaultServer(script) as server:
        (bad, good), spend = ask_each(tmp_path, model(server.url), [chat("bad"), chat("good")])
    assert isinstance(bad, CallFailed) and bad.kind == "refused"
    assert good.text == "an answer"
    assert spend.run.calls == 1


REFUSALS = [
    (Fault(text="", message={"content": None, "refusal": "no, I will not"}), "refused"),
    (Fault(text="half an", finish_reason="content_filter"), "refused"),
    (Fault(text=""), "invalid"),
    (Fault(text="", message={"content": None}), "invalid"),
    (Fault(text="", finish_reason="length"), "cut_off"),
    (
        Fault(message={"tool_calls": [{"function": {"name": "f", "arguments": "{"}}]}),
        "invalid",
    ),
]


@pytest.mark.parametrize(("fault", "kind"), REFUSALS)
def test_an_answer_that_is_none_is_paid_for_once_and_stays_none(tmp_path, fault, kind) -> None:
    with FaultServer(lambda body, seen: fault) as server:
        for _ in range(2):
            (failed,), spend = ask_each(tmp_path, model(server.url), [chat("a")])
            assert isinstance(failed, CallFailed)
            assert failed.kind == kind
            assert len(failed.calls) == 1
            assert spend.version.calls == 1
        assert len(server.served) == 1


def test_a_key_that_an_endpoint_repeats_is_kept_out(tmp_path, monkeypatch) -> None:
    key = "hush-hush-12345"
    monkeypatch.setenv("THE_KEY", key)

    def script(body, seen):
        if seen == 0:
            return Fault(400, body=f'{{"error": {{"message": "key {key} broke"}}}}'.encode())
        return Fault(text=f"your key is {key}")

    with FaultServer(script) as server:
        declared = model(server.url, key="THE_KEY")
        (failed,), _ = ask_each(tmp_path, declared, [chat("a")])
        (answer,), _ = ask_each(tmp_path, declared, [chat("a")])
        assert server.served[0].headers["authorization"] == f"Bearer {key}"
    assert key not in f"{failed!r} {failed} {answer}"
    assert isinstance(failed, CallFailed) and "broke" in str(failed)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"your key is" in stored and key.encode() not in stored


def test_nothing_is_told_of_this_machine(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-this-endpoint")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-not-for-this-endpoint")
    with FaultServer() as server:
        ask(tmp_path, model(server.url), chat("a"))
        (served,) = server.served
    assert sorted(served.headers) == [
        "", "accept", "accept-encoding", "content-length", "content-type", "host", "user-agent",
    ]  # fmt: skip
    assert served.headers["user-agent"] == "seedbed"


def test_the_endpoint_is_given_the_rest_that_it_asks_for(tmp_path) -> None:
    fault = Fault(429, headers={"Retry-After": "0.4"})
    with FaultServer(first(fault)) as server:
        began = time.monotonic()
        ask(tmp_path, model(server.url), chat("a"))
        assert 0.4 <= time.monotonic() - began < 2


def test_too_much_at_once_is_halved_and_never_fails_a_question(tmp_path) -> None:
    with FaultServer() as server:

        def script(body, seen):
            return Fault(429) if server.at_once >= 4 else Fault(delay=0.005)

        server.script = script
        questions = [chat(str(n)) for n in range(100)]
        found, spend = ask_each(tmp_path, model(server.url, retries=0), questions[:1])
        found, spend = ask_each(tmp_path, model(server.url, retries=5), questions)
    assert {getattr(one, "text", repr(one)) for one in found} == {"an answer"}
    assert spend.version.calls == 100
    turned_away = sum(each.fault.status == 429 for each in server.served)
    assert turned_away < 200


def test_calls_a_minute(tmp_path) -> None:
    with FaultServer() as server:
        declared = model(server.url, requests_per_minute=600)
        began = time.monotonic()
        ask_each(tmp_path, declared, [chat(str(n)) for n in range(16)])
        assert 0.4 <= time.monotonic() - began < 2
