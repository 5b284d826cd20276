"""What a call is charged with: what the provider says it used, where that can be true."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping
from typing import Any

from dagster_project.llm.charges import Charge
from dagster_project.llm.money import cost
from dagster_project.llm.request import Request
from dagster_project.llm.response import Response
from dagster_project.recipe.models import Prices

TEMPLATE_TOKENS = 256
MESSAGE_TOKENS = 16
TOOLS_TOKENS = 768
"""Tokens that a chat template may add: once, for each message, and where tools are offered."""

MOST_BYTES_A_TOKEN = 8
"""No text of some length is taken to have fewer tokens than its UTF-8 bytes divided by this."""


def worst(request: Request, content: bytes, prices: Prices | None) -> Charge:
    """The most that a request can cost.

    A token stands for at least one byte of UTF-8, so that a text has no more tokens than bytes; of text
    that a tokenizer may normalize first, the longer form counts.

    Args:
        request: what is asked.
        content: the body that is sent.
        prices: of the model; None where they are not known.
    """
    size = len(content)
    if not content.isascii():
        size = max(size, len(unicodedata.normalize("NFKC", content.decode()).encode()))
    size += TEMPLATE_TOKENS + MESSAGE_TOKENS * len(request.body.get("messages", ()))
    if "tools" in request.body:
        size += TOOLS_TOKENS
    written = request.body["max_tokens"]
    return Charge(size, written, cost(prices, size, written))


def charged(
    body: Mapping[str, Any],
    response: Response,
    request: Request,
    most: Charge,
    prices: Prices | None,
) -> tuple[Charge, str]:
    """What a call cost, and what is doubtful about it.

    Usage that is missing, or no number, counts as the worst case. Usage below any that the texts can
    have had counts as that; usage above the worst case counts as the worst case.

    Args:
        body: the response's JSON.
        response: what it says.
        request: what was asked.
        most: what was reserved.
        prices: of the model.
    """
    said = body.get("usage")
    usage = said if isinstance(said, Mapping) else {}
    read = sum(len(text.encode()) for text in texts(request))
    doubts: list[str] = []
    tokens_in = _within(usage.get("prompt_tokens"), read, most.tokens_in, "prompt_tokens", doubts)
    tokens_out = _within(
        usage.get("completion_tokens"),
        response.written,
        most.tokens_out,
        "completion_tokens",
        doubts,
    )
    return Charge(tokens_in, tokens_out, cost(prices, tokens_in, tokens_out)), "; ".join(doubts)


def _within(said: Any, size: int, most: int, name: str, doubts: list[str]) -> int:
    least = min(math.ceil(size / MOST_BYTES_A_TOKEN), most)
    if isinstance(said, bool) or not isinstance(said, int | float):
        doubts.append(f"no {name}, counted {most}")
        return most
    if not 0 <= said <= most or said != int(said):
        doubts.append(f"{name} {str(said)[:32]}, counted {most}")
        return most
    if said < least:
        doubts.append(f"{name} {said}, counted {least}")
        return least
    return int(said)


def texts(request: Request) -> list[str]:
    """The texts that a model reads, without the markup around them."""
    if "prompt" in request.body:
        return [request.body["prompt"]]
    found: list[str] = []
    for message in request.body["messages"]:
        content = message.get("content")
        parts = content if isinstance(content, list | tuple) else [{"text": content}]
        found += [part["text"] for part in parts if isinstance(part.get("text"), str)]
    return found
