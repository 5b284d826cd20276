"""Manifests: what a snapshot is, and which snapshots of a version are published."""

from __future__ import annotations

import hashlib
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.identity import canonical_json
from dagster_project.warehouse.store import Store, write_atomically
from dagster_project.workspace import VersionName

Model = TypeVar("Model", bound=BaseModel)


class ManifestDamaged(SeedbedError):
    """A manifest or head file that is not as it was written."""


class InputReference(BaseModel):
    """An input of a snapshot: an upstream snapshot, or a landed source."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str | None = None
    snapshot_id: str | None = None
    source_id: str | None = None
    content_id: str


class ErasureNote(BaseModel):
    """That content was erased from a snapshot after it was made; never what it was.

    Attributes:
        erasure: its id.
        at: when, UTC.
        reason: why, as the person who asked for it said.
        rows: how many rows the snapshot lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    erasure: str
    at: datetime
    reason: str
    rows: int

    @property
    def told(self) -> str:
        """What to say of what is gone."""
        return f"erased on {self.at:%Y-%m-%d}: {self.reason}"


class Manifest(BaseModel):
    """What a snapshot is. Written once, beside the snapshot; replaced only by an erasure.

    Attributes:
        version: `dataset/version`.
        snapshot_id: unique within the version; sorts by time.
        status: published, rejected (a blocking check failed) or trial (built on a sample).
        recipe_id: identity of everything declared.
        build_id: identity of the recipe and the contents of its inputs.
        content_id: order-independent identity of the rows.
        rows: how many.
        sha256: of the DuckDB file.
        size: of the DuckDB file, bytes.
        created_at: UTC.
        inputs: what it was made from.
        references: what its rows were compared with.
        seeds: what its generated rows were made from.
        erasures: what was erased from it, oldest first. The rows that are left keep their numbers.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    snapshot_id: str
    status: Literal["published", "rejected", "trial"]
    recipe_id: str
    build_id: str
    content_id: str
    rows: int
    sha256: str
    size: int
    created_at: datetime
    inputs: tuple[InputReference, ...]
    references: tuple[InputReference, ...] = ()
    seeds: tuple[InputReference, ...] = ()
    erasures: tuple[ErasureNote, ...] = ()

    @property
    def numbers(self) -> int:
        """Row ids are less than this: how many rows there were before any was erased."""
        return self.rows + sum(note.rows for note in self.erasures)


class Publication(BaseModel):
    """The moment from which a snapshot was what readers got.

    Attributes:
        snapshot_id: of which snapshot.
        at: UTC.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    snapshot_id: str
    at: datetime


class Head(BaseModel):
    """The publications of a version, oldest first; the last one's snapshot is current. A snapshot
    can be published again, when what it was made from is as it was then."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    publications: tuple[Publication, ...] = ()

    @property
    def current(self) -> str | None:
        """The current snapshot's id."""
        return self.publications[-1].snapshot_id if self.publications else None

    @property
    def published(self) -> tuple[str, ...]:
        """The ids of all published snapshots, by the time of their last publication."""
        latest_first = dict.fromkeys(item.snapshot_id for item in reversed(self.publications))
        return tuple(reversed(latest_first))

    def other_than(self, snapshot_id: str) -> str | None:
        """The snapshot published last, but for this one."""
        others = [published for published in self.published if published != snapshot_id]
        return others[-1] if others else None

    def as_of(self, moment: datetime) -> str | None:
        """What was current at a time (UTC, without a zone)."""
        for publication in reversed(self.publications):
            if publication.at.replace(tzinfo=None) <= moment:
                return publication.snapshot_id
        return None

    def published_at(self, snapshot_id: str) -> datetime:
        """When a published snapshot was last published (UTC, without a zone)."""
        return max(
            item.at.replace(tzinfo=None)
            for item in self.publications
            if item.snapshot_id == snapshot_id
        )


def manifest_path(store: Store, name: VersionName, snapshot_id: str) -> Path:
    """Where a snapshot's manifest is."""
    return store.version_folder(name) / f"{snapshot_id}.json"


def snapshot_path(store: Store, manifest: Manifest) -> Path:
    """Where a snapshot's DuckDB file is: each erasure makes a new one."""
    times = f".erased-{len(manifest.erasures)}" if manifest.erasures else ""
    name = VersionName.parse(manifest.version)
    return store.version_folder(name) / f"{manifest.snapshot_id}{times}.duckdb"


def snapshot_files(store: Store, name: VersionName, snapshot_id: str) -> list[Path]:
    """The DuckDB files that a snapshot has and had, as far as they are there."""
    return sorted(store.version_folder(name).glob(f"{snapshot_id}.*duckdb"))


def head_path(store: Store, name: VersionName) -> Path:
    """Where a version's head file is."""
    return store.version_folder(name) / "head.json"


def write_manifest(store: Store, manifest: Manifest) -> None:
    """Write a manifest beside its snapshot."""
    name = VersionName.parse(manifest.version)
    write_sealed(manifest_path(store, name, manifest.snapshot_id), manifest)


def read_manifest(store: Store, name: VersionName, snapshot_id: str) -> Manifest:
    """Read a manifest.

    Raises:
        ManifestDamaged: when it is missing, altered, or another snapshot's.
    """
    path = manifest_path(store, name, snapshot_id)
    if not path.exists():
        raise ManifestDamaged(
            f"{name} has no snapshot {snapshot_id}: there is no {path}; `seedbed history {name}` "
            "lists those it has"
        )
    manifest = read_sealed(path, Manifest)
    if (manifest.version, manifest.snapshot_id) != (str(name), snapshot_id):
        raise ManifestDamaged(
            f"{path} belongs to {manifest.version}@{manifest.snapshot_id}, not {name}@{snapshot_id}"
        )
    return manifest


def read_head(store: Store, name: VersionName) -> Head:
    """Read a version's head; an empty one when nothing was published yet.

    Raises:
        ManifestDamaged: when it is altered or another version's.
    """
    path = head_path(store, name)
    if not path.exists():
        return Head(version=str(name))
    head = read_sealed(path, Head)
    if head.version != str(name):
        raise ManifestDamaged(f"{path} belongs to {head.version}, not {name}")
    return head


def write_sealed(path: Path, model: BaseModel) -> None:
    """Write a model as JSON, with a sha256 of itself, atomically."""
    body = canonical_json(model.model_dump(mode="json"))
    seal = hashlib.sha256(body.encode()).hexdigest()
    write_atomically(path, f'{{"sha256":"{seal}","body":{body}}}\n'.encode())


def read_sealed(path: Path, kind: type[Model]) -> Model:
    """Read what `write_sealed` wrote.

    Raises:
        ManifestDamaged: when it is missing or any byte of it is altered.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ManifestDamaged(f"{path} cannot be read: {error.strerror}") from error
    prefix, middle, suffix = b'{"sha256":"', b'","body":', b"}\n"
    seal = content[len(prefix) : len(prefix) + 64]
    body = content[len(prefix) + 64 + len(middle) : -len(suffix)]
    whole = prefix + seal + middle + body + suffix
    if content != whole or hashlib.sha256(body).hexdigest().encode() != seal:
        raise ManifestDamaged(f"{path} was altered after it was written")
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise ManifestDamaged(f"{path} is not a {kind.__name__.lower()} file") from error
