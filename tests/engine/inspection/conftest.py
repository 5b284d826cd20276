"""A version with something of everything, and what plain Python knows of its rows."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from dagster_project.engine.inspection.inspection import Inspection, inspect
from dagster_project.operators.registry import built_in_operators
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import connect

RECIPE = """\
inputs:
  one: {files: one.jsonl}
  two:
    files: two.jsonl
    steps:
      - filter_rows: {keep: n <> 13, rule: unlucky}
        name: lucky
steps:
  - filter_length: {column: text, min_words: 4, max_characters: 400}
    name: length
  - deduplicate_near: {columns: [text], threshold: 0.8, size: 2}
    name: near
"""


@dataclass(frozen=True)
class Made:
    """A published version, and the rows that its inputs held."""

    space: Any
    rows: list[dict]

    @property
    def inputs(self) -> dict[str, list[dict]]:
        """Rows by input."""
        return {"one": self.rows[::2], "two": self.rows[1::2]}

    def kept(self) -> list[dict]:
        """Rows of the version, with their ids."""
        with connect(self.space.store) as connection:
            found = connection.execute("SELECT * FROM a.v1 ORDER BY ALL")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


@pytest.fixture
def ask() -> Callable[..., Inspection]:
    """Inspect the current snapshot of a version."""

    def inspected(space, name: str = "a/v1", **settings) -> Inspection:
        address = SnapshotAddress.parse(name)
        return inspect(space.store, address, built_in_operators(), **settings)

    return inspected


@pytest.fixture
def made(space) -> Made:
    generator = random.Random(4)
    words = [f"w{number}" for number in range(60)]
    texts: list[str | None] = []
    for _ in range(180):
        text = [generator.choice(words) for _ in range(generator.randrange(1, 25))]
        texts.append(" ".join(text))
        if generator.random() < 0.4 and len(text) > 4:
            text[generator.randrange(len(text))] = "changed"
            texts.append(" ".join(text))
    texts[20:20] = ["", "????? !!!!! ????? !!!!!", None]
    rows = [
        {
            "n": number,
            "text": text,
            "topic": generator.choice(["maths", "maths", "code", None]),
            "created": f"2024-{generator.randrange(1, 5):02}-03",
        }
        for number, text in enumerate(texts)
    ]
    space.jsonl("one.jsonl", rows[::2])
    space.jsonl("two.jsonl", rows[1::2])
    space.recipe("a/v1", RECIPE)
    space.publish("a/v1")
    return Made(space, rows)
