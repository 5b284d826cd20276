"""What tests ask, and how."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dagster_project.llm.caller import Caller, Spend
from dagster_project.operators.calls import Answer, Question
from dagster_project.recipe.models import Budget, Model, Prices
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

VERSION = VersionName("a", "v1")
PRICES = Prices(input=3, output=15)
ENOUGH = Budget(dollars=1000)


def model(url: str, **declared: Any) -> Model:
    """The model of a fault server, which costs something."""
    return Model(**{"model": "m", "base_url": url, "prices": PRICES, "concurrent": 32, **declared})


def chat(text: str, **asked: Any) -> Question:
    """A chat question."""
    return Question("m", ({"role": "user", "content": text},), **{"max_tokens": 32, **asked})


async def each(
    store: Path,
    declared: Model,
    questions: Sequence[Question],
    budget: Budget | None = ENOUGH,
    **options: Any,
) -> tuple[list[Answer | BaseException], Spend]:
    """The answers, or what was raised in their place, of questions that are asked at once."""
    async with Caller(VERSION, {"m": declared}, budget, Store(store), **options) as caller:
        found = await asyncio.gather(*map(caller.ask, questions), return_exceptions=True)
        return found, caller.spent()


def ask_each(*given: Any, **options: Any) -> tuple[list[Any], Spend]:
    """As `each`, without an event loop."""
    return asyncio.run(each(*given, **options))


def ask(*given: Any, **options: Any) -> Answer:
    """The answer to one question.

    Raises:
        Exception: what was raised in its place.
    """
    store, declared, question, *rest = given
    (found,), _ = ask_each(store, declared, [question], *rest, **options)
    if isinstance(found, BaseException):
        raise found
    return found
