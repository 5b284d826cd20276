"""What an operator may ask for beyond its rows: a model's answer, a program's outcome.

Operators say what they want to know as plain values; the runner answers. It answers what it was asked
before from its records, so that the same run gives the same rows, and nothing is paid for twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from dagster_project.errors import SeedbedError

Purpose = Literal["generation", "verification", "judging", "annotation"]


@dataclass(frozen=True)
class Question:
    """One request to a model.

    Attributes:
        model: its name among the recipe's `models`.
        messages: the chat so far, as mappings with `role` and `content`.
        prompt: text to go on from, instead of `messages`.
        purpose: what the answer is for; spend is told apart by it.
        max_tokens: the longest answer, in the model's tokens.
        temperature: 0 for the likeliest answer.
        top_p: share of probability that is drawn from.
        stop: texts at which the answer ends.
        json_schema: the answer is a JSON value of this schema.
        tools: function definitions that the answer may call, in OpenAI's form.
        top_logprobs: for each token of the answer, so many likeliest ones; 0 for none.
        sample: tells apart several answers to one question.
    """

    model: str
    messages: tuple[Mapping[str, Any], ...] = ()
    prompt: str | None = None
    purpose: Purpose = "generation"
    max_tokens: int = 512
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    top_logprobs: int = 0
    sample: int = 0


@dataclass(frozen=True)
class Answer:
    """What a model answered.

    Attributes:
        text: as it came; empty where it only calls tools.
        finish_reason: `stop`, `length` (cut off at `max_tokens`) or `tool_calls`.
        data: the JSON value, where a schema was given; it is valid.
        tool_calls: calls of tools as mappings with `name` and `arguments` (a mapping).
        logprobs: one for each token, in OpenAI's form, where they were asked for.
        calls: the paid calls that it took: one, and one for each time that it had to be mended.
    """

    text: str
    finish_reason: str
    data: Any = None
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    logprobs: tuple[Mapping[str, Any], ...] = ()
    calls: tuple[ModelCall, ...] = field(default=(), repr=False)


@dataclass(frozen=True)
class ModelCall:
    """The record of a paid call; the same whether it was made now or answered from the records.

    Attributes:
        request_hash: identity of the request: what was sent, and to which model.
        purpose: as in the question.
        model: as the provider calls it.
        provider: where it was served: a base URL, or `embedded`.
        sampling: the other parameters, as JSON.
        prompt: the messages as JSON, or the text that was sent.
        response: what came back, as JSON.
        finish_reason: as the provider said.
        tokens_in, tokens_out: what was billed.
        dollars: what it cost when it was made.
        seconds: how long it took when it was made.
    """

    request_hash: str
    purpose: str
    model: str
    provider: str
    sampling: str
    prompt: str
    response: str
    finish_reason: str
    tokens_in: int
    tokens_out: int
    dollars: float
    seconds: float


@dataclass(frozen=True)
class Program:
    """A program to run where it can do no harm: no network, no files but its own, an empty environment.

    Attributes:
        files: contents of the files in its folder, by relative path.
        command: what to run, with arguments, in that folder; `python` is this interpreter.
        stdin: what it reads.
        seconds: the longest it may take.
        memory_mb: the most memory it may have, in MiB.
        processes: the most processes and threads at once.
        output_bytes: what is kept of each of its outputs.
    """

    files: Mapping[str, str]
    command: tuple[str, ...]
    stdin: str = ""
    seconds: float = 10.0
    memory_mb: int = 512
    processes: int = 16
    output_bytes: int = 65_536


@dataclass(frozen=True)
class Outcome:
    """What became of a program.

    Attributes:
        exit_code: None where it was ended from outside.
        ended_by: the limit that ended it: `seconds`, `memory`, `output` or `signal N`; None if none did.
        stdout, stderr: its outputs, as UTF-8 with what is not replaced.
        seconds: how long it took.
    """

    exit_code: int | None
    ended_by: str | None
    stdout: str
    stderr: str
    seconds: float


class CallFailed(SeedbedError):
    """A call that has no usable answer.

    Args:
        kind: `refused` (the model or its provider declined), `cut_off` (no room for the whole answer),
            `invalid` (not of the schema), `unavailable` (no answer after all retries), or `unsafe` (a
            program could not be isolated).
        message: what happened.
        calls: the paid calls that it took all the same.
    """

    def __init__(self, kind: str, message: str, calls: tuple[ModelCall, ...] = ()) -> None:
        super().__init__(message)
        self.kind, self.calls = kind, calls


class Calls(Protocol):
    """What a runner answers. Many calls may wait at once."""

    async def ask(self, question: Question) -> Answer:
        """Ask a model.

        Raises:
            CallFailed: when there is no usable answer.
        """
        ...

    async def run(self, program: Program) -> Outcome:
        """Run a program.

        Raises:
            CallFailed: when it cannot be isolated on this machine.
        """
        ...
