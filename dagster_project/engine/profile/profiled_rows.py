"""The rows of a snapshot, or of a file, that a profile is made of, as what they say."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from dagster_project.engine.inspection.rows_looked_at import few_valued
from dagster_project.engine.inspection.source_rows import data_columns, measured_columns
from dagster_project.engine.profile.text_parts import (
    NAMES_OF_TEXTS,
    NoText,
    TextParts,
    text_parts,
)
from dagster_project.errors import SeedbedError
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import identifier
from dagster_project.warehouse.reading import OpenSnapshot, Reader, row_ids

BATCH = 100_000
"""Rows that are read at once."""

LABEL_LENGTH = 80
FEW_VALUES = 50
"""Characters, and number, of the values of a column of labels; as `few_valued` has it."""


class TargetRefused(SeedbedError):
    """A file that rows cannot be compared with."""


@dataclass(frozen=True)
class SaidRows:
    """Rows as what they say.

    Attributes:
        name: of the version or file.
        total: rows there are.
        parts: which columns say it.
        labels: columns of few values.
        frame: `row_id`, the columns of `text_parts.SAYS`, `chat` where there is one, and the labels.
    """

    name: str
    total: int
    parts: TextParts
    labels: tuple[str, ...]
    frame: pl.DataFrame

    def sample(self, rows: int, seed: int) -> pl.DataFrame:
        """At most so many of them, drawn at random, in their order."""
        return drawn(self.frame, rows, seed)


@dataclass(frozen=True)
class SnapshotRows(SaidRows):
    """Rows of a snapshot.

    Attributes:
        reader, snapshot: of which.
        schema, scores: data columns, and measured ones.
        phase: that the rows are for.
    """

    reader: Reader
    snapshot: OpenSnapshot
    schema: pl.Schema
    scores: pl.Schema
    phase: str

    def batches(self) -> Iterator[pl.DataFrame]:
        """What all rows say, looked at or not, some at a time: `row_id` and `SAYS`."""
        for start in range(0, self.snapshot.manifest.numbers, BATCH):
            yield self.texts(f"row_id >= {start} AND row_id < {start + BATCH}")

    def measured(self, column: str) -> pl.DataFrame:
        """`row_id` and `value` of a measured column, of the rows that are looked at."""
        found = self.reader.connection.sql(
            f"SELECT row_id, {identifier(column)} AS value FROM {self.snapshot.table('scores')} "
            f"WHERE row_id IS NOT NULL AND {identifier(column)} IS NOT NULL"
        ).pl()
        if len(self.frame) < self.total:
            found = found.join(self.frame.select("row_id"), on="row_id", how="semi")
        return found.sort("row_id")

    def texts(self, condition: str) -> pl.DataFrame:
        """What rows say, looked at or not, of which a condition in SQL holds: `row_id` and `SAYS`."""
        where = f"WHERE {condition}"
        return _read(self.reader, self.snapshot, self.schema, self.parts, (), where)

    def columns(self, names: Sequence[str]) -> pl.DataFrame:
        """`row_id` and some data columns, of the rows that are looked at."""
        wanted = ", ".join(map(identifier, ("row_id", *names)))
        rows = self.reader.connection.sql(f"SELECT {wanted} FROM {self.snapshot.table('rows')}")
        return rows.pl().join(self.frame.select("row_id"), on="row_id", how="semi").sort("row_id")


def snapshot_rows(
    reader: Reader,
    address: SnapshotAddress,
    *,
    seed: int = 0,
    most_rows: int | None = None,
    prompt: str | None = None,
    answer: str | None = None,
) -> SnapshotRows:
    """Read rows of a snapshot.

    Args:
        reader: of the store.
        address: which snapshot.
        seed: of the sample.
        most_rows: how many are looked at, drawn at random; None for all.
        prompt, answer: columns that are these parts, where their names do not say so.

    Raises:
        NoText: when there is no text, or no such column.
        NotPublished: when the version has no current snapshot.
    """
    snapshot = reader.open(address)
    total, table = snapshot.manifest.rows, snapshot.table("rows")
    schema = data_columns(reader, snapshot)
    candidates = [name for name in _may_be_labels(schema) if name not in {prompt, answer}]
    labels = few_valued(reader, candidates, table, total)
    try:
        parts = text_parts(schema, labels, prompt, answer)
    except NoText as error:
        raise NoText(f"{snapshot.address}: {error}") from error
    where = ""
    if most_rows is not None and most_rows < total:
        chosen = sorted(random.Random(seed).sample(row_ids(reader, snapshot), most_rows))
        register(reader, "profiled", pl.DataFrame({"row_id": chosen}, {"row_id": pl.Int64}))
        where = "SEMI JOIN profiled USING (row_id)"
    frame = _read(reader, snapshot, schema, parts, labels, where)
    facts = dict(
        reader.all(f"SELECT key, value FROM {snapshot.table('manifest')} WHERE key = 'phase'")
    )
    return SnapshotRows(
        name=str(snapshot.address),
        total=total,
        parts=parts,
        labels=tuple(labels),
        frame=frame,
        reader=reader,
        snapshot=snapshot,
        schema=schema,
        scores=measured_columns(reader, snapshot),
        phase=json.loads(facts.get("phase", '""')),
    )


def file_rows(path: Path, *, seed: int = 0, most_rows: int | None = None) -> SaidRows:
    """Read rows of a file: `.jsonl`, `.ndjson`, `.json` (a list), `.parquet` or `.csv`; `row_id` counts
    from 0.

    Raises:
        TargetRefused: when it cannot be read.
        NoText: when it has no text.
    """
    readers = {
        ".jsonl": lambda: pl.read_ndjson(path, infer_schema_length=None),
        ".ndjson": lambda: pl.read_ndjson(path, infer_schema_length=None),
        ".json": lambda: pl.read_json(path, infer_schema_length=None),
        ".parquet": lambda: pl.read_parquet(path, glob=False),
        ".csv": lambda: pl.read_csv(path, glob=False, infer_schema_length=None),
    }
    if path.suffix.lower() not in readers:
        raise TargetRefused(f"{path}: cannot be read; it must be one of {', '.join(readers)}")
    try:
        rows = readers[path.suffix.lower()]()
    except (OSError, PolarsError) as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TargetRefused(f"{path}: cannot be read: {why}") from error
    counts = rows.select(pl.col(name).n_unique() for name in _may_be_labels(rows.schema)).to_dicts()
    most = min(FEW_VALUES, rows.height // 2)
    labels = [name for name, n in (counts[0] if counts else {}).items() if n <= most]
    labels = [name for name in labels if _longest(rows[name]) <= LABEL_LENGTH]
    try:
        parts = text_parts(rows.schema, labels)
    except NoText as error:
        raise NoText(f"{path}: {error}") from error
    frame = said(rows.with_row_index("row_id"), parts, labels)
    return SaidRows(
        name=str(path),
        total=rows.height,
        parts=parts,
        labels=tuple(labels),
        frame=drawn(frame, most_rows or rows.height, seed),
    )


def said(rows: pl.DataFrame, parts: TextParts, labels: Sequence[str]) -> pl.DataFrame:
    """`SaidRows.frame` of rows with a `row_id`. Labels are named `label:<column>`."""
    chat = [pl.col(parts.chat).alias("chat")] if parts.chat is not None else []
    return rows.select(
        pl.col("row_id").cast(pl.Int64),
        *parts.expressions(rows.schema).values(),
        *chat,
        *(pl.col(name).cast(pl.String).alias(f"label:{name}") for name in labels),
    )


def drawn(frame: pl.DataFrame, rows: int, seed: int) -> pl.DataFrame:
    """At most so many rows of a frame, drawn at random, in their order."""
    if frame.height <= rows:
        return frame
    return frame[sorted(random.Random(seed).sample(range(frame.height), rows))]


def register(reader: Reader, name: str, frame: pl.DataFrame) -> None:
    """Make a temporary table of a frame."""
    reader.connection.register("incoming", frame.to_arrow())
    reader.all(f"CREATE OR REPLACE TEMP TABLE {identifier(name)} AS FROM incoming")
    reader.connection.unregister("incoming")


def _read(
    reader: Reader,
    snapshot: OpenSnapshot,
    schema: pl.Schema,
    parts: TextParts,
    labels: Sequence[str],
    where: str,
) -> pl.DataFrame:
    wanted = ", ".join(map(identifier, ["row_id", *parts.columns(), *labels]))
    found = reader.connection.sql(f"SELECT {wanted} FROM {snapshot.table('rows')} {where}").pl()
    return said(found.sort("row_id"), parts, labels)


def _may_be_labels(schema: pl.Schema) -> list[str]:
    """Columns of plain values that are not prompts, answers or texts by their names."""
    return [
        name
        for name, kind in schema.items()
        if kind == pl.Boolean
        or kind.is_integer()
        or (kind == pl.String and name.lower() not in NAMES_OF_TEXTS)
    ]


def _longest(column: pl.Series) -> int:
    return column.cast(pl.String).str.len_chars().max() or 0  # type: ignore[return-value]
