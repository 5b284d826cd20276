"""Chats from the logged requests and responses of models."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import (
    column_type,
    json_text,
    misuse,
    require_new,
)
from dagster_project.operators.process.once import Once

MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
READ = pl.Struct({"messages": pl.List(MESSAGE), "model": pl.String, "ended": pl.String})
RULES = ("no_request", "no_answer")
ANSWERING = ("assistant", "tool_call")
SPOKEN = ("text", "input_text", "output_text")


class ReadExchanges(RowOperator):
    """Makes chats of what was asked of a model, and what it answered, as it was logged.

    A request and its response are objects, or texts of JSON, as one of these endpoints has them:

    | endpoint | messages | answer |
    |---|---|---|
    | OpenAI, chat completions (and vLLM, llama.cpp, Ollama, LiteLLM) | `messages` | the first of \
`choices` |
    | OpenAI, responses | `instructions`, `input` | `output` |
    | Anthropic, messages | `system`, `messages` | `content` |

    Of content in parts, the texts are taken; images, sounds and thinking are not. A call of a tool is a
    message with the role `tool_call`, JSON of `name` and `arguments`; what a tool gave back has the role
    `tool`. A developer's message is a system's. Streamed responses must have been put together before
    they were logged.

    Adds `into`, the chat; `model`, by the response or else the request; and `ended`, why the model
    stopped (`stop`, `length`, `end_turn`, …), in data, so that answers which were cut off can be left
    out by `filter_rows`. Removed are rows without a message of a user (`no_request`), and without an
    answer, such as an error's (`no_answer`). The columns of the log stay; leave them out with
    `map_columns`.

    It reads some 40,000 exchanges a CPU second.

    Example:
        - read_exchanges: {request: request_body, response: response_body}

    Raises:
        OperatorMisuse: when a column holds neither objects nor text, or a new one is there already.
    """

    request: str = Field(default="request", description="The column of requests.")
    response: str = Field(default="response", description="The column of responses.")
    into: str = Field(default="messages", min_length=1, description="Name of the new column.")
    prefix: str = Field(default="", description="Put before `model` and `ended`.")

    def reads(self) -> Sequence[str]:
        return [self.request, self.response]

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        said = []
        for column in self.reads():
            kind = column_type(self, schema, column)
            if not (kind == pl.String or isinstance(kind, pl.Struct)):
                raise misuse(self, column, kind, "objects, or texts of JSON")
            said.append(json_text(pl.col(column)) if kind.is_nested() else pl.col(column))
        names = {
            self.into: "messages",
            self._named("model"): "model",
            self._named("ended"): "ended",
        }
        for name in names:
            require_new(self, schema, name, "into" if name == self.into else "prefix")
        read = pl.struct(said[0].alias("request"), said[1].alias("response")).map_batches(
            Once(_read), return_dtype=READ
        )
        return {name: read.struct.field(part) for name, part in names.items()}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        roles = pl.col(self.into).list.eval(pl.element().struct.field("role"))
        told = roles.list.join(" ")
        return [
            Rule(RULES[0], roles.list.contains("user"), told, "a message of a user"),
            Rule(RULES[1], roles.list.last().is_in(ANSWERING), told, "an answer"),
        ]

    def _named(self, name: str) -> str:
        return self.prefix + name


class _Exchange(NamedTuple):
    messages: list[dict[str, str]]
    model: str | None
    ended: str | None


def _read(exchanges: pl.Series) -> pl.Series:
    logged = (exchanges.struct.field(name).to_list() for name in ("request", "response"))
    told = [_exchange(_object(one), _object(other)) for one, other in zip(*logged, strict=True)]
    said = [message for exchange in told for message in exchange.messages]
    ends = np.cumsum([0, *(len(exchange.messages) for exchange in told)])
    messages = pa.StructArray.from_arrays(
        [
            pa.array([each[name] for each in said], pa.large_string())
            for name in ("role", "content")
        ],
        ["role", "content"],
    )
    frame = pl.DataFrame(
        {
            "messages": pl.from_arrow(pa.LargeListArray.from_arrays(ends, messages)),
            "model": [exchange.model for exchange in told],
            "ended": [exchange.ended for exchange in told],
        },
        schema=dict(READ.to_schema()),
    )
    return frame.to_struct(exchanges.name)


def _object(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _exchange(request: Mapping[str, Any], response: Mapping[str, Any]) -> _Exchange:
    asked = []
    for role, name in (("system", "system"), ("system", "instructions")):
        if system := _text(request.get(name)):
            asked.append({"role": role, "content": system})
    given = request.get("messages", request.get("input"))
    asked += _messages([{"role": "user", "content": given}] if isinstance(given, str) else given)
    choices = response.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    if isinstance(first, dict):
        answer, ended = [first.get("message")], first.get("finish_reason")
    elif "output" in response:
        answer, ended = response["output"], response.get("status")
    else:
        answer = [{"role": "assistant", "content": response.get("content")}]
        ended = response.get("stop_reason")
    answered = _messages(answer)
    while asked and not answered and asked[-1]["role"] in ANSWERING:
        asked.pop()  # the beginning of an answer that was given to the model, and never went on
    model = response.get("model") or request.get("model")
    return _Exchange(asked + answered, _name(model), _name(ended))


def _messages(given: Any) -> list[dict[str, str]]:
    if not isinstance(given, list):
        return []
    return [told for message in given if isinstance(message, dict) for told in _told(message)]


def _told(message: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What a message, or an item of OpenAI's responses, says, in messages of one kind each."""
    kind, role = message.get("type"), _name(message.get("role")) or "assistant"
    role = {"developer": "system", "function": "tool"}.get(role, role)
    if kind == "function_call":
        yield _call(message.get("name"), message.get("arguments"))
        return
    if kind == "function_call_output":
        yield {"role": "tool", "content": _text(message.get("output")) or ""}
        return
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "tool_result":
            yield {"role": "tool", "content": _text(part.get("content")) or ""}
    if text := _text(content):
        yield {"role": role, "content": text}
    for part in parts:
        if isinstance(part, dict) and part.get("type") == "tool_use":
            yield _call(part.get("name"), part.get("input"))
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        called = call.get("function") if isinstance(call, dict) else None
        if isinstance(called, dict):
            yield _call(called.get("name"), called.get("arguments"))


def _call(name: Any, arguments: Any) -> dict[str, str]:
    if isinstance(arguments, str):
        with suppress(ValueError, RecursionError):
            arguments = json.loads(arguments)
    told = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return {"role": "tool_call", "content": told}


def _text(content: Any) -> str | None:
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return None
    parts = [part for part in content if isinstance(part, dict) and part.get("type") in SPOKEN]
    texts = [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return "\n\n".join(texts) if texts else None


def _name(value: Any) -> str | None:
    return value if isinstance(value, str) else None
