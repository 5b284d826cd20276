"""What models made of texts, kept in the store's cache by content."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice

from dagster_project.warehouse.store import Store

FILE = "models.sqlite"
AT_ONCE = 500
"""Keys of one question."""
CHECK = 8
"""Bytes of a value's hash, which stand before it."""


@dataclass(frozen=True)
class ModelMemory:
    """A `Memory` in a file that many processes share. Texts are not in it, only hashes of them and what
    models made. It may be deleted at any time; where it cannot be read or written, or a value is
    damaged, models are asked again."""

    store: Store

    def recall(self, keys: Sequence[bytes]) -> Mapping[bytes, bytes]:
        """Those of the keys that it has, with what was kept."""
        found: dict[bytes, bytes] = {}
        if not (self.store.cache / FILE).exists():
            return found
        try:
            with self._open() as connection:
                for some in _parts(keys):
                    marks = ",".join("?" * len(some))
                    sql = f"SELECT key, value FROM made WHERE key IN ({marks})"
                    found.update(connection.execute(sql, some))
        except sqlite3.Error:
            return {}
        return {
            key: value[CHECK:]
            for key, value in found.items()
            if value[:CHECK] == _check(value[CHECK:])
        }

    def keep(self, made: Mapping[bytes, bytes]) -> None:
        """Keep values of new keys."""
        if not made:
            return
        rows = [(key, _check(value) + value) for key, value in made.items()]
        try:
            with self._open() as connection, connection:
                connection.executemany("INSERT OR REPLACE INTO made VALUES (?, ?)", rows)
        except (sqlite3.Error, OSError):
            return

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self.store.cache.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.store.cache / FILE, timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("CREATE TABLE IF NOT EXISTS made (key BLOB PRIMARY KEY, value BLOB)")
            yield connection


def _check(value: bytes) -> bytes:
    return hashlib.blake2b(value, digest_size=CHECK).digest()


def _parts(keys: Sequence[bytes]) -> Iterator[list[bytes]]:
    rest = iter(keys)
    while some := list(islice(rest, AT_ONCE)):
        yield some
