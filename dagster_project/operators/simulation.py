"""The contract of simulations: generators that let somebody act in a world, and write it down.

A simulation is a class in a Python file beside a recipe. Simulators that cannot be such a class, or that
ran already, leave trajectories behind; a recipe reads those as `files`, or through a function that turns
the simulator's own form into rows:

    inputs:
      logs: {python: trajectories.py:read, params: {path: logs/till.jsonl}, licence: CC0-1.0}
    steps:
      - filter_chat_structure: {column: messages}
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import OperatorMisuse
from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import (
    Candidate,
    Generator,
    Motive,
    Origin,
    Rejection,
    Row,
)
from dagster_project.operators.synthesize.asking.tool_definitions import (
    MISSING_ARGUMENT,
    UNKNOWN_TOOL,
    WRONG_ARGUMENT,
    Tools,
    wrong_call,
)

UNANSWERED_CALL = "unanswered_call"

_TEXT = pl.String()
_CALL = pl.Struct(
    {"id": _TEXT, "type": _TEXT, "function": pl.Struct({"name": _TEXT, "arguments": _TEXT})}
)
MESSAGE = pl.Struct(
    {"role": _TEXT, "content": _TEXT, "tool_calls": pl.List(_CALL), "tool_call_id": _TEXT}
)
"""A message in OpenAI's form; arguments are JSON text."""

FIELDS = frozenset(field.name for field in MESSAGE.fields)


@dataclass(frozen=True)
class Trajectory:
    """What happened in an episode.

    Attributes:
        messages: the chat in OpenAI's form; what a message does not have may be left out.
        initial_state: the world before, as a JSON value: enough to play the calls again.
        final_state: the world after; what an answer can be checked against.
        events: what happened of its own accord, by name, such as `card_declined`.
        values: further columns, as `columns` says.
        rejection: why it goes no further.
    """

    messages: Sequence[Mapping[str, Any]]
    initial_state: Any
    final_state: Any
    events: Sequence[str] = ()
    values: Row = field(default_factory=dict)
    rejection: Rejection | None = None


class Transcript:
    """Writes down a chat with calls of tools, in OpenAI's form."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self._calls = 0

    def say(self, role: str, content: str) -> None:
        """Somebody says something."""
        self.messages.append({"role": role, "content": content})

    def call(self, tool: str, arguments: Mapping[str, Any], result: Any) -> None:
        """The assistant calls a tool, and the tool answers with a JSON value."""
        name = f"call_{self._calls}"
        self._calls += 1
        function = {"name": tool, "arguments": as_json(arguments)}
        made = {"id": name, "type": "function", "function": function}
        self.messages += [
            {"role": "assistant", "content": None, "tool_calls": [made]},
            {"role": "tool", "content": as_json(result), "tool_call_id": name},
        ]


class Simulation(Generator):
    """Base of simulations. A subclass beside a recipe says which `tools` there are, and what happens in
    an `episode`; everything else is done here.

    New rows have `messages` and `tools` as in OpenAI's API (`tools` as JSON), `initial_state` and
    `final_state` as JSON with sorted names, so that equal states are equal texts, and `events`. Rules
    turn down what a model should not learn:

    | rule | when |
    |---|---|
    | `unknown_tool` | a tool is called that is not there |
    | `missing_argument`, `wrong_argument` | a call's arguments are not as the tool's schema says |
    | `unanswered_call` | a call has no answer right after it, or an answer no call |

    A call may be valid and fail all the same, as an article that is sold out: the tool answers with an
    error, and what the assistant makes of it is part of the lesson. Rare events are the point of a
    simulation: give them rates of their own, say in `events` which of them happened, and balance the
    rows by that.

    Example:
        generate: {simulate_till: {rates: {card_declined: 0.4}}}
        rows: 200

    Raises:
        OperatorMisuse: when a message of an episode has a field that messages do not have.
        ToolsBroken: when a tool's definition is none.
    """

    origin: ClassVar[Origin] = "synthesised"
    rule_names: ClassVar[tuple[str, ...]] = (
        *(UNKNOWN_TOOL, MISSING_ARGUMENT, WRONG_ARGUMENT, UNANSWERED_CALL),
    )
    libraries: ClassVar[tuple[str, ...]] = ("jsonschema",)

    motive: Motive = Field(default="coverage", description="What the new rows are for.")

    def tools(self) -> Sequence[Mapping[str, Any]]:
        """Function definitions in OpenAI's form."""
        raise NotImplementedError

    async def episode(self, seed: Row | None, draw: Random, calls: Calls) -> Trajectory:
        """Play one episode.

        Args:
            seed: the row that it starts from; None where `seeds()` is 0.
            draw: chance; nothing else may be left to chance, nor to the clock.
            calls: models and programs, for a user or an assistant that is one.
        """
        raise NotImplementedError

    def columns(self) -> pl.Schema:
        """Columns of its own besides."""
        return pl.Schema()

    def seeds(self) -> int:
        return 0

    def produces(self, seeds: pl.Schema) -> pl.Schema:
        return pl.Schema(
            {
                "messages": pl.List(MESSAGE),
                "tools": pl.String(),
                "initial_state": pl.String(),
                "final_state": pl.String(),
                "events": pl.List(pl.String()),
                **self.columns(),
            }
        )

    async def attempt(
        self, seeds: Sequence[Row], draw: Random, calls: Calls
    ) -> Sequence[Candidate]:
        played = await self.episode(seeds[0] if seeds else None, draw, calls)
        tools = Tools.of(self.tools())
        messages = [self._message(message) for message in played.messages]
        values = {
            **played.values,
            "messages": messages,
            "tools": tools.as_json(),
            "initial_state": as_json(played.initial_state),
            "final_state": as_json(played.final_state),
            "events": list(played.events),
        }
        return [Candidate(values, played.rejection or _wrong_calls(messages, tools))]

    def _message(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """A message with all fields.

        Raises:
            OperatorMisuse: when it has a field that messages do not have.
        """
        if unknown := sorted(set(message) - FIELDS):
            raise OperatorMisuse(
                f"{self.operator_name()}: a message of an episode has `{unknown[0]}`; it may have "
                f"{', '.join(sorted(FIELDS))}"
            )
        return {name: message.get(name) for name in (field.name for field in MESSAGE.fields)}


def as_json(value: Any) -> str:
    """A JSON value as text; equal values are equal texts."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _wrong_calls(messages: Sequence[Mapping[str, Any]], tools: Tools) -> Rejection | None:
    """What is wrong with the calls of a chat: the first thing."""
    waiting: list[str] = []
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return Rejection(
                    UNANSWERED_CALL, f"an answer to {message['tool_call_id']}", "a call"
                )
            waiting.remove(message["tool_call_id"])
            continue
        if waiting:
            break
        for call in message["tool_calls"] or ():
            function = call["function"]
            try:
                arguments = json.loads(function["arguments"])
            except (TypeError, ValueError) as error:
                told = f"{function['name']}: {error}"
                return Rejection(WRONG_ARGUMENT, told, "a JSON object")
            if wrong := wrong_call({"name": function["name"], "arguments": arguments}, tools):
                return Rejection(*wrong)
            waiting.append(call["id"])
    return Rejection(UNANSWERED_CALL, ", ".join(waiting), "an answer") if waiting else None
