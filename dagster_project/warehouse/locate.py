"""Finds the rows and records that an address means, among all that a snapshot was made from."""

from __future__ import annotations

from pathlib import PurePosixPath

from dagster_project.warehouse.address import (
    AddressRefused,
    RowAddress,
    SnapshotAddress,
    SourceAddress,
)
from dagster_project.warehouse.landing import LandedSource, read_source
from dagster_project.warehouse.manifest import Manifest
from dagster_project.warehouse.reading import Input, Reader
from dagster_project.warehouse.records import find_records
from dagster_project.warehouse.store import Store
from dagster_project.workspace import NameRefused


def parse_address(store: Store, text: str) -> RowAddress | SourceAddress:
    """A row's address if it names a version that is there; a record's otherwise."""
    try:
        row = RowAddress.parse(text)
    except (NameRefused, AddressRefused):
        return SourceAddress.parse(text)
    return row if store.version_folder(row.version).is_dir() else SourceAddress.parse(text)


def rows_meant(
    row: RowAddress, target: SnapshotAddress, family: dict[SnapshotAddress, Manifest]
) -> list[RowAddress]:
    """A row's address in each snapshot of its version that a snapshot was made from.

    Raises:
        AddressRefused: when it was made from none.
    """
    snapshots = [address for address in family if address.version == row.version]
    if row.snapshot_id is not None:
        snapshots = [address for address in snapshots if address == row.snapshot]
    if not snapshots:
        others = ", ".join(sorted(str(address) for address in family if address != target))
        raise AddressRefused(
            f"{target} was not made from {row.snapshot}"
            + (f"; it was made from {others}" if others else ", nor from any other version")
        )
    return [RowAddress(row.version, address.snapshot_id, row.row_id) for address in snapshots]


def records_meant(
    reader: Reader, address: SourceAddress, family: dict[SnapshotAddress, Manifest]
) -> list[tuple[SnapshotAddress, Input, int, LandedSource]]:
    """The records that an address means, each with the snapshot and input that read it: by the name
    of an input of the target, else of its ancestors, else by file.

    Args:
        reader: of the store.
        address: what is meant.
        family: the target and all it was made from, the target first.

    Raises:
        AddressRefused: when there is no such record, or several files may be meant.
    """
    landed = [
        (snapshot, origin, read_source(reader.store, origin.source_id))
        for snapshot in family
        for origin in (reader.open(snapshot).inputs | reader.open(snapshot).seeds).values()
        if origin.source_id is not None
    ]
    target = next(iter(family))
    named = [each for each in landed if each[1].name == address.place]
    named = [each for each in named if each[0] == target] or named
    for snapshot, origin, source in named:
        if address.number >= source.rows:
            raise AddressRefused(
                f"{address}: input {origin.name} of {snapshot} has {source.rows:,} records, "
                "numbered from 0"
            )
    if named:
        return [(*each[:2], address.number, each[2]) for each in named]
    files = sorted({file.name for *_, source in landed for file in source.files})
    meant = [name for name in files if _is_file(name, address.place)]
    if address.place in meant:
        meant = [address.place]
    if len(meant) != 1:
        inputs = ", ".join(sorted({origin.name for _, origin, _ in landed}))
        raise AddressRefused(
            f"{address}: several files end like this: {', '.join(meant)}"
            if meant
            else f"{address}: no input and no file of {target} has this name; its "
            f"external inputs are {inputs or 'none'}, its files {', '.join(files[:20]) or 'none'}"
        )
    found = [
        (snapshot, origin, number, source)
        for snapshot, origin, source in landed
        for number in find_records(reader.verified, source, meant[0], address.number, str(snapshot))
    ]
    if not found:
        raise AddressRefused(f"{address}: no record starts on line {address.number} of {meant[0]}")
    return found


def _is_file(name: str, place: str) -> bool:
    parts, wanted = PurePosixPath(name).parts, PurePosixPath(place).parts
    return bool(wanted) and parts[-len(wanted) :] == wanted
