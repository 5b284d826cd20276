"""What an endpoint takes, learnt from what it turns down: that costs nothing, while a probe would."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from dagster_project.identity import canonical_json, digest
from dagster_project.llm.provider import CallBroken
from dagster_project.llm.refusal import ModelRefused
from dagster_project.llm.request import Request

NEUTRAL = {"temperature": (1.0,), "top_p": (1.0,), "seed": None}
"""Parameters that can be left out, where they have one of these values; None for any."""

TOLD = (
    "Answer with a JSON value that conforms to this JSON Schema, and with nothing else:\n{schema}"
)


class Capabilities:
    """What one model of one endpoint takes.

    Args:
        model: its name in the recipe.
    """

    def __init__(self, model: str) -> None:
        self._model = model
        self._max_tokens = "max_tokens"
        self._left_out: set[str] = set()
        self._told_schemas: set[str] = set()
        self._without_logprobs = False

    def form(self, request: Request) -> dict[str, Any]:
        """The body of a request in a form that the endpoint takes, as far as is known.

        Raises:
            ModelRefused: when it is known to take none.
        """
        if self._without_logprobs and "logprobs" in request.body:
            raise self._refused("it gives no log-probabilities")
        body = {key: request.body[key] for key in request.body if key not in self._left_out}
        body[self._max_tokens] = body.pop("max_tokens")
        wanted = body.get("response_format")
        if wanted is not None and _schema_id(wanted) in self._told_schemas:
            del body["response_format"]
            body |= _told(body, wanted["json_schema"]["schema"])
        return body

    def learn(self, broken: CallBroken, body: Mapping[str, Any]) -> bool:
        """Whether a rejection tells of another form that may be taken.

        Args:
            broken: the rejection.
            body: what was rejected.

        Raises:
            ModelRefused: when it tells that there is none.
        """
        if broken.became != "rejected" or broken.status not in (400, 422, 501):
            return False
        about = f"{broken.parameter} {broken}"
        if "max_tokens" in body and re.search(
            r"max_completion_tokens\W{0,3} instead|use \W?max_completion_tokens", about, re.I
        ):
            self._max_tokens = "max_completion_tokens"
            return True
        if "response_format" in body and re.search(
            r"response_format|schema|grammar|structured", about, re.I
        ):
            self._told_schemas.add(_schema_id(body["response_format"]))
            return True
        for name, values in NEUTRAL.items():
            if name in body and _objects_to(name, broken):
                if values is not None and body[name] not in values:
                    raise self._refused(f"it takes no `{name}` of {body[name]:g}: {broken}")
                self._left_out.add(name)
                return True
        for name in ("logprobs", "tools"):
            if name in body and _objects_to(name, broken):
                raise self._refused(f"it takes no `{name}`: {broken}")
        return False

    def gives_no_logprobs(self) -> ModelRefused:
        """Note that log-probabilities were asked for and did not come."""
        self._without_logprobs = True
        return self._refused("it was asked for log-probabilities, and gave none")

    def _refused(self, why: str) -> ModelRefused:
        return ModelRefused(f"model {self._model!r}: {why}; have the step ask another model")


def _objects_to(name: str, broken: CallBroken) -> bool:
    return broken.parameter.startswith(name) or bool(
        re.search(
            rf"(unsupported|unknown|unrecognized|unexpected|not supported|not permitted|invalid|extra)"
            rf".{{0,80}}\b{name}\b|\b{name}\b.{{0,80}}(unsupported|not supported|not permitted|"
            r"not allowed|does not support|is not enabled)",
            str(broken),
            re.I | re.S,
        )
    )


def _schema_id(response_format: Mapping[str, Any]) -> str:
    return digest(response_format)


def _told(body: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    told = TOLD.format(schema=canonical_json(schema))
    if "prompt" in body:
        return {"prompt": f"{told}\n\n{body['prompt']}"}
    *before, last = body["messages"]
    if last.get("role") == "user" and isinstance(last.get("content"), str):
        return {"messages": [*before, {**last, "content": f"{last['content']}\n\n{told}"}]}
    return {"messages": [*body["messages"], {"role": "user", "content": told}]}
