"""An answer from what came back: read, and mended where it is not what was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from dagster_project.identity import canonical_json
from dagster_project.llm.refusal import ModelRefused
from dagster_project.llm.request import CHAT, COMPLETION
from dagster_project.llm.response import Response, read
from dagster_project.operators.calls import Answer, CallFailed, ModelCall, Question

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

FENCED = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\n(.*?)```", re.S)
MOST_TRIES = 64
"""Places in an answer at which a JSON value is looked for."""

LONGEST_PROBLEM = 300
REPAIR = (
    "That is not what was asked for: {problem}. Answer again, with a JSON value that conforms to this "
    "JSON Schema, and with nothing else:\n{schema}"
)

FINISHED = {"length": "length", "max_tokens": "length", "tool_calls": "tool_calls"}
"""What providers call the ends of answers; all other ends are `stop`."""


class _NotOfSchema(Exception):
    pass


async def answered(
    question: Question, call: Callable[[Question], Awaitable[ModelCall]], repairs: int
) -> Answer:
    """The answer to a question.

    Args:
        question: what is asked.
        call: makes a paid call, or finds it in the records.
        repairs: how often the model is asked to mend an answer that is not of its schema.

    Raises:
        CallFailed: when there is no usable answer.
        ModelRefused: when the schema is none.
    """
    if question.json_schema is not None:
        _validator(canonical_json(question.json_schema))
    calls: list[ModelCall] = []
    while True:
        try:
            calls.append(await call(question))
        except CallFailed as error:
            raise CallFailed(error.kind, str(error), (*calls, *error.calls)) from None
        response = read(
            json.loads(calls[-1].response), CHAT if question.prompt is None else COMPLETION
        )
        answer = _answer(response, question, tuple(calls))
        if question.json_schema is None:
            return answer
        try:
            return replace(answer, data=_data(answer.text, question.json_schema))
        except _NotOfSchema as error:
            if answer.finish_reason == "length":
                raise CallFailed(
                    "cut_off",
                    f"the answer was cut off at {question.max_tokens:,} tokens",
                    tuple(calls),
                ) from None
            if len(calls) > repairs or question.prompt is not None:
                raise CallFailed("invalid", str(error), tuple(calls)) from None
            question = _repair(question, answer.text, str(error))


def _answer(response: Response, question: Question, calls: tuple[ModelCall, ...]) -> Answer:
    """The answer that a response holds.

    Raises:
        CallFailed: when it holds none.
    """
    finish = "tool_calls" if response.tool_calls else FINISHED.get(response.finish_reason, "stop")
    if response.refusal or response.finish_reason == "content_filter":
        told = response.refusal or "the provider's content filter stopped it"
        raise CallFailed("refused", f"refused: {told[:LONGEST_PROBLEM]}", calls)
    tools = []
    for name, arguments in response.tool_calls:
        try:
            value = json.loads(arguments, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            value = None
        if not isinstance(value, Mapping):
            if response.finish_reason in ("length", "max_tokens"):
                raise CallFailed("cut_off", f"the call of tool {name!r} was cut off", calls)
            raise CallFailed(
                "invalid", f"the arguments for tool {name!r} are no JSON object", calls
            )
        tools.append({"name": name, "arguments": value})
    if not response.text and not tools and not response.logprobs:
        if finish == "length":
            raise CallFailed(
                "cut_off", f"nothing was said within {question.max_tokens:,} tokens", calls
            )
        raise CallFailed("invalid", "the model said nothing", calls)
    return Answer(
        response.text,
        finish,
        None,
        tuple(tools),
        response.logprobs if question.top_logprobs else (),
        calls,
    )


def _data(text: str, schema: Mapping[str, Any]) -> Any:
    """The first JSON value in a text that is of a schema.

    Raises:
        _NotOfSchema: telling what is wrong with the text, or with the first value in it.
    """
    validator = _validator(canonical_json(schema))
    problem = None
    for value in _values(text):
        error = _problem(validator, value)
        if error is None:
            return value
        problem = problem or error
    raise _NotOfSchema(problem or "the answer is no JSON")


def _values(text: str) -> Iterator[Any]:
    """JSON values in a text: the whole of it, what is in code fences, what stands in prose."""
    for piece in (text, *FENCED.findall(text)):
        try:
            yield json.loads(piece, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            continue
    decoder, at = json.JSONDecoder(parse_constant=_no_constant), 0
    for _ in range(MOST_TRIES):
        start = re.compile(r"[{\[]").search(text, at)
        if start is None:
            return
        try:
            value, at = decoder.raw_decode(text, start.start())
        except (ValueError, RecursionError):
            at = start.end()
        else:
            yield value


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _problem(validator: Validator, value: Any) -> str | None:
    from jsonschema.exceptions import best_match

    try:
        error = best_match(validator.iter_errors(value))
    except RecursionError:
        return "it is nested too deep"
    if error is None:
        return None
    return f"at {error.json_path}: {error.message}"[:LONGEST_PROBLEM]


@lru_cache(maxsize=256)
def _validator(schema: str) -> Validator:
    from jsonschema import exceptions, validators
    from referencing import Registry

    declared = json.loads(schema)
    kind = validators.validator_for(declared, default=validators.Draft202012Validator)
    try:
        kind.check_schema(declared)
    except exceptions.SchemaError as error:
        raise ModelRefused(
            f"the JSON Schema of an answer is none: at {error.json_path}: {error.message}"
        ) from None
    return kind(declared, registry=Registry())


def _repair(question: Question, said: str, problem: str) -> Question:
    """The question whether the model would mend its answer."""
    schema = canonical_json(question.json_schema)
    messages = (
        *question.messages,
        {"role": "assistant", "content": said},
        {"role": "user", "content": REPAIR.format(problem=problem, schema=schema)},
    )
    return replace(question, messages=messages)
