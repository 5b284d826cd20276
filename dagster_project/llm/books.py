"""What versions have spent, as the records tell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from dagster_project.llm.charges import NOTHING, Books, Charge
from dagster_project.warehouse.store import Store

FILE = "calls.sqlite"
WAIT_FOR_LOCK = 120
"""Seconds that a process waits while another one writes."""


@dataclass(frozen=True)
class Post:
    """What a version has spent on one model for one purpose.

    Attributes:
        model: its name in the recipe.
        purpose: of the questions.
        calls: settled calls.
        charge: what they cost.
        doubtful: calls of which it is not known what they cost, and which count as the most.
    """

    model: str
    purpose: str
    calls: int
    charge: Charge
    doubtful: int


def ledger(store: Store, version: str) -> list[Post]:
    """What a version has spent over all time, by model and purpose, sorted by these."""
    path = store.calls / FILE
    if not path.exists():
        return []
    with closing(open_records(path)) as connection:
        return [
            Post(model, purpose, calls, Charge(*charge), doubtful)
            for model, purpose, calls, *charge, doubtful in connection.execute(
                "SELECT model, purpose, count(*), sum(tokens_in), sum(tokens_out), "
                "sum(picodollars), sum(note <> '') FROM charges WHERE version = ? AND settled "
                "GROUP BY model, purpose ORDER BY model, purpose",
                (version,),
            )
        ]


def books_of(store: Store, version: str) -> Books:
    """What a version has spent over all time, by all processes."""
    path = store.calls / FILE
    if not path.exists():
        return Books()
    with closing(open_records(path)) as connection:
        return books_in(connection, version)


def open_records(path: Path) -> sqlite3.Connection:
    """The file of records, which others may have open too."""
    return sqlite3.connect(
        path, timeout=WAIT_FOR_LOCK, isolation_level=None, check_same_thread=False
    )


def books_in(connection: sqlite3.Connection, version: str) -> Books:
    """As `books_of`, of a file that is open."""
    kinds: dict[int, tuple[int, Charge]] = {
        settled: (calls, Charge(*charge))
        for settled, calls, *charge in connection.execute(
            "SELECT settled, calls, tokens_in, tokens_out, picodollars FROM totals WHERE version = ?",
            (version,),
        )
    }
    nothing = (0, NOTHING)
    return Books(*kinds.get(1, nothing), *kinds.get(0, nothing))
