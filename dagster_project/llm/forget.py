"""Forgets what was asked and answered; what it cost stays in the books."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from contextlib import closing

from dagster_project.llm.books import FILE, open_records
from dagster_project.warehouse.store import Store


def forget_calls(store: Store, requests: Collection[str]) -> None:
    """Take answers out of the records, so that no byte of the file holds them any more. Charges stay.

    Args:
        store: whose.
        requests: hashes of the requests.
    """
    path = store.calls / FILE
    if not requests or not path.exists():
        return
    with closing(open_records(path)) as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany(
            "DELETE FROM answers WHERE request_hash = ?", [(each,) for each in sorted(requests)]
        )
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def known_calls(store: Store, requests: Collection[str]) -> set[str]:
    """Those of some requests whose answers are in the records."""
    path = store.calls / FILE
    if not requests or not path.exists():
        return set()
    with closing(open_records(path)) as connection:
        return {request for request in requests if _is_known(connection, request)}


def _is_known(connection: sqlite3.Connection, request: str) -> bool:
    query = "SELECT 1 FROM answers WHERE request_hash = ?"
    return connection.execute(query, (request,)).fetchone() is not None
