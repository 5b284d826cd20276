"""Failures waiting to be told: one SQLite file, so that a crash neither loses nor repeats one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.failure import Failure

FIRST_RETRY_SECONDS = 30.0
LONGEST_RETRY_SECONDS = 3600.0
LEASE_SECONDS = 300.0
NO_CHANNEL = "none"

_SCHEMA = """
CREATE TABLE IF NOT EXISTS failures (
    failure_id TEXT PRIMARY KEY,
    failure TEXT NOT NULL,
    recorded_at REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS deliveries (
    failure_id TEXT NOT NULL REFERENCES failures,
    channel TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'sent', 'dead', 'unrouted')),
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at REAL NOT NULL,
    claimed_until REAL NOT NULL DEFAULT 0,
    last_error TEXT,
    sent_at REAL,
    PRIMARY KEY (failure_id, channel)
);
CREATE INDEX IF NOT EXISTS waiting ON deliveries (next_attempt_at) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS channels (
    channel TEXT PRIMARY KEY,
    failures_in_row INTEGER NOT NULL,
    rests_until REAL NOT NULL,
    last_error TEXT,
    last_success REAL
);
CREATE TABLE IF NOT EXISTS sweep (only INTEGER PRIMARY KEY CHECK (only = 0), swept_until REAL);
"""


class OutboxError(SeedbedError):
    """The outbox file cannot be used."""


@dataclass(frozen=True)
class Claim:
    """A delivery that this process, and no other for five minutes, may attempt.

    Attributes:
        failure: what to tell.
        channel: the name of the channel to tell it to.
        attempts: how often that has been tried, this time included.
    """

    failure: Failure
    channel: str
    attempts: int


@dataclass(frozen=True)
class ChannelTally:
    """How a channel is doing.

    Attributes:
        channel: its name.
        sent: alerts delivered.
        pending: alerts still to be delivered.
        dead: alerts given up because Apprise cannot use the channel's URL.
        failures_in_row: attempts that failed since the last success.
        last_error: of the last attempt that failed; None after a success.
        last_success: when one last succeeded, in seconds since 1970.
    """

    channel: str
    sent: int = 0
    pending: int = 0
    dead: int = 0
    failures_in_row: int = 0
    last_error: str | None = None
    last_success: float | None = None


class Outbox:
    """The outbox file. Any number of processes may use it at once.

    Args:
        path: the SQLite file; made, with its folder, if it is not there.
        clock: tells the time, in seconds since 1970.

    Raises:
        OutboxError: from every method, when the file cannot be read or written.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.clock = clock
        with self._transaction() as db:
            for statement in _SCHEMA.split(";"):
                db.execute(statement)
            db.execute("INSERT OR IGNORE INTO sweep VALUES (0, ?)", [clock()])

    def enqueue(self, failures: Iterable[Failure], channels: Sequence[str]) -> int:
        """Record failures, each with one delivery for each channel, in one transaction.

        A failure that is known already is left as it is. Without channels, failures are recorded
        as unrouted: shown, not sent.

        Returns:
            How many of them were new.
        """
        new, now = 0, self.clock()
        state = "pending" if channels else "unrouted"
        with self._transaction() as db:
            for failure in failures:
                known = failure.failure_id
                inserted = db.execute(
                    "INSERT OR IGNORE INTO failures VALUES (?, ?, ?)",
                    [known, failure.to_json(), now],
                ).rowcount
                new += inserted
                if inserted:
                    _add_deliveries(db, known, channels or [NO_CHANNEL], state, now)
        return new

    def claim(self, channels: Sequence[str]) -> Claim | None:
        """Take the delivery that has been due longest, on channels that are not resting.

        If this process dies before it reports back, the delivery is due again in 5 minutes.

        Args:
            channels: the channels that can be reached from here.

        Returns:
            None when nothing is due.
        """
        now = self.clock()
        with self._transaction() as db:
            row = db.execute(
                f"""
                UPDATE deliveries SET claimed_until = ?, attempts = attempts + 1
                WHERE rowid = (
                    SELECT rowid FROM deliveries
                    WHERE state = 'pending' AND next_attempt_at <= ? AND claimed_until <= ?
                      AND channel IN ({_marks(channels)})
                      AND channel NOT IN (SELECT channel FROM channels WHERE rests_until > ?)
                    ORDER BY next_attempt_at, rowid LIMIT 1
                )
                RETURNING failure_id, channel, attempts
                """,
                [now + LEASE_SECONDS, now, now, *channels, now],
            ).fetchone()
            if row is None:
                return None
            failure_id, channel, attempts = row
            (text,) = db.execute(
                "SELECT failure FROM failures WHERE failure_id = ?", [failure_id]
            ).fetchone()
        return Claim(Failure.from_json(text), channel, attempts)

    def mark_sent(self, claim: Claim) -> None:
        """Note that a claimed delivery arrived."""
        now = self.clock()
        with self._transaction() as db:
            _settle(db, claim, "state = 'sent', sent_at = ?, last_error = NULL", [now])
            _note_success(db, claim.channel, now)

    def mark_failed(self, claim: Claim, error: str) -> None:
        """Note that a claimed delivery did not arrive; it is due again after 30 s, then 60 s and
        so on up to an hour, and the channel rests for 30 s.

        Args:
            claim: the delivery.
            error: why, without secrets.
        """
        now = self.clock()
        wait = min(FIRST_RETRY_SECONDS * 2.0 ** (claim.attempts - 1), LONGEST_RETRY_SECONDS)
        with self._transaction() as db:
            _settle(db, claim, "next_attempt_at = ?, last_error = ?", [now + wait, error])
            _note_failure(db, claim.channel, error, now)

    def mark_dead(self, claim: Claim, error: str) -> None:
        """Note that a claimed delivery can never arrive; it is kept, and not tried again unless
        asked for."""
        with self._transaction() as db:
            _settle(db, claim, "state = 'dead', last_error = ?", [error])
            _note_failure(db, claim.channel, error, self.clock())

    def note_attempt(self, channel: str, error: str | None) -> None:
        """Note that something that is no failure, such as a test message, was sent or not."""
        with self._transaction() as db:
            if error is None:
                _note_success(db, channel, self.clock())
            else:
                _note_failure(db, channel, error, self.clock())

    def retry(self, channels: Sequence[str]) -> int:
        """Make everything undelivered due now: what waits or was given up on `channels`, and, for
        all of `channels`, what has no channel or one that is not among them.

        Returns:
            How many deliveries are now due.
        """
        if not channels:
            return 0
        now, among = self.clock(), f"channel IN ({_marks(channels)})"
        with self._transaction() as db:
            stranded = db.execute(
                f"""DELETE FROM deliveries
                WHERE state != 'sent' AND claimed_until <= ? AND NOT {among}
                RETURNING failure_id""",
                [now, *channels],
            ).fetchall()
            for (failure_id,) in stranded:
                _add_deliveries(db, failure_id, channels, "pending", now)
            db.execute("UPDATE channels SET rests_until = 0")
            return db.execute(
                f"""UPDATE deliveries SET state = 'pending', next_attempt_at = ?
                WHERE state IN ('pending', 'dead') AND claimed_until <= ? AND {among}""",
                [now, now, *channels],
            ).rowcount

    def tallies(self) -> list[ChannelTally]:
        """One for each channel that was ever tried or is waited for, by name."""
        with self._transaction() as db:
            rows = db.execute(
                """
                SELECT channel, ifnull(sent, 0), ifnull(pending, 0), ifnull(dead, 0),
                    ifnull(failures_in_row, 0), last_error, last_success
                FROM (SELECT channel FROM channels UNION SELECT channel FROM deliveries)
                LEFT JOIN channels USING (channel)
                LEFT JOIN (
                    SELECT channel, sum(state = 'sent') AS sent,
                        sum(state = 'pending') AS pending, sum(state = 'dead') AS dead
                    FROM deliveries GROUP BY channel
                ) USING (channel)
                WHERE channel != ? ORDER BY channel
                """,
                [NO_CHANNEL],
            ).fetchall()
        return [ChannelTally(*row) for row in rows]

    def unrouted(self) -> list[Failure]:
        """Failures recorded while no channel was configured, newest first."""
        with self._transaction() as db:
            rows = db.execute(
                """SELECT failure FROM failures JOIN deliveries USING (failure_id)
                WHERE state = 'unrouted' ORDER BY recorded_at DESC, failure_id"""
            ).fetchall()
        return [Failure.from_json(text) for (text,) in rows]

    @property
    def swept_until(self) -> float:
        """Runs that ended before this time (seconds since 1970) have been looked at. At first,
        the time when the outbox was made: older runs are history, not news."""
        with self._transaction() as db:
            return db.execute("SELECT swept_until FROM sweep").fetchone()[0]

    @swept_until.setter
    def swept_until(self, moment: float) -> None:
        with self._transaction() as db:
            db.execute("UPDATE sweep SET swept_until = max(swept_until, ?)", [moment])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=30, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = WAL")
                db.execute("BEGIN IMMEDIATE")
                with db:
                    yield db
        except (sqlite3.Error, OSError) as error:
            raise OutboxError(
                f"{self.path}: the outbox of alerts cannot be used: {error}. If the file is "
                "damaged, move it away; alerts not yet sent are lost with it"
            ) from error


def _add_deliveries(
    db: sqlite3.Connection, failure_id: str, channels: Sequence[str], state: str, now: float
) -> None:
    db.executemany(
        """INSERT OR IGNORE INTO deliveries (failure_id, channel, state, next_attempt_at)
        VALUES (?, ?, ?, ?)""",
        [(failure_id, channel, state, now) for channel in channels],
    )


def _settle(db: sqlite3.Connection, claim: Claim, change: str, values: list) -> None:
    db.execute(
        f"""UPDATE deliveries SET claimed_until = 0, {change}
        WHERE failure_id = ? AND channel = ? AND state = 'pending'""",
        [*values, claim.failure.failure_id, claim.channel],
    )


def _note_success(db: sqlite3.Connection, channel: str, now: float) -> None:
    db.execute("INSERT OR REPLACE INTO channels VALUES (?, 0, 0, NULL, ?)", [channel, now])


def _note_failure(db: sqlite3.Connection, channel: str, error: str, now: float) -> None:
    db.execute(
        """INSERT INTO channels VALUES (?, 1, ?, ?, NULL) ON CONFLICT DO UPDATE SET
            failures_in_row = failures_in_row + 1,
            rests_until = excluded.rests_until, last_error = excluded.last_error""",
        [channel, now + FIRST_RETRY_SECONDS, error],
    )


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
