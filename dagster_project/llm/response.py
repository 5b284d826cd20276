"""What a response of an endpoint says, in OpenAI's form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster_project.llm.request import COMPLETION


class Malformed(Exception):
    """A response that is not in the form that was asked for."""


@dataclass(frozen=True)
class Response:
    """The parts of a response that matter.

    Attributes:
        text: what the model wrote; empty where it only calls tools.
        finish_reason: as the provider said.
        refusal: what the model or its provider said in place of an answer.
        tool_calls: calls of tools, with `name` and `arguments` (as text).
        logprobs: one for each token.
        hidden: further text that was paid for, such as reasoning.
    """

    text: str
    finish_reason: str
    refusal: str | None
    tool_calls: tuple[tuple[str, str], ...]
    logprobs: tuple[Mapping[str, Any], ...]
    hidden: str

    @property
    def written(self) -> int:
        """UTF-8 bytes of all that the model wrote."""
        parts = (self.text, self.hidden, self.refusal or "", *(a for _, a in self.tool_calls))
        return sum(len(part.encode()) for part in parts)


def parsed(content: bytes) -> dict[str, Any]:
    """The JSON object of a response.

    Raises:
        Malformed: when it is none.
    """
    try:
        body = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"its body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise Malformed("its body is no JSON object")
    return body


def read(body: Mapping[str, Any], path: str) -> Response:
    """Read a response.

    Args:
        body: its JSON.
        path: where the request went.

    Raises:
        Malformed: when it holds no answer in the form of that path.
    """
    if isinstance(body.get("error"), Mapping | str):
        raise Malformed(f"it holds an error: {body['error']}")
    choices = body.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise Malformed("it has no `choices`")
    choice = choices[0]
    reason = choice.get("finish_reason")
    finish_reason = reason if isinstance(reason, str) else ""
    logprobs = _logprobs(choice.get("logprobs"))
    if path == COMPLETION:
        if not isinstance(choice.get("text"), str):
            raise Malformed("its choice has no `text`")
        return Response(_clean(choice["text"]), finish_reason, None, (), logprobs, "")
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Malformed("its choice has no `message`")
    content, refusal = _text(message.get("content")), _text(message.get("refusal")) or None
    hidden = _text(message.get("reasoning_content")) or _text(message.get("reasoning"))
    tools = _tool_calls(message.get("tool_calls"))
    return Response(content, finish_reason, refusal, tools, logprobs, hidden)


def _text(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return _clean(content)
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return _clean("".join(part for part in parts if isinstance(part, str)))
    raise Malformed("its message is no text")


def _clean(text: str) -> str:
    """Text with `?` for halves of surrogate pairs, which no column can hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _tool_calls(calls: Any) -> tuple[tuple[str, str], ...]:
    if calls is None:
        return ()
    try:
        functions = [call["function"] for call in calls]
        found = tuple((each["name"], each.get("arguments") or "{}") for each in functions)
    except (AttributeError, KeyError, TypeError):
        raise Malformed("its calls of tools have no `function` with a `name`") from None
    if not all(isinstance(part, str) for call in found for part in call):
        raise Malformed("its calls of tools are no text")
    return tuple((_clean(name), _clean(arguments)) for name, arguments in found)


def _logprobs(said: Any) -> tuple[Mapping[str, Any], ...]:
    """Log-probabilities in the form of chat completions, of which the older form is made too."""
    if not isinstance(said, Mapping):
        return ()
    try:
        if isinstance(said.get("content"), list):
            return tuple(dict(each) for each in said["content"])
        tokens, likely = said["tokens"], said.get("top_logprobs") or ()
        return tuple(
            {
                "token": token,
                "logprob": said["token_logprobs"][at],
                "top_logprobs": [
                    {"token": other, "logprob": value}
                    for other, value in (likely[at] if at < len(likely) else {}).items()
                ],
            }
            for at, token in enumerate(tokens)
        )
    except (AttributeError, IndexError, KeyError, TypeError, ValueError):
        return ()
