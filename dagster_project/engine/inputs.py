"""Opens a recipe's inputs: upstream snapshots where they are, external rows landed first."""

from __future__ import annotations

import math
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.engine.background import Background
from dagster_project.engine.batch import DISPOSITIONS, PARENT, dispositions, identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import Plan, RunStopped
from dagster_project.identity import digest
from dagster_project.operators.acquire.block import Block, Reader
from dagster_project.operators.acquire.column_types import conform, storable, unify_schemas
from dagster_project.operators.acquire.files_reader import FilesReader
from dagster_project.operators.acquire.source_files import ReadLimits
from dagster_project.recipe.model import (
    ContestInput,
    FilesInput,
    GeneratedInput,
    HuggingFaceInput,
    Input,
    PythonInput,
    SqlInput,
    VersionInput,
)
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.erasure.notes import ErasedRecords
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.landing import (
    LandedBlock,
    LandedFile,
    LandedSource,
    block_folder,
    find_block,
    land_block,
    land_source,
)
from dagster_project.warehouse.manifest import InputReference
from dagster_project.warehouse.publish import current
from dagster_project.warehouse.schema import FORMAT, LANDING_STEP
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace

CHUNK_ROWS = 65_536
CHUNK_BYTES = 32 * 2**20
"""A chunk is what is in memory at once: at most so many rows, of about so many bytes."""

TRIAL_CHUNKS = 8
"""Chunks of an input that a trial looks into, unless they have too few rows."""

LANDING_THREADS = min(4, os.cpu_count() or 1)
"""Blocks parsed at once; each takes some five times `BLOCK_BYTES` of memory."""

PANDAS_INDEX = re.compile(r"__index_level_\d+__")

Progress = Callable[[str], None]


@dataclass(frozen=True)
class OpenInput:
    """An input, ready to be read.

    Attributes:
        number: its position in the recipe; references come after inputs, and seeds after them.
        name: as in the recipe.
        schema: its columns.
        chunks: its readable rows.
        rows: all of its rows, unreadable ones too.
        unreadable: `DISPOSITIONS` of records that could not be read.
        reference: what the manifest says of it.
        record: its line in the snapshot's `inputs`.
        files: its lines in the snapshot's `input_files`.
    """

    number: int
    name: str
    schema: pl.Schema
    chunks: list[Chunk]
    rows: int
    unreadable: pl.DataFrame
    reference: InputReference
    record: dict
    files: list[dict]


def open_inputs(plan: Plan, workspace: Workspace, store: Store, say: Progress) -> list[OpenInput]:
    """Open all inputs of a plan whose rows are there already, in order.

    Raises:
        RunStopped: when an upstream version has no published snapshot, or too many records of an
            input could not be read.
        InputError: when an input cannot be read at all.
    """
    return [
        _open(plan, number, name, source, workspace, store, say)
        for number, (name, source) in enumerate(plan.declared.recipe.inputs.items())
        if not isinstance(source, GeneratedInput)
    ]


def open_seeds(
    plan: Plan, workspace: Workspace, store: Store, say: Progress
) -> dict[str, OpenInput]:
    """Open the seeds of generated inputs, by the input's name; numbered after the references.

    Raises:
        RunStopped, InputError: as for inputs.
    """
    recipe = plan.declared.recipe
    first = len(recipe.inputs) + len(recipe.references)
    return {
        name.removesuffix(".seeds"): _open(plan, number, name, source, workspace, store, say)
        for number, (name, source) in enumerate(recipe.seeds().items(), first)
    }


def open_references(
    plan: Plan, workspace: Workspace, store: Store, say: Progress
) -> list[OpenInput]:
    """Open all references of a plan, in order; numbered after the inputs.

    Raises:
        RunStopped, InputError: as for inputs.
    """
    recipe = plan.declared.recipe
    return [
        _open(plan, number, name, source, workspace, store, say)
        for number, (name, source) in enumerate(recipe.references.items(), len(recipe.inputs))
    ]


def _open(
    plan: Plan,
    number: int,
    name: str,
    source: Input,
    workspace: Workspace,
    store: Store,
    say: Progress,
) -> OpenInput:
    if isinstance(source, VersionInput):
        return _open_version(plan, number, name, source, store)
    reader, kind, reference = _reader(plan, name, source, workspace, store)
    say(f"landing {name}: {reference}")
    landed = _land(store, reader)
    opened = open_landed(number, name, source, landed, store, kind, reference)
    _limit_unreadable(plan, name, opened)
    return opened


def _open_version(
    plan: Plan, number: int, name: str, source: VersionInput, store: Store
) -> OpenInput:
    upstream = VersionName.parse(source.version)
    manifest = current(store, upstream)
    if manifest is None:
        raise RunStopped(
            f"{plan.name}: {name} is {upstream}, which has no published snapshot yet; "
            f"materialize {upstream} first"
        )
    connection = open_snapshot(store, upstream, manifest.snapshot_id)
    with connection:
        _require_layout(connection, upstream)
        schema = connection.sql("SELECT * EXCLUDE (row_id) FROM snapshot.rows LIMIT 0").pl().schema
        per_row = manifest.size / max(manifest.rows, 1)
        size = CHUNK_ROWS
        while size > 1024 and size * per_row > CHUNK_BYTES:
            size //= 2
        pieces = connection.execute(
            f"SELECT row_id // {size}, count(*), md5(string_agg(content_hash, ',' ORDER BY row_id))"
            " FROM snapshot.row_hashes GROUP BY 1 ORDER BY 1"
        ).fetchall()

    def loader(first: int) -> Callable[[], pl.DataFrame]:
        def load() -> pl.DataFrame:
            with open_snapshot(store, upstream, manifest.snapshot_id) as reading:
                data = reading.sql(
                    f"SELECT * FROM snapshot.rows WHERE row_id BETWEEN {first} AND "
                    f"{first + size - 1} ORDER BY row_id"
                ).pl()
            parents = data["row_id"].alias(PARENT)  # erased rows have left gaps
            return identified(data.drop("row_id"), number, first).with_columns(parents)

        return load

    kinds = [[column, str(kind)] for column, kind in schema.items()]
    if manifest.erasures:  # rows do not follow one another
        kinds.append(["erasures", manifest.erasures[-1].erasure])
    chunks = [
        Chunk(
            digest(["version", number, part * size, hashed, kinds]),
            number,
            rows,
            loader(part * size),
        )
        for part, rows, hashed in pieces
    ]
    return OpenInput(
        number=number,
        name=name,
        schema=schema,
        chunks=chunks,
        rows=manifest.rows,
        unreadable=pl.DataFrame(schema=DISPOSITIONS),
        reference=InputReference(
            name=name,
            version=str(upstream),
            snapshot_id=manifest.snapshot_id,
            content_id=manifest.content_id,
        ),
        record=_record(
            number,
            name,
            "version",
            str(upstream),
            source,
            manifest.content_id,
            manifest.rows,
            snapshot_id=manifest.snapshot_id,
        ),
        files=[],
    )


def _require_layout(connection: duckdb.DuckDBPyConnection, version: VersionName) -> None:
    found = connection.execute(
        "SELECT value FROM snapshot.manifest WHERE key = 'format'"
    ).fetchall()
    if found != [(str(FORMAT),)]:
        raise RunStopped(
            f"{version} was written by another version of Seedbed, which keeps less of where rows come "
            f"from; materialize {version} again first"
        )


def _reader(
    plan: Plan, name: str, source: Input, workspace: Workspace, store: Store
) -> tuple[Reader, str, str]:
    """The reader of an external input, its kind, and what a person calls it."""
    if isinstance(source, FilesInput):
        limits = plan.declared.recipe.limits
        reader = FilesReader(
            workspace.root,
            source.files,
            source.format,
            source.columns,
            ReadLimits(max_line_bytes=limits.max_line_bytes, max_expansion=limits.max_expansion),
        )
        return reader, "files", ", ".join(source.files)
    if isinstance(source, HuggingFaceInput):
        from dagster_project.operators.acquire.huggingface_reader import HuggingFaceReader

        reader = HuggingFaceReader(source.huggingface, source.config, source.split, source.revision)
        return reader, "huggingface", f"{source.huggingface} [{source.split}]"
    if isinstance(source, PythonInput):
        from dagster_project.operators.acquire.python_reader import PythonReader

        file, _, function = source.python.partition(":")
        path = plan.declared.folder / file
        label = f"{plan.name.dataset}/{source.python}"
        return PythonReader(path, function, source.params, label), "python", label
    if isinstance(source, ContestInput):
        from dagster_project.engine.contest_source import ContestReader

        return ContestReader(store, source, name), "contest", ", ".join(source.versions)
    assert isinstance(source, SqlInput)
    from dagster_project.engine.sql_source import SqlReader

    versions = [VersionName.parse(version) for version in source.versions]
    return SqlReader(store, source.sql, versions, name), "sql", source.sql


def _land(store: Store, reader: Reader) -> LandedSource:
    erased = ErasedRecords(store)

    def land(block: Block) -> LandedBlock:
        landed = find_block(store, block.key)
        if landed is None:
            records = block.parse()
            gone = erased.among(records.parsed, records.origin)
            landed = land_block(store, block.key, records.parsed, records.origin, gone)
            failpoint("block_landed")
        return landed

    with Background(LANDING_THREADS) as background:
        landing = [background.call(land, block) for block in reader.blocks()]
    blocks = [future.result() for future in landing]
    files = [
        LandedFile(name=file.name, uri=file.uri, sha256=file.sha256, size=file.size)
        for file in reader.files()
    ]
    source = land_source(store, blocks, files)
    failpoint("source_landed")
    return source


def open_landed(
    number: int,
    name: str,
    source: Input,
    landed: LandedSource,
    store: Store,
    kind: str,
    reference: str,
    schema: pl.Schema | None = None,
) -> OpenInput:
    """Open a landed source as an input. `schema`: its columns, where its records do not tell."""
    paths = [block_folder(store, block.key) for block in landed.blocks]
    if schema is None:
        found = (pl.read_parquet_schema(path / "parsed.parquet") for path in paths)
        schema = storable(unify_schemas(found))
    renamed = _pandas_index(schema)
    schema = pl.Schema({renamed.get(column, column): type_ for column, type_ in schema.items()})
    kinds = [[column, str(type_)] for column, type_ in schema.items()]

    def loader(block: LandedBlock, path: Path) -> Callable[[], pl.DataFrame]:
        def load() -> pl.DataFrame:
            data = pl.read_parquet(path / "parsed.parquet").rename(renamed, strict=False)
            data = conform(data, schema)
            batch = identified(data, number, block.first_row)
            if block.unreadable:
                error = pl.read_parquet(path / "origin.parquet", columns=["error"])["error"]
                batch = batch.filter(error.is_null())
            return batch

        return load

    chunks = [
        Chunk(
            digest(["landed", number, block.first_row, block.key, kinds]),
            number,
            block.rows - block.unreadable,
            loader(block, path),
        )
        for block, path in zip(landed.blocks, paths, strict=True)
    ]
    unreadable = [
        _unreadable(pl.read_parquet(path / "origin.parquet"), number, block)
        for block, path in zip(landed.blocks, paths, strict=True)
        if block.unreadable
    ]
    return OpenInput(
        number=number,
        name=name,
        schema=schema,
        chunks=chunks,
        rows=landed.rows,
        unreadable=pl.concat([pl.DataFrame(schema=DISPOSITIONS), *unreadable]),
        reference=InputReference(
            name=name, source_id=landed.source_id, content_id=landed.content_id
        ),
        record=_record(number, name, kind, reference, source, landed.content_id, landed.rows),
        files=[{"input": number, **file.model_dump()} for file in landed.files],
    )


def _pandas_index(schema: pl.Schema) -> dict[str, str]:
    """New names for columns as pandas calls its index, which begin as the engine's own do:
    `index_level_0` for `__index_level_0__`, unless there is one of that name."""
    found = {name: name.strip("_") for name in schema if PANDAS_INDEX.fullmatch(name)}
    return {name: new for name, new in found.items() if new not in schema}


def _unreadable(origin: pl.DataFrame, number: int, block: LandedBlock) -> pl.DataFrame:
    rows = identified(origin, number, block.first_row)
    erased = (pl.col(PARENT) - block.first_row).is_in(block.erased)
    place = pl.format("{}:{}: {}", "file", "line", "error")
    broken = dispositions(
        rows.filter(pl.col("error").is_not_null() & ~erased),
        LANDING_STEP,
        "quarantined",
        error=place,
        content=pl.coalesce("raw", pl.col("raw_bytes").bin.encode("base64")),
    )
    gone = rows.filter(erased)
    return pl.concat(
        [broken, dispositions(gone, LANDING_STEP, "dropped", rule="erased", error=place)]
    )


def _limit_unreadable(plan: Plan, name: str, opened: OpenInput) -> None:
    broken = opened.unreadable.filter(pl.col("disposition") == "quarantined")
    bad, limit = broken.height, plan.declared.recipe.limits.quarantine
    if bad > limit * opened.rows:
        shown = "\n  ".join(broken["error"].head(3))
        raise RunStopped(
            f"{plan.name}: {bad:,} of {opened.rows:,} records of input {name} cannot be read, more "
            f"than the limit of {limit:.2%}. Nothing is published; every record is kept as it was "
            f"found. Mend the file, or raise `limits: {{quarantine: …}}`. First of them:\n  {shown}"
        )


def _record(
    number: int,
    name: str,
    kind: str,
    reference: str,
    source: Input,
    content_id: str,
    rows: int,
    snapshot_id: str | None = None,
) -> dict:
    return {
        "input": number,
        "name": name,
        "kind": kind,
        "reference": reference,
        "snapshot_id": snapshot_id,
        "content_id": content_id,
        "licence": source.licence,
        "row_count": rows,
        "fetched_at": datetime.now(UTC).replace(tzinfo=None),
    }


def trial_rows(chunks: list[Chunk], limit: int) -> list[Chunk]:
    """`limit` rows, or somewhat fewer, drawn at random from chunks spread over the input; the same
    for the same input."""
    rows = sum(chunk.rows for chunk in chunks)
    if rows <= limit:
        return chunks
    count = min(len(chunks), max(TRIAL_CHUNKS, math.ceil(limit * len(chunks) / rows)))
    spread = [chunks[index * len(chunks) // count] for index in range(count)]
    taken, left = [], limit
    for index, chunk in enumerate(sorted(spread, key=lambda chunk: chunk.rows)):
        share = min(chunk.rows, left // (count - index))
        taken.append((chunk, share))
        left -= share
    order = {id(chunk): position for position, chunk in enumerate(spread)}
    taken.sort(key=lambda item: order[id(item[0])])
    return [_drawn(chunk, share) for chunk, share in taken if share]


def _drawn(chunk: Chunk, count: int) -> Chunk:
    rows = sorted(random.Random(chunk.key).sample(range(chunk.rows), count))
    return Chunk(
        digest([chunk.key, "drawn", count]), chunk.input, count, lambda: chunk.load()[rows]
    )
