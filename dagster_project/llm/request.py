"""A question as a request: its body in one spelling, and its identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dagster_project.identity import canonical_json, digest
from dagster_project.llm.refusal import ModelRefused
from dagster_project.operators.calls import CallFailed, Question

CHAT, COMPLETION = "/chat/completions", "/completions"


@dataclass(frozen=True)
class Request:
    """What a question asks of a model.

    Attributes:
        path: where it goes, after the base URL.
        body: what it says. An endpoint that rejects a part of it is sent another form of the same.
        hash: digest of the model's identity and of everything that can change the answer. Keys, prices,
            rates, time limits and numbers of retries are no part of it.
    """

    path: str
    body: Mapping[str, Any]
    hash: str

    @cached_property
    def prompt(self) -> str:
        """The text that is to be continued, or the messages as JSON."""
        if self.path == COMPLETION:
            return self.body["prompt"]
        return canonical_json(self.body["messages"])

    @property
    def tokens(self) -> int:
        """How many tokens it takes, in and out, roughly."""
        return len(self.prompt) // 4 + self.body["max_tokens"]

    @property
    def sampling(self) -> str:
        """Everything else that it says, as JSON."""
        said = ("model", "messages", "prompt")
        return canonical_json({key: self.body[key] for key in self.body if key not in said})


def request(question: Question, served_as: str, identity: Mapping[str, Any]) -> Request:
    """The request that a question makes.

    Args:
        question: what is asked.
        served_as: the model's name at its provider.
        identity: what can change the model's answers.

    Raises:
        CallFailed: `invalid`, when a text of it is no Unicode.
        ModelRefused: when it has no text, two, or more than text.
    """
    body: dict[str, Any] = {"model": served_as}
    if (question.prompt is None) == (not question.messages):
        raise ModelRefused(
            f"model {question.model!r} was asked with {'both' if question.messages else 'neither'} "
            "`messages` and `prompt`; a question has one of them"
        )
    if question.prompt is None:
        path = CHAT
        body["messages"] = [dict(message) for message in question.messages]
        _require_text(question)
    else:
        path = COMPLETION
        body["prompt"] = question.prompt
    body["max_tokens"] = question.max_tokens
    body["temperature"] = float(question.temperature)
    body["top_p"] = float(question.top_p)
    body["seed"] = question.sample
    if question.stop:
        body["stop"] = list(question.stop)
    if question.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": dict(question.json_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    if question.tools:
        body["tools"] = [dict(tool) for tool in question.tools]
    if question.top_logprobs and path == CHAT:
        body |= {"logprobs": True, "top_logprobs": question.top_logprobs}
    elif question.top_logprobs:
        body["logprobs"] = question.top_logprobs
    try:
        return Request(path, body, digest(["request", identity, path, body]))
    except UnicodeEncodeError as error:
        raise CallFailed(
            "invalid", f"the question is no valid Unicode text: {error.reason}"
        ) from None


def _require_text(question: Question) -> None:
    for message in question.messages:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else ()
        if any(not isinstance(part, Mapping) or part.get("type") != "text" for part in parts):
            raise ModelRefused(
                f"model {question.model!r} was asked with more than text; only text can be sent"
            )
