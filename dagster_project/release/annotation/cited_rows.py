"""Whether the rows that labels cite are there, and are what annotators were shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dagster_project.errors import SeedbedError
from dagster_project.identity import digest
from dagster_project.release.annotation.guideline import Guideline
from dagster_project.release.annotation.sample import shown_fields
from dagster_project.release.annotation.task import SHORT, Cited
from dagster_project.warehouse.connect import identifier, open_snapshot
from dagster_project.warehouse.manifest import Manifest, read_head, read_manifest
from dagster_project.warehouse.reading import one_of
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName


@dataclass(frozen=True)
class FoundRow:
    """A row that a label cites.

    Attributes:
        content_id: of the snapshot it is in, whole.
        values: of the columns that annotators were shown, by name.
    """

    content_id: str
    values: dict[str, Any]


def found_rows(
    store: Store, cites: Iterable[Cited], guideline: Callable[[str], Guideline]
) -> dict[Cited, FoundRow | SeedbedError]:
    """The rows that are cited, or what is wrong with the citation.

    Args:
        store: where the snapshots are.
        cites: the rows.
        guideline: gives a guideline that is cited.
    """
    grouped: dict[tuple[str, str, str], list[Cited]] = defaultdict(list)
    for each in dict.fromkeys(cites):
        grouped[each.version, each.content, each.guideline].append(each)
    found: dict[Cited, FoundRow | SeedbedError] = {}
    for (version, content, citation), rows in grouped.items():
        try:
            columns = guideline(citation).asks.shown
            found |= _of_one_content(store, version, content, columns, rows)
        except SeedbedError as error:
            found |= dict.fromkeys(rows, error)
    return found


def _of_one_content(
    store: Store, version: str, content: str, columns: tuple[str, ...], rows: list[Cited]
) -> dict[Cited, FoundRow | SeedbedError]:
    """As `found_rows`, for rows of one content. Several snapshots may have it, in different orders; a
    row is there if one of them has it where it was."""
    name = VersionName.parse(version)
    snapshots = list(_with_content(store, name, content))
    if not snapshots:
        raise SeedbedError(f"{version} has no published snapshot whose content id begins {content}")
    found: dict[Cited, FoundRow | SeedbedError] = {}
    for manifest in snapshots:
        waiting = [each for each in rows if each not in found]
        values = _values(store, name, manifest.snapshot_id, columns, waiting)
        for each in waiting:
            row = values.get(each.row_id)
            if row is not None and digest(shown_fields(columns, row))[:SHORT] == each.shown:
                here = dict(zip(columns, row, strict=True))
                found[each] = FoundRow(manifest.content_id, here)
    address = f"{version}@{snapshots[0].snapshot_id}"
    for each in rows:
        if each not in found:
            there = each.row_id < snapshots[0].numbers
            found[each] = SeedbedError(
                f"row {each.row_id} of {address} is not what annotators were shown"
                if there
                else f"{address} has {snapshots[0].rows:,} rows, numbered from 0: there is no row "
                f"{each.row_id}"
            )
    return found


def _with_content(store: Store, name: VersionName, content: str) -> Iterator[Manifest]:
    for snapshot_id in reversed(read_head(store, name).published):
        manifest = read_manifest(store, name, snapshot_id)
        if manifest.content_id.startswith(content):
            yield manifest


def _values(
    store: Store, name: VersionName, snapshot_id: str, columns: tuple[str, ...], rows: list[Cited]
) -> dict[int, tuple]:
    """The values of some columns of some rows, by row id."""
    wanted = one_of("row_id", (each.row_id for each in rows))
    chosen = ", ".join(identifier(column) for column in columns)
    with open_snapshot(store, name, snapshot_id) as connection:
        described = connection.execute("DESCRIBE snapshot.rows").fetchall()
        if missing := sorted(set(columns) - {column for column, *_ in described}):
            raise SeedbedError(
                f"{name}@{snapshot_id} has no column {missing[0]!r}, which was shown"
            )
        return {
            row_id: tuple(values)
            for row_id, *values in connection.execute(
                f"SELECT row_id, {chosen} FROM snapshot.rows WHERE {wanted}"
            ).fetchall()
        }
