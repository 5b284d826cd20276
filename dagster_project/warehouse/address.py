"""How people name a snapshot, a row of one, and a record of an external input."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer

from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName

SNAPSHOT_PATTERN = re.compile(r"[0-9A-Za-z][0-9A-Za-z-]{0,63}")
MAX_ROW = 2**63 - 1


class AddressRefused(SeedbedError):
    """An address that cannot be read, or that leads nowhere."""


@dataclass(frozen=True, order=True)
class SnapshotAddress:
    """A snapshot: `python_tutor/v2` (the current one) or `python_tutor/v2@<snapshot id>`."""

    version: VersionName
    snapshot_id: str | None = None

    def __str__(self) -> str:
        return f"{self.version}@{self.snapshot_id}" if self.snapshot_id else str(self.version)

    @classmethod
    def parse(cls, text: str) -> SnapshotAddress:
        """Read `dataset/version` or `dataset/version@snapshot`.

        Raises:
            NameRefused: when the version's name cannot be one.
            AddressRefused: when the snapshot's id cannot be one.
        """
        name, at, snapshot_id = text.partition("@")
        version = VersionName.parse(name)
        if at and not SNAPSHOT_PATTERN.fullmatch(snapshot_id):
            raise AddressRefused(
                f"{text!r}: {snapshot_id!r} is not a snapshot id; `history` lists those of {version}"
            )
        return cls(version, snapshot_id or None)


@dataclass(frozen=True, order=True)
class RowAddress:
    """A row: `python_tutor/v2:123` (of the current snapshot) or `python_tutor/v2@<id>:123`."""

    version: VersionName
    snapshot_id: str | None
    row_id: int

    def __str__(self) -> str:
        return f"{self.snapshot}:{self.row_id}"

    @property
    def snapshot(self) -> SnapshotAddress:
        """The snapshot it is in."""
        return SnapshotAddress(self.version, self.snapshot_id)

    @classmethod
    def parse(cls, text: str) -> RowAddress:
        """Read `dataset/version:row` or `dataset/version@snapshot:row`.

        Raises:
            NameRefused: when the version's name cannot be one.
            AddressRefused: when the rest is not as above.
        """
        snapshot, colon, row = text.rpartition(":")
        if not colon:
            raise AddressRefused(
                f"{text!r} names no row; write it `dataset/version:row`, e.g. python_tutor/v2:123"
            )
        address = SnapshotAddress.parse(snapshot)
        return cls(address.version, address.snapshot_id, _number(text, row))


@dataclass(frozen=True, order=True)
class SourceAddress:
    """A record of an external input: `input_name:123` (records count from 0) or
    `path/file.jsonl:17` (lines count from 1)."""

    place: str
    number: int

    def __str__(self) -> str:
        return f"{self.place}:{self.number}"

    @classmethod
    def parse(cls, text: str) -> SourceAddress:
        """Read `input:record` or `file:line`.

        Raises:
            AddressRefused: when there is no place or no number.
        """
        place, colon, number = text.rpartition(":")
        if not colon or not place:
            raise AddressRefused(
                f"{text!r} names no record; write it `input_name:123` or `path/file.jsonl:17`"
            )
        return cls(place, _number(text, number))


def _number(text: str, digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) > MAX_ROW:
        raise AddressRefused(f"{text!r}: {digits!r} is not a number from 0 to {MAX_ROW}")
    return int(digits)


Snapshot = Annotated[SnapshotAddress, PlainSerializer(str, return_type=str)]
Row = Annotated[RowAddress, PlainSerializer(str, return_type=str)]


class Answer(BaseModel):
    """Something the warehouse found out. `model_dump(mode="json")` gives it as JSON."""

    model_config = ConfigDict(frozen=True, ser_json_bytes="base64")
