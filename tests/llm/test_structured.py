"""Answers of a schema: enforced or asked for, read leniently, mended, or refused."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_project.llm.refusal import ModelRefused
from dagster_project.llm.structured import _data, _NotOfSchema
from dagster_project.operators.calls import CallFailed
from tests.llm.asking import ask, ask_each, chat, model
from tests.llm.fault_server import Fault, FaultServer

SCHEMA = {
    "type": "object",
    "properties": {"grade": {"type": "integer", "minimum": 1, "maximum": 5}},
    "required": ["grade"],
    "additionalProperties": False,
}
ASKED = chat("grade this", json_schema=SCHEMA)


@pytest.mark.parametrize(
    "text",
    [
        '{"grade": 4}',
        '```json\n{"grade": 4}\n```',
        'Here it is:\n```\n{"grade": 4}\n```\nI hope it helps.',
        'Sure! {"grade": 4} is my verdict.',
        'Not {this}, nor {"grade": 9}, but {"grade": 4}.',
        '<think>[1, {"grade": 0}]</think>\n\n{"grade": 4}',
    ],
)
def test_a_value_is_found_in_what_surrounds_it(tmp_path, text: str) -> None:
    with FaultServer(lambda body, seen: Fault(text=text)) as server:
        answer = ask(tmp_path, model(server.url), ASKED)
    assert answer.data == {"grade": 4}
    assert answer.text == text
    assert server.served[0].body["response_format"]["json_schema"]["schema"] == SCHEMA


@given(st.text() | st.text(alphabet='{}[]",:\\ `1aNI\n'))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        value = _data(text, SCHEMA)
    except _NotOfSchema:
        return
    assert value["grade"] in range(1, 6)


@pytest.mark.parametrize(
    "text", ["{" * 50_000, "[" * 50_000, '{"grade": NaN}', '{"grade": ' + "9" * 5000 + "}"]
)
def test_hostile_text_is_refused(text: str) -> None:
    with pytest.raises(_NotOfSchema):
        _data(text, SCHEMA)


def wrong_then(text: str, good_after: int):
    def script(body, seen):
        asked_to_mend = sum(m["role"] == "assistant" for m in body["messages"])
        return Fault(text='{"grade": 4}' if asked_to_mend >= good_after else text)

    return script


def test_a_wrong_answer_is_mended_by_a_call_that_is_paid_and_recorded(tmp_path) -> None:
    with FaultServer(wrong_then('{"grade": 7}', 1)) as server:
        answer = ask(tmp_path, model(server.url), ASKED)
        assert answer.data == {"grade": 4}
        assert len(answer.calls) == 2
        mended = server.served[1].body["messages"]
        assert [message["role"] for message in mended] == ["user", "assistant", "user"]
        assert "at $.grade: 7 is greater than the maximum of 5" in mended[2]["content"]
        again, spend = ask_each(tmp_path, model(server.url), [ASKED])
        assert again == [answer]
        assert (spend.run.calls, spend.version.calls, spend.from_records) == (0, 2, 2)
        assert len(server.served) == 2


@pytest.mark.parametrize("repairs", [0, 2])
def test_an_answer_that_stays_wrong_is_invalid(tmp_path, repairs: int) -> None:
    with (
        FaultServer(wrong_then("no JSON here", 9)) as server,
        pytest.raises(CallFailed, match="no JSON") as failed,
    ):
        ask(tmp_path, model(server.url, repairs=repairs), ASKED)
    assert failed.value.kind == "invalid"
    assert len(failed.value.calls) == len(server.served) == repairs + 1


def test_a_repair_that_gets_no_answer_tells_what_was_paid(tmp_path) -> None:
    def script(body, seen):
        return Fault(text="no JSON") if len(body["messages"]) == 1 else Fault(500)

    with FaultServer(script) as server, pytest.raises(CallFailed) as failed:
        ask(tmp_path, model(server.url, retries=0), ASKED)
    assert failed.value.kind == "unavailable"
    assert [call.response for call in failed.value.calls] != []
    assert len(failed.value.calls) == 1


def test_an_answer_that_is_cut_off_is_not_mended(tmp_path) -> None:
    with FaultServer(lambda *_: Fault(text='{"gra', finish_reason="length")) as server:
        with pytest.raises(CallFailed, match="cut off at 32 tokens") as failed:
            ask(tmp_path, model(server.url), ASKED)
        assert (failed.value.kind, len(server.served)) == ("cut_off", 1)
        server.script = lambda *_: Fault(text='{"grade": 4}   ', finish_reason="length")
        assert ask(tmp_path, model(server.url), chat("b", json_schema=SCHEMA)).data == {"grade": 4}


def test_an_endpoint_that_enforces_no_schema_is_told_it(tmp_path) -> None:
    def script(body, seen):
        if "response_format" in body:
            told = {"message": "response_format is not supported", "param": "response_format"}
            return Fault(400, body=json.dumps({"error": told}).encode())
        return Fault(text='{"grade": 4}')

    with FaultServer(script) as server:
        questions = [chat(str(n), json_schema=SCHEMA) for n in range(5)]
        found, spend = ask_each(tmp_path, model(server.url, concurrent=1), questions)
        assert [one.data for one in found] == [{"grade": 4}] * 5
        assert len(server.served) == 6
        assert '"maximum":5' in server.served[1].body["messages"][0]["content"]
        assert spend.version.calls == 5
        found, spend = ask_each(tmp_path, model(server.url, concurrent=1), questions)
        assert spend.from_records == 5


def test_other_names_and_parameters_that_may_be_left_out(tmp_path) -> None:
    """As hosted reasoning models want it."""

    def script(body, seen):
        for name, said in (
            ("max_tokens", "Unsupported parameter: use 'max_completion_tokens' instead."),
            ("seed", "Unsupported parameter: 'seed' is not supported with this model."),
            ("top_p", "Unsupported parameter: 'top_p' is not supported with this model."),
        ):
            if name in body:
                return Fault(400, body=json.dumps({"error": {"message": said}}).encode())
        if body["temperature"] != 1:
            told = "Unsupported value: 'temperature' does not support 0 with this model."
            error = {"message": told, "param": "temperature", "code": "unsupported_value"}
            return Fault(400, body=json.dumps({"error": error}).encode())
        return Fault()

    with FaultServer(script) as server:
        assert ask(tmp_path, model(server.url), chat("a", temperature=1.0)).text == "an answer"
        sent = server.served[-1].body
        assert sorted(sent) == ["max_completion_tokens", "messages", "model", "temperature"]
        with pytest.raises(ModelRefused, match="takes no `temperature` of 0"):
            ask(tmp_path, model(server.url), chat("b", temperature=0.0))
        assert len(server.billed) == 1


def test_log_probabilities_that_do_not_come(tmp_path) -> None:
    with FaultServer() as server:
        asked = [chat(str(n), top_logprobs=2) for n in range(4)]
        found, _ = ask_each(tmp_path, model(server.url, concurrent=1), asked)
    assert all(isinstance(one, ModelRefused) and "log-prob" in str(one) for one in found)
    assert len(server.served) == 1


def test_calls_of_tools(tmp_path) -> None:
    call = {"id": "1", "function": {"name": "add", "arguments": '{"a": 1}'}}
    fault = Fault(text="", message={"content": None, "tool_calls": [call]}, finish_reason="stop")
    tool = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
    with FaultServer(lambda *_: fault) as server:
        answer = ask(tmp_path, model(server.url), chat("a", tools=(tool,)))
    assert answer.tool_calls == ({"name": "add", "arguments": {"a": 1}},)
    assert (answer.text, answer.finish_reason) == ("", "tool_calls")


def test_a_schema_that_is_none_is_refused_before_it_is_paid_for(tmp_path) -> None:
    with FaultServer() as server, pytest.raises(ModelRefused, match="JSON Schema"):
        ask(tmp_path, model(server.url), chat("a", json_schema={"type": 7}))
    assert not server.served
