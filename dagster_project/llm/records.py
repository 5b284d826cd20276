"""What was asked and what it cost, in one SQLite file that many processes share.

A reservation is a charge that is not settled yet. Settling it and recording the answer is one
transaction, so that an answer that was paid for is never lost without its charge, nor paid for twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import fields
from typing import TypeVar

from dagster_project.errors import SeedbedError
from dagster_project.llm.books import FILE, books_in, open_records
from dagster_project.llm.charges import (
    NOTHING,
    Books,
    Caps,
    Cause,
    Charge,
    Elsewhere,
    NoRoom,
    Reservation,
)
from dagster_project.llm.group_commit import GroupCommit
from dagster_project.llm.money import dollars
from dagster_project.llm.process_mark import ProcessMark, at_work, forget
from dagster_project.operators.calls import ModelCall
from dagster_project.warehouse.store import Store, exclusive

SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    request_hash TEXT PRIMARY KEY, purpose TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
    sampling TEXT NOT NULL, prompt TEXT NOT NULL, response TEXT NOT NULL, finish_reason TEXT NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, picodollars INTEGER NOT NULL,
    seconds REAL NOT NULL, note TEXT NOT NULL, charge INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS charges (
    id INTEGER PRIMARY KEY, version TEXT NOT NULL, caller TEXT NOT NULL, model TEXT NOT NULL,
    purpose TEXT NOT NULL, request_hash TEXT NOT NULL, settled INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, picodollars INTEGER NOT NULL,
    note TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS asked ON charges (request_hash) WHERE NOT settled;
CREATE INDEX IF NOT EXISTS reserved ON charges (version) WHERE NOT settled;
CREATE TABLE IF NOT EXISTS totals (
    version TEXT NOT NULL, settled INTEGER NOT NULL, calls INTEGER NOT NULL,
    tokens_in INTEGER NOT NULL, tokens_out INTEGER NOT NULL, picodollars INTEGER NOT NULL,
    PRIMARY KEY (version, settled)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batches (key TEXT PRIMARY KEY, batch TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS batched (charge INTEGER PRIMARY KEY, batch TEXT NOT NULL);
CREATE TRIGGER IF NOT EXISTS unbatched AFTER DELETE ON charges BEGIN
    DELETE FROM batched WHERE charge = old.id;
END;
CREATE TRIGGER IF NOT EXISTS charged AFTER INSERT ON charges BEGIN
    INSERT INTO totals VALUES (new.version, new.settled, 1, new.tokens_in, new.tokens_out,
        new.picodollars)
    ON CONFLICT DO UPDATE SET calls = calls + 1, tokens_in = tokens_in + excluded.tokens_in,
        tokens_out = tokens_out + excluded.tokens_out,
        picodollars = picodollars + excluded.picodollars;
END;
CREATE TRIGGER IF NOT EXISTS uncharged AFTER DELETE ON charges BEGIN
    UPDATE totals SET calls = calls - 1, tokens_in = tokens_in - old.tokens_in,
        tokens_out = tokens_out - old.tokens_out, picodollars = picodollars - old.picodollars
    WHERE version = old.version AND settled = old.settled;
END;
"""

_SAID = ", ".join(each.name for each in fields(ModelCall)[:-2])

T = TypeVar("T")


class RecordsFailed(SeedbedError):
    """The records could not be read or written."""


class Records:
    """The file `calls/calls.sqlite` of a store.

    Args:
        store: whose calls these are.
    """

    def __init__(self, store: Store) -> None:
        self._path = store.calls / FILE
        self._marks = store.calls / "callers"
        with self._failing("read"):
            self._prepare()
            self._reading = self._connect()
        self._mark = ProcessMark(self._marks)
        self._commit = GroupCommit(self._connect)

    def find(self, request_hash: str) -> ModelCall | None:
        """The recorded call of this request."""
        with self._failing("read"):
            return _recorded(self._reading, request_hash)

    async def reserve(
        self, version: str, cause: Cause, worst: Charge, caps: Caps
    ) -> Reservation | ModelCall | Elsewhere | NoRoom:
        """Make room for a call, unless it was made meanwhile, is being made, or does not fit. A call that
        is in a batch of a dead process has its room already."""

        def work(connection: sqlite3.Connection) -> Reservation | ModelCall | Elsewhere | NoRoom:
            recorded = _recorded(connection, cause.request_hash)
            if recorded is not None:
                return recorded
            asking = connection.execute(
                "SELECT caller FROM charges WHERE request_hash = ? AND NOT settled AND caller <> ?",
                (cause.request_hash, self._mark.name),
            ).fetchall()
            for (caller,) in asking:
                if at_work(self._marks, caller):
                    return Elsewhere(caller)
            batched = connection.execute(
                "SELECT id, tokens_in, tokens_out, picodollars, batched.batch FROM batched "
                "JOIN charges ON id = charge WHERE request_hash = ? AND NOT settled",
                (cause.request_hash,),
            ).fetchone()
            if batched is not None:
                number, *reserved, key = batched
                connection.execute(
                    "UPDATE charges SET caller = ? WHERE id = ?", (self._mark.name, number)
                )
                return Reservation(number, Charge(*reserved), key)
            books = books_in(connection, version)
            if not caps.room_for(books.settled.plus(books.reserved), worst):
                return self._no_room(connection, version, books, worst, caps)
            row = (version, self._mark.name, *cause, 0, *worst, "")
            cursor = connection.execute(f"INSERT INTO charges VALUES (NULL{', ?' * len(row)})", row)
            assert cursor.lastrowid is not None
            return Reservation(cursor.lastrowid, worst)

        return await self._write(work)

    async def settle(
        self, reservation: Reservation, charge: Charge, note: str, call: ModelCall | None
    ) -> None:
        """Put what a call cost in place of its reservation, and record its answer if there is one.

        Args:
            reservation: of the call.
            charge: what it cost.
            note: what is doubtful about that; empty where nothing is.
            call: the answer.
        """

        def work(connection: sqlite3.Connection) -> None:
            ((*row,),) = connection.execute(
                "DELETE FROM charges WHERE id = ? RETURNING version, caller, model, purpose, "
                "request_hash",
                (reservation.id,),
            ).fetchall()
            row = (reservation.id, *row, 1, *charge, note)
            connection.execute(f"INSERT INTO charges VALUES ({', '.join('?' * len(row))})", row)
            if call is not None:
                connection.execute(
                    "INSERT OR IGNORE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        call.request_hash,
                        call.purpose,
                        call.model,
                        call.provider,
                        call.sampling,
                        call.prompt,
                        call.response,
                        call.finish_reason,
                        charge.tokens_in,
                        charge.tokens_out,
                        charge.picodollars,
                        call.seconds,
                        note,
                        reservation.id,
                    ),
                )

        await self._write(work)

    async def release(self, reservation: Reservation) -> None:
        """Give a reservation up: its call cost nothing."""
        await self._write(
            lambda connection: connection.execute(
                "DELETE FROM charges WHERE id = ? AND NOT settled", (reservation.id,)
            )
        )

    async def release_abandoned(self, version: str) -> Books:
        """Give up the reservations of a version that dead processes left, and tell what those were.

        What their calls cost, only the provider knows: until this is called, they count as spent at
        their worst. Those of calls in batches are kept: the next run finds the batches.
        """

        def work(connection: sqlite3.Connection) -> Books:
            left = [
                caller
                for (caller,) in connection.execute(
                    "SELECT DISTINCT caller FROM charges WHERE version = ? AND NOT settled",
                    (version,),
                ).fetchall()
                if not at_work(self._marks, caller)
            ]
            before = books_in(connection, version)
            for caller in left:
                connection.execute(
                    "DELETE FROM charges WHERE version = ? AND caller = ? AND NOT settled "
                    "AND id NOT IN (SELECT charge FROM batched)",
                    (version, caller),
                )
                forget(self._marks, caller)
            after = books_in(connection, version)
            return Books(
                0,
                NOTHING,
                before.reservations - after.reservations,
                before.reserved.plus(after.reserved, -1),
            )

        return await self._write(work)

    async def note_batch(self, key: str, charges: Mapping[str, int]) -> None:
        """Record that a batch is about to be made.

        Args:
            key: that it will bear.
            charges: the reservations of its calls, by request.
        """

        def work(connection: sqlite3.Connection) -> None:
            connection.execute("INSERT INTO batches VALUES (?, NULL)", (key,))
            connection.executemany(
                "INSERT INTO batched VALUES (?, ?)", [(id_, key) for id_ in charges.values()]
            )

        await self._write(work)

    async def name_batch(self, key: str, batch: str) -> None:
        """Record what the provider calls a batch."""
        await self._write(
            lambda connection: connection.execute(
                "UPDATE batches SET batch = ? WHERE key = ?", (batch, key)
            )
        )

    def batch_of(self, key: str) -> str | None:
        """What the provider calls a batch, as far as is known."""
        row = self._reading.execute("SELECT batch FROM batches WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def close(self) -> None:
        """Write what waits, and close the file."""
        self._commit.close()
        self._reading.close()
        self._mark.release()

    def _no_room(
        self, connection: sqlite3.Connection, version: str, books: Books, worst: Charge, caps: Caps
    ) -> NoRoom:
        abandoned = NOTHING
        for caller, *reserved in connection.execute(
            "SELECT caller, sum(tokens_in), sum(tokens_out), sum(picodollars) FROM charges "
            "WHERE version = ? AND NOT settled GROUP BY caller",
            (version,),
        ).fetchall():
            if not at_work(self._marks, caller):
                abandoned = abandoned.plus(Charge(*reserved))
        under_way = books.reserved.plus(abandoned, -1)
        may_come = under_way.tokens > 0 and caps.room_for(books.settled.plus(abandoned), worst)
        return NoRoom(books.settled, under_way, abandoned, may_come)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._failing("written"):
            return await self._commit.run(work)

    @contextmanager
    def _failing(self, done: str) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise RecordsFailed(
                f"{self._path}: the records of calls cannot be {done}: {error}. Calls that were under "
                "way count at their worst"
            ) from error

    def _prepare(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with exclusive(self._path.with_suffix(".lock")), closing(self._connect()) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def _connect(self) -> sqlite3.Connection:
        connection = open_records(self._path)
        connection.execute("PRAGMA synchronous = FULL")
        return connection


def _recorded(connection: sqlite3.Connection, request_hash: str) -> ModelCall | None:
    row = connection.execute(
        f"SELECT {_SAID}, picodollars, seconds FROM answers WHERE request_hash = ?", (request_hash,)
    ).fetchone()
    if row is None:
        return None
    *said, amount, seconds = row
    return ModelCall(*said, dollars=dollars(amount), seconds=seconds)
