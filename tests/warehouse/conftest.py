"""A small reference engine that writes real snapshots, so that tests know what became of each row."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

from dagster_project.identity import digest
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.landing import (
    LandedFile,
    LandedSource,
    block_folder,
    land_block,
    land_source,
    read_source,
)
from dagster_project.warehouse.manifest import InputReference, Manifest, read_manifest
from dagster_project.warehouse.publish import seal
from dagster_project.warehouse.reading import resolve
from dagster_project.warehouse.schema import LANDING_STEP
from dagster_project.warehouse.snapshot import SnapshotBuilder
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

Data = dict[str, Any]


@dataclass
class Row:
    """A row in flight."""

    input: int
    parent: int
    data: Data
    ordinal: int = 0
    changed: int = 0
    others: tuple[tuple[int, int], ...] = ()
    relation: str | None = None

    @property
    def key(self) -> tuple[int, int, int]:
        return self.input, self.parent, self.ordinal


@dataclass(frozen=True)
class Step:
    """What a step does to a row.

    - drop: gives (rule, measured, threshold) or None
    - edit: gives the new data
    - split: gives a list of data
    - merge: gives a key; rows of one key are merged into the first
    - fail: gives an error or None
    - join: gives a key; rows of one key become one row with many parents
    - generate: gives the data of one more row, or None
    """

    name: str
    does: Literal["drop", "edit", "split", "merge", "fail", "join", "generate"]
    what: Callable[[Data], Any]
    input: str | None = None


@dataclass
class Books:
    dispositions: list[dict] = field(default_factory=list)
    quarantine: list[dict] = field(default_factory=list)
    merged: int = 0
    split: int = 0

    def remove(self, row: Row, step: int, disposition: str, **more: Any) -> None:
        for number, parent, ordinal in (row.key, *((*other, 0) for other in row.others)):
            key = {"parent_input": number, "parent_row_id": parent, "ordinal": ordinal}
            self.dispositions.append({**key, "step": step, "disposition": disposition, **more})
            if disposition == "quarantined":
                content = json.dumps(row.data)
                self.quarantine.append(
                    {**key, "step": step, "error": more["error"], "content": content}
                )


class Warehouse:
    """Lands sources and publishes versions into a real store."""

    def __init__(self, root: Path) -> None:
        self.store = Store(root)

    def land(
        self, files: Mapping[str, Sequence[str]], block_rows: int = 4, *, typed: bool = False
    ) -> LandedSource:
        """Land JSON lines; a line that is not an object is unreadable. A typed source keeps no
        texts."""
        blocks = []
        for name, lines in files.items():
            for start in range(0, len(lines), block_rows):
                part = lines[start : start + block_rows]
                parsed, errors = [], []
                for line in part:
                    try:
                        parsed.append({"text": json.loads(line)["text"]})
                        errors.append(None)
                    except (ValueError, TypeError, KeyError) as error:
                        parsed.append({"text": None})
                        errors.append(f"not a record: {error}")
                origin = pl.DataFrame(
                    {
                        "file": [name] * len(part),
                        "line": range(start + 1, start + len(part) + 1),
                        "raw": [None] * len(part) if typed else part,
                        "raw_bytes": [None] * len(part),
                        "error": errors,
                    },
                    schema={
                        "file": pl.String,
                        "line": pl.Int64,
                        "raw": pl.String,
                        "raw_bytes": pl.Binary,
                        "error": pl.String,
                    },
                )
                frame = pl.DataFrame(parsed, schema={"text": pl.String})
                key = digest([name, start, list(part), typed])
                blocks.append(land_block(self.store, key, frame, origin))
        landed = [
            LandedFile(name=name, uri=f"file:///{name}", sha256=digest(list(lines)), size=1)
            for name, lines in files.items()
        ]
        return land_source(self.store, blocks, landed)

    def publish(
        self,
        name: str,
        inputs: Mapping[str, str | LandedSource],
        steps: Sequence[Step] = (),
        status: Literal["published", "rejected", "trial"] = "published",
    ) -> SnapshotAddress:
        """Build a version from landed sources and other versions."""
        version = VersionName.parse(name)
        books, records, references, files, input_rows = Books(), [], [], [], {}
        rows: list[Row] = []
        for number, (label, source) in enumerate(inputs.items()):
            read = self._landed if isinstance(source, LandedSource) else self._upstream
            record, reference, found = read(number, label, source, books)
            rows += found
            records.append(record)
            references.append(reference)
            input_rows[number] = record["row_count"]
            if isinstance(source, LandedSource):
                files += [{"input": number, **file.model_dump()} for file in source.files]
        lines = []
        for number, step in enumerate(steps):
            books.merged = books.split = 0
            rows = self._step(number, step, rows, list(inputs), books)
            line = dict.fromkeys(STEP_COUNTS, 0) | {"merged": books.merged, "split": books.split}
            lines.append(
                {
                    "step": number,
                    "name": step.name,
                    "operator": step.does,
                    "input": step.input,
                    "parameters": "{}",
                    "code_hash": "",
                    "seconds": 0.0,
                    "rule_names": [],
                    **line,
                }
            )
        with SnapshotBuilder(self.store, version, digest([name, list(inputs)])) as built:
            self._write(built, rows, books, [step.does for step in steps])
            built.append_records("inputs", records)
            built.append_records("input_files", files)
            built.append_records("steps", lines)
            built.finish({}, input_rows)
            manifest = seal(built, recipe_id="r", inputs=tuple(references), status=status)
        return SnapshotAddress(version, manifest.snapshot_id)

    def manifest(self, at: SnapshotAddress) -> Manifest:
        return read_manifest(self.store, at.version, str(at.snapshot_id))

    def rows(self, at: SnapshotAddress) -> list[Data]:
        """The rows of a snapshot, in order of their ids."""
        with open_snapshot(self.store, at.version, at.snapshot_id) as connection:
            found = connection.sql("SELECT * EXCLUDE (row_id) FROM snapshot.rows ORDER BY row_id")
            return found.pl().to_dicts()

    def _landed(
        self, number: int, label: str, source: Any, books: Books
    ) -> tuple[dict, InputReference, list[Row]]:
        source = read_source(self.store, source.source_id)
        rows = []
        for block in source.blocks:
            folder = block_folder(self.store, block.key)
            parsed = pl.read_parquet(folder / "parsed.parquet").to_dicts()
            origin = pl.read_parquet(folder / "origin.parquet").to_dicts()
            for index, (data, found) in enumerate(zip(parsed, origin, strict=True)):
                row = Row(number, block.first_row + index, data)
                if found["error"] is None:
                    rows.append(row)
                else:
                    row.data = found["raw"]
                    books.remove(row, LANDING_STEP, "quarantined", error=found["error"])
        record = _record(number, label, "files", ", ".join(f.name for f in source.files))
        record |= {"content_id": source.content_id, "row_count": source.rows}
        reference = InputReference(
            name=label, source_id=source.source_id, content_id=source.content_id
        )
        return record, reference, rows

    def _upstream(
        self, number: int, label: str, source: Any, books: Books
    ) -> tuple[dict, InputReference, list[Row]]:
        at = resolve(self.store, SnapshotAddress.parse(source))
        manifest = self.manifest(at)
        record = _record(number, label, "version", str(at.version)) | {
            "snapshot_id": at.snapshot_id,
            "content_id": manifest.content_id,
            "row_count": manifest.rows,
        }
        reference = InputReference(
            name=label,
            version=str(at.version),
            snapshot_id=at.snapshot_id,
            content_id=manifest.content_id,
        )
        found = enumerate(self.rows(at))
        return record, reference, [Row(number, row_id, data) for row_id, data in found]

    def _step(
        self, number: int, step: Step, rows: list[Row], names: list[str], books: Books
    ) -> list[Row]:
        on: list[Row] = []
        first: dict[Any, Row] = {}
        parts: dict[tuple[int, int], int] = {}
        for row in rows:
            if step.input not in (None, names[row.input]):
                on.append(row)
                continue
            said = step.what(row.data)
            if step.does == "edit":
                bit = (said != row.data) << number
                on.append(replace(row, data=said, changed=row.changed | bit))
            elif step.does == "drop" and said is not None:
                rule, measured, threshold = said
                books.remove(
                    row, number, "dropped", rule=rule, measured=measured, threshold=threshold
                )
            elif step.does == "fail" and said is not None:
                books.remove(row, number, "quarantined", error=said)
            elif step.does == "split":
                books.split += 1
                for piece in said or ():
                    ordinal = parts[row.key[:2]] = parts.get(row.key[:2], -1) + 1
                    bit = 1 << number
                    on.append(replace(row, data=piece, ordinal=ordinal, changed=row.changed | bit))
            elif step.does == "merge" and said in first:
                books.merged += 1
                keep = dict(
                    zip(
                        ("survivor_input", "survivor_row_id", "survivor_ordinal"),
                        first[said].key,
                        strict=True,
                    )
                )
                books.remove(row, number, "merged", rule="same", similarity=0.9, **keep)
            elif step.does == "join" and said in first:
                first[said].others += (row.key[:2], *row.others)
            elif step.does == "generate" and said is not None:
                on += [row, Row(row.input, row.parent, said, relation="generated")]
            else:
                first[said if step.does in ("merge", "join") else id(row)] = row
                on.append(row)
        return on

    def _write(
        self, built: SnapshotBuilder, rows: list[Row], books: Books, does: list[str]
    ) -> None:
        splits = sum(1 << number for number, what in enumerate(does) if what == "split")
        columns = sorted({name for row in rows for name in row.data}) or ["text"]
        data = {name: [row.data.get(name) for row in rows] for name in columns}
        kinds = {"row_id": pl.Int64, "text": pl.String}
        frame = pl.DataFrame({"row_id": range(len(rows)), **data}, schema_overrides=kinds)
        built.append("rows", frame)
        edges = [
            {
                "row_id": row_id,
                "parent_input": number,
                "parent_row_id": parent,
                "ordinal": row.ordinal,
                "relation": row.relation
                or ("merged" if row.others else None)
                or ("split" if row.changed & splits else None)
                or ("changed" if row.changed else "kept"),
                "changed_by": row.changed,
            }
            for row_id, row in enumerate(rows)
            for number, parent in (row.key[:2], *row.others)
        ]
        kinds = {"row_id": pl.Int64, "parent_row_id": pl.Int64, "changed_by": pl.UInt64}
        if edges:
            built.append("lineage", pl.DataFrame(edges, schema_overrides=kinds))
        for table in ("dispositions", "quarantine"):
            if found := getattr(books, table):
                frame = pl.DataFrame(found, infer_schema_length=None)
                built.append(table, frame)


STEP_COUNTS = (
    "rows_in", "kept", "changed", "merged", "split", "dropped", "quarantined", "generated",
    "rows_out", "cached",
)  # fmt: skip


def _record(number: int, label: str, kind: str, reference: str) -> dict:
    return {
        "input": number,
        "name": label,
        "kind": kind,
        "reference": reference,
        "snapshot_id": None,
        "licence": "CC-BY-4.0",
        "fetched_at": datetime.now(UTC).replace(tzinfo=None),
    }


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "store")


@pytest.fixture(scope="session")
def _built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable], tuple[Path, Any]]:
    @cache
    def built(build: Callable) -> tuple[Path, Any]:
        root = tmp_path_factory.mktemp("built") / "store"
        return root, build(Warehouse(root), Make)

    return built


@pytest.fixture
def copy_of(_built: Callable, warehouse: Warehouse) -> Callable[[Callable], tuple[Warehouse, Any]]:
    """Gives a copy of the store that a function builds, once for all tests, and what it returned."""

    def copy(build: Callable) -> tuple[Warehouse, Any]:
        root, result = _built(build)
        shutil.copytree(root, warehouse.store.root)
        return warehouse, result

    return copy


def _texts(*texts: str) -> list[str]:
    return [json.dumps({"text": text}) for text in texts]


class Make:
    """Steps over the column `text`, and lines that land as it."""

    lines = staticmethod(_texts)

    @staticmethod
    def step(name: str, does: Any, what: Callable[[Data], Any], input: str | None = None) -> Step:
        return Step(name, does, what, input)

    @staticmethod
    def drop_shorter(limit: int, name: str = "length") -> Step:
        def rule(row: Data) -> tuple[str, str, str] | None:
            n = len(row["text"])
            return ("too_short", str(n), f">= {limit}") if n < limit else None

        return Step(name, "drop", rule)

    @staticmethod
    def lower(name: str = "lower") -> Step:
        return Step(name, "edit", lambda row: {**row, "text": row["text"].lower()})

    @staticmethod
    def dedup(name: str = "dedup") -> Step:
        return Step(name, "merge", lambda row: row["text"])

    @staticmethod
    def sentences(name: str = "sentences") -> Step:
        return Step(
            name,
            "split",
            lambda row: [{**row, "text": part} for part in re.split(r"\. ", row["text"])],
        )

    @staticmethod
    def numbers_only(name: str = "parse") -> Step:
        return Step(name, "fail", lambda row: "no digit" if "!" in row["text"] else None)


@pytest.fixture
def make() -> type[Make]:
    return Make
