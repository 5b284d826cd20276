"""Charges of a version that no call of a model has made, such as those of annotators."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple

from dagster_project.llm.books import FILE, open_records
from dagster_project.llm.money import picodollars
from dagster_project.llm.records import SCHEMA, RecordsFailed
from dagster_project.warehouse.store import Store


class Entry(NamedTuple):
    """Something that was paid for.

    Attributes:
        version: whose budget it counts towards.
        purpose: what for.
        paid_to: what stands in the place of a model.
        key: tells it from others of the same purpose; each is entered once.
        dollars: what it cost.
    """

    version: str
    purpose: str
    paid_to: str
    key: str
    dollars: float


def enter(store: Store, entries: Sequence[Entry]) -> int:
    """Enter charges into the books; returns how many were new.

    Raises:
        RecordsFailed: when they cannot be written.
    """
    if not entries:
        return 0
    path = store.calls / FILE
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(open_records(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            known = {
                key
                for purpose in {entry.purpose for entry in entries}
                for (key,) in connection.execute(
                    "SELECT request_hash FROM charges WHERE purpose = ?", (purpose,)
                )
            }
            new = {entry.key: entry for entry in entries if entry.key not in known}
            connection.executemany(
                "INSERT INTO charges VALUES (NULL, ?, '', ?, ?, ?, 1, 0, 0, ?, '')",
                [
                    (each.version, each.paid_to, each.purpose, key, picodollars(each.dollars))
                    for key, each in new.items()
                ],
            )
            connection.execute("COMMIT")
            return len(new)
    except (sqlite3.Error, OSError) as error:
        raise RecordsFailed(f"{path}: what was paid cannot be entered: {error}") from error
