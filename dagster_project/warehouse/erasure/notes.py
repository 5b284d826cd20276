"""What was erased from a store: sealed notes, which hold numbers and keyed hashes, never text."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.erasure.known_records import Blank, Fingerprint, recognized, said
from dagster_project.warehouse.manifest import read_sealed, write_sealed
from dagster_project.warehouse.store import Store, exclusive, shared


class _Note(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ErasureWork(_Note):
    """What an erasure has to do; kept until it is done, so that one that was killed can be finished.

    Attributes:
        rows: of each snapshot (`dataset/version@id`) that read what is erased, the ids of the rows
            it loses.
        touched: of each of these snapshots, what is erased of its inputs, references and seeds, by
            number.
        records: of each landed source, the numbers of the records.
        blocks: keys of landed blocks that hold them.
        calls: hashes of the requests to models.
    """

    rows: dict[str, tuple[int, ...]]
    touched: dict[str, dict[int, tuple[int, ...]]]
    records: dict[str, tuple[int, ...]]
    blocks: tuple[str, ...]
    calls: tuple[str, ...]


class Erasure(_Note):
    """One erasure.

    Attributes:
        id: sorts by time.
        at: when it began, UTC.
        reason: why, as the person who asked for it said.
        records: how many landed records lost their content.
        rows: how many rows snapshots lost, all together.
        snapshots: how many snapshots were written anew.
        calls: how many calls of models lost their texts.
        known_by: how the records are known again.
        work: what is left to do; None when it is done.
    """

    id: str
    at: datetime
    reason: str
    records: int
    rows: int
    snapshots: int
    calls: int
    known_by: tuple[Fingerprint, ...]
    work: ErasureWork | None

    @property
    def told(self) -> str:
        """What to say of what is gone."""
        return f"erased on {self.at:%Y-%m-%d}: {self.reason}"


class _Key(_Note):
    key: str


class ErasureUnfinished(SeedbedError):
    """An erasure was cut short, so that what may be read again is not known."""


@contextmanager
def building(store: Store, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Held by whatever puts content of rows into the store: nothing is erased meanwhile, and what was
    read before an erasure is never written after it.

    Args:
        store: where.
        say: told when an erasure has to be waited for.

    Raises:
        ErasureUnfinished: when one was cut short.
    """
    with shared(_lock(store), lambda: say("waiting for an erasure to end")):
        if unfinished_erasures(store):
            raise ErasureUnfinished(
                "an erasure was cut short; `seedbed erase --yes` finishes it. Nothing is built before"
            )
        yield


@contextmanager
def alone(store: Store, say: Callable[[str], None] = lambda _: None) -> Iterator[None]:
    """Held by an erasure, from its plan to its end: nobody builds, erases or deletes snapshots meanwhile.

    Args:
        store: where.
        say: told when builds have to be waited for.
    """
    with (
        exclusive(_lock(store), lambda: say("waiting for builds to end")),
        exclusive(store.root / ".retention.lock"),
    ):
        yield


def _lock(store: Store) -> Path:
    return store.root / ".erasure.lock"


def erasures_folder(store: Store) -> Path:
    """Where the notes are."""
    return store.root / "erasures"


def new_id() -> tuple[str, datetime]:
    """An id for an erasure that begins now, and the moment."""
    moment = datetime.now(UTC)
    return f"{moment:%Y%m%dT%H%M%S%f}-{uuid.uuid4().hex[:6]}", moment.replace(tzinfo=None)


def write_erasure(store: Store, erasure: Erasure) -> None:
    """Keep a note, in place of an earlier one of the same erasure."""
    write_sealed(_path(store, erasure.id), erasure)


def read_erasures(store: Store) -> list[Erasure]:
    """All erasures, oldest first.

    Raises:
        ManifestDamaged: when a note is altered.
    """
    paths = sorted(erasures_folder(store).glob("[0-9]*.json"))
    return [read_sealed(path, Erasure) for path in paths]


def unfinished_erasures(store: Store) -> list[Erasure]:
    """Those that were cut short, or are being carried out.

    Raises:
        ManifestDamaged: when a note is altered.
    """
    return [erasure for erasure in read_erasures(store) if erasure.work is not None]


def erasure_key(store: Store) -> bytes:
    """The store's key for hashes of erased records; made when it is first asked for.

    Raises:
        ManifestDamaged: when it is altered.
    """
    path = erasures_folder(store) / "key.json"
    if not path.exists():
        with exclusive(erasures_folder(store) / ".key.lock"):
            if not path.exists():
                write_sealed(path, _Key(key=secrets.token_hex(32)))
                path.chmod(0o600)
    return bytes.fromhex(read_sealed(path, _Key).key)


class ErasedRecords:
    """Knows erased records again.

    Args:
        store: whose.

    Raises:
        ManifestDamaged: when a note is altered: what must not come back cannot be known.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known = {
            mark: erasure.told for erasure in read_erasures(store) for mark in erasure.known_by
        }

    @cached_property
    def _key(self) -> bytes:
        return erasure_key(self._store)

    def among(self, parsed: pl.DataFrame, origin: pl.DataFrame) -> dict[int, Blank]:
        """What stands in the place of the erased ones among a block's records, by position."""
        if not self._known or origin.is_empty():
            return {}
        return recognized(self._key, self._known, said(parsed, origin))


def _path(store: Store, erasure_id: str) -> Path:
    return erasures_folder(store) / f"{erasure_id}.json"
