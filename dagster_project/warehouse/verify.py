"""Checks every byte of the warehouse that a version depends on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dagster_project.errors import SeedbedError
from dagster_project.identity import file_digest
from dagster_project.warehouse.address import Answer, SnapshotAddress
from dagster_project.warehouse.landing import (
    LandedBlock,
    LandedGeneration,
    LandedSource,
    block_folder,
    generation_path,
    read_source,
    source_path,
)
from dagster_project.warehouse.manifest import (
    Head,
    Manifest,
    ManifestDamaged,
    head_path,
    manifest_path,
    read_head,
    read_manifest,
    read_sealed,
    snapshot_files,
    snapshot_path,
)
from dagster_project.warehouse.reading import upstreams
from dagster_project.warehouse.retention import retention_path
from dagster_project.warehouse.store import Store
from dagster_project.workspace import NameRefused, VersionName

UNFINISHED = "unfinished build"
NOBODY = "no version that can be told"
Progress = Callable[[str], None]


class Damage(Answer):
    """A file that is not as it was written.

    Attributes:
        path: which, relative to the store.
        versions: the versions that depend on it.
        problem: what is wrong.
    """

    path: str
    versions: tuple[str, ...]
    problem: str


class Leftover(Answer):
    """Something that a killed process left behind; it does no harm, and no reader sees it.

    Attributes:
        path: which, relative to the store.
        version: whose.
        problem: what it is.
    """

    path: str
    version: str
    problem: str


class Verification(Answer):
    """What was checked.

    Attributes:
        damage: files that are not as they were written; empty when all is well.
        leftovers: of killed processes; no damage.
        files: how many files were checked.
        size: how many bytes they had.
    """

    damage: tuple[Damage, ...]
    leftovers: tuple[Leftover, ...]
    files: int
    size: int


def verify(
    store: Store,
    names: Iterable[VersionName] | None = None,
    progress: Progress = lambda _: None,
) -> Verification:
    """Read every file that versions depend on, and compare it with what was written: heads,
    manifests, snapshots (published, rejected and trials), landed sources and blocks.

    It reads every byte; it never raises because of damage.

    Args:
        store: where.
        names: of these versions only, with what they were made from; all by default.
        progress: told each file before it is read.
    """
    check = _Check(store, progress)
    for name in sorted(store.versions() if names is None else set(names)):
        check.version(name)
    if names is None:
        check.unreferred()
    if retention_path(store).exists():
        check.leftover(retention_path(store), "", "unfinished retention: apply it again")
    for path, sha256, size in sorted(check.contents, key=lambda content: content[0]):
        check.content(path, sha256, size)
    return Verification(
        damage=tuple(
            Damage(path=path, versions=tuple(sorted(check.owners[path])), problem=problem)
            for path, problem in sorted(check.problems.items())
        ),
        leftovers=tuple(sorted(check.leftovers, key=lambda leftover: leftover.path)),
        files=check.files,
        size=check.size,
    )


@dataclass
class _Check:
    store: Store
    progress: Progress
    problems: dict[str, str] = field(default_factory=dict)
    owners: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    leftovers: list[Leftover] = field(default_factory=list)
    contents: set[tuple[Path, str, int | None]] = field(default_factory=set)
    files: int = 0
    size: int = 0
    _read: dict[Path, object] = field(default_factory=dict)
    _seen: set[tuple[SnapshotAddress, str]] = field(default_factory=set)

    def version(self, name: VersionName) -> None:
        """Check a version's head and manifests; note the contents they name."""
        try:
            VersionName.parse(str(name))
        except NameRefused as error:
            self.leftover(self.store.version_folder(name), name, f"not a version: {error}")
            return
        folder = self.store.version_folder(name)
        if not folder.is_dir():
            self._problem(folder, name, "is missing")
            return
        head = self._sealed(head_path(self.store, name), name, lambda: read_head(self.store, name))
        listed = head.published if isinstance(head, Head) else ()
        found = {path.stem for path in folder.glob("*.json") if not path.name.startswith(".")}
        statuses, files = [], set()
        for snapshot_id in sorted({*listed, *found} - {"head"}):
            manifest = self._snapshot(SnapshotAddress(name, snapshot_id), str(name))
            if manifest is None:
                continue
            statuses.append(manifest.status)
            files.add(snapshot_path(self.store, manifest))
            if manifest.status == "published" and snapshot_id not in listed and head is not None:
                path = manifest_path(self.store, name, snapshot_id)
                self.leftover(path, name, "unfinished publication or deletion: not in head.json")
        self._head_is_there(name, statuses)
        for path in folder.iterdir():
            known = {*listed, *found}
            if path.name.startswith(".building-"):
                self.leftover(path, name, UNFINISHED)
            elif path.suffix == ".duckdb" and path.name.partition(".")[0] not in known:
                self.leftover(path, name, f"{UNFINISHED}: a snapshot without a manifest")
            elif path.name.endswith(".duckdb") and path not in files and files:
                self.leftover(path, name, "unfinished erasure: a snapshot as it was before")

    def _head_is_there(self, name: VersionName, statuses: list[str]) -> None:
        path = head_path(self.store, name)
        begun = path.with_name(".head.lock").exists() or statuses.count("published") > 1
        if "published" in statuses and begun and not path.exists():
            self._problem(path, name, "is missing, though snapshots were published")

    def _snapshot(self, at: SnapshotAddress, owner: str) -> Manifest | None:
        """Check a manifest and those it refers to; note the contents they name."""
        name, snapshot_id = at.version, at.snapshot_id
        assert snapshot_id is not None
        manifest = self._sealed(
            manifest_path(self.store, name, snapshot_id),
            owner,
            lambda: read_manifest(self.store, name, snapshot_id),
        )
        if not isinstance(manifest, Manifest):
            if not snapshot_files(self.store, name, snapshot_id):
                path = self.store.version_folder(name) / f"{snapshot_id}.duckdb"
                self.owners[self._relative(path)] |= {owner, str(name)}
                self._problem(path, owner, "is missing")
            return None
        path = snapshot_path(self.store, manifest)
        self.owners[self._relative(path)] |= {owner, str(name)}
        if (at, owner) in self._seen:
            return manifest
        self._seen.add((at, owner))
        self.contents.add((path, manifest.sha256, manifest.size))
        for upstream in upstreams(manifest, references=True):
            self._snapshot(upstream, owner)
        for reference in (*manifest.inputs, *manifest.seeds, *manifest.references):
            if reference.source_id is not None:
                self._source(reference.source_id, owner)
        return manifest

    def _source(self, source_id: str, owner: str) -> None:
        path = source_path(self.store, source_id)
        source = self._sealed(path, owner, lambda: read_source(self.store, source_id))
        if not isinstance(source, LandedSource):
            return
        if source.source_id != source_id:
            self._problem(path, owner, f"is the list of another source, {source.source_id}")
            return
        for block in source.blocks:
            folder = block_folder(self.store, block.key)
            note = folder / "block.json"
            known = self._sealed(note, owner, lambda note=note: read_sealed(note, LandedBlock))
            if isinstance(known, LandedBlock) and known != block.model_copy(
                update={"first_row": known.first_row}
            ):
                self._problem(note, owner, f"is not the block {block.key} that was landed")
            for file, sha256 in (
                ("parsed.parquet", block.parsed_sha256),
                ("origin.parquet", block.origin_sha256),
            ):
                self.owners[self._relative(folder / file)].add(owner)
                self.contents.add((folder / file, sha256, None))

    def unreferred(self) -> None:
        """Check landed files that no readable manifest led to: it may be the manifest, or the list
        of blocks, that is damaged."""
        for path in sorted(self.store.landed.glob("sources/*.json")):
            if path not in self._read:
                self._source(path.stem, NOBODY)
        for note in sorted(self.store.landed.glob("blocks/*/*/block.json")):
            if note not in self._read:
                self._sealed(note, NOBODY, lambda note=note: read_sealed(note, LandedBlock))
        for note in sorted(generation_path(self.store, "*").parent.glob("*.json")):
            self._sealed(note, NOBODY, lambda note=note: read_sealed(note, LandedGeneration))

    def content(self, path: Path, sha256: str, size: int | None) -> None:
        """Check a file's bytes."""
        self.progress(self._relative(path))
        try:
            found = path.stat().st_size
            right = (size is None or found == size) and file_digest(path) == sha256
        except OSError as error:
            self._problem(path, None, f"cannot be read: {error.strerror}")
            return
        self.files += 1
        self.size += found
        if not right:
            resized = size is not None and size != found
            said = f"; it has {found:,} bytes instead of {size:,}" if resized else ""
            self._problem(path, None, f"was altered{said}")

    def _sealed(self, path: Path, owner: object, read: Callable[[], object]) -> object:
        """What is in a sealed file; None when it is damaged or, for a head, not there yet."""
        self.owners[self._relative(path)].add(str(owner))
        if path not in self._read:
            try:
                self._read[path] = read()
                self.files += 1
                self.size += path.stat().st_size if path.exists() else 0
            except ManifestDamaged as error:
                self._read[path] = None
                self._problem(path, owner, str(error))
            except (SeedbedError, OSError, ValueError) as error:
                self._read[path] = None
                self._problem(path, owner, f"cannot be read: {error}")
        return self._read[path]

    def _problem(self, path: Path, owner: object | None, problem: str) -> None:
        self.problems.setdefault(self._relative(path), problem.removeprefix(f"{path} "))
        if owner is not None:
            self.owners[self._relative(path)].add(str(owner))

    def leftover(self, path: Path, name: VersionName | str, problem: str) -> None:
        """Note what a killed process left behind."""
        self.leftovers.append(
            Leftover(path=self._relative(path), version=str(name), problem=problem)
        )

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.store.root).as_posix()
