"""Writes what an export holds: rows in files, rows that are left out, the manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from dagster_project.errors import SeedbedError
from dagster_project.identity import file_digest
from dagster_project.operators.base import Rule
from dagster_project.operators.process.column_kinds import holds_binary
from dagster_project.release.files.json_lines import JsonLines, json_line
from dagster_project.release.files.manifest import (
    ExportManifest,
    FileEntry,
    Options,
    RowCounts,
    Tool,
    write_manifest,
)
from dagster_project.release.files.parquet import Parquet
from dagster_project.release.files.shards import Shards
from dagster_project.release.rows import SPLIT, RowsRefused, SnapshotRows
from dagster_project.release.shapes.catalogue import choose
from dagster_project.release.shapes.shape import (
    EVALUATION_SPLITS,
    Contents,
    Fields,
    Json,
    ShardFile,
)
from dagster_project.warehouse.address import Answer

LEFT_OUT = "left_out.jsonl"
CODECS = {None: None, "zst": "zstd", "gz": "gzip"}
SHOWN = 5


class ExportFailed(SeedbedError):
    """Files that could not be written, or that their reader would refuse."""


class LeftOut(Answer):
    """A row that is not in the export.

    Attributes:
        row_id: which.
        split: in which split it would be.
        rule: that it breaks.
        reason: what was found, and what is wanted.
    """

    row_id: int
    split: str
    rule: str
    reason: str


class ExportWriter:
    """Writes the files of one export.

    Args:
        rows: of which snapshot.
        format: as `export` takes it.
        options: how it was asked for.

    Raises:
        ShapeRefused: when the rows cannot have this format.
        RowsRefused: when a column or the name of a split will not do.
    """

    def __init__(self, rows: SnapshotRows, format: str, options: Options) -> None:
        self.rows, self.options = rows, options
        name = str(rows.address.version)
        phase = rows.said("phase") or "unknown"
        self.shape, shaped = choose(format, rows.schema, phase, name)
        self.rules = shaped.rules
        self.fields = self._with_further(shaped.fields)
        self.splits = rows.splits(options.split_by)
        self.json_columns = [
            field.column for field in _leaves(self.fields) if isinstance(field, Json)
        ]
        self.reads = self._columns_read()
        self.left_out: Counter[str] = Counter()
        self.shown: list[LeftOut] = []

    def _with_further(self, fields: Fields) -> Fields:
        """The shape's fields, then columns that go along and the row's id."""
        asked = self.options.columns
        if asked is not None:
            self.rows.require(asked)
        if not self.shape.further and (asked or self.options.row_ids):
            raise RowsRefused(
                f"{self.shape.name} is read by a service that refuses other fields; leave out "
                "--columns and --row-ids (rows are in the order of their ids, without those of "
                f"{LEFT_OUT})"
            )
        if asked is not None and self._as_they_are():
            fields = {name: pl.col(name) for name in asked}
        elif asked:
            taken = [name for name in asked if name in fields]
            if taken:
                raise RowsRefused(
                    f"{self.shape.name} has a field {taken[0]!r} of its own; rename the column "
                    "with `map_columns`"
                )
            fields = {**fields, **{name: pl.col(name) for name in asked}}
        if self.options.row_ids:
            fields = {**fields, "row_id": pl.col("row_id")}
        return fields

    def _as_they_are(self) -> bool:
        return self.shape.keep_nulls or self.shape.file == "parquet"

    def _columns_read(self) -> list[str]:
        """The columns that fields and rules are made from, in the order of the version."""
        used = set(self.json_columns)
        for expression in (
            *(field for field in _leaves(self.fields) if isinstance(field, pl.Expr)),
            *(part for rule in self.rules for part in (rule.keep, rule.measured)),
        ):
            used.update(expression.meta.root_names())
        schema = self.rows.schema
        if self.shape.file == "jsonl":
            for name in schema:
                if name in used and holds_binary(schema[name]):
                    raise RowsRefused(
                        f"column {name!r} holds bytes, for which JSON has no word; leave it out "
                        "with --columns, or export as parquet or hf"
                    )
        return [name for name in schema if name in used and name != "row_id"]

    def write(self, folder: Path, progress: Callable[[str], None]) -> ExportManifest:
        """Write everything to a folder; returns the manifest.

        Raises:
            ExportFailed: when too few rows are left for the reader of the format.
        """
        schema = self._parquet_schema() if self.shape.file == "parquet" else None
        shards = {split: self._shards(folder, split, schema) for split in self.splits}
        reasons = JsonLines(folder / LEFT_OUT, None)
        done = 0
        try:
            pages = self.rows.pages(self.reads, self.options.split_by, self.json_columns)
            write = self._write_lines if schema is None else self._write_tables
            for page in pages:
                write(page, shards, reasons)
                done += len(page)
                progress(f"{done:,} of {self.rows.manifest.rows:,} rows")
            files = [file for split in self.splits for file in shards[split].finish()]
        finally:
            reasons.close()
            for shard in shards.values():
                shard.abandon()
        if not self.left_out:
            (folder / LEFT_OUT).unlink()
        self._require_enough(files)
        self._write_beside(folder, files, schema)
        manifest = self._manifest(folder, files)
        write_manifest(folder, manifest)
        return manifest

    def _shards(self, folder: Path, split: str, schema: pa.Schema | None) -> Shards:
        compress = self.options.compress
        codec = CODECS[compress]
        if schema is not None:
            return Shards(
                folder,
                split,
                "parquet",
                self.options.shard_rows,
                lambda path: Parquet(path, schema, codec),
            )
        ending = f"jsonl.{compress}" if compress else "jsonl"
        return Shards(
            folder, split, ending, self.options.shard_rows, lambda path: JsonLines(path, codec)
        )

    def _parquet_schema(self) -> pa.Schema:
        return self.rows.page(self.reads, None, range(0)).select(list(self.fields)).schema

    def _write_tables(self, page: pa.Table, shards: dict[str, Shards], _: JsonLines) -> None:
        for split in self.splits:
            rows = page if len(self.splits) == 1 else page.filter(pc.field(SPLIT) == split)
            shards[split].write(rows.select(list(self.fields)))

    def _write_lines(self, page: pa.Table, shards: dict[str, Shards], reasons: JsonLines) -> None:
        frame = pl.DataFrame(page)
        line = json_line(self.fields, frame.schema, keep_nulls=self.shape.keep_nulls)
        shaped = frame.select(
            "row_id", pl.col(SPLIT).alias("split"), *_broken(self.rules), line.alias("line")
        )
        kept = shaped.filter(pl.col("rule").is_null())
        for part in kept.partition_by("split", maintain_order=True):
            shards[part["split"][0]].write(part["line"])
        out = shaped.filter(pl.col("rule").is_not_null()).drop("line")
        if out.height:
            fields = {name: pl.col(name) for name in out.columns}
            reasons.write(out.select(json_line(fields, out.schema, keep_nulls=True)).to_series())
            self.left_out.update(dict(out["rule"].value_counts().iter_rows()))
            few = out.head(SHOWN - len(self.shown)).to_dicts()
            self.shown += [LeftOut.model_validate(row) for row in few]

    def _require_enough(self, files: Sequence[ShardFile]) -> None:
        left_out = self.left_out.total()
        reasons = "".join(f"\n  row {row.row_id}, {row.rule}: {row.reason}" for row in self.shown)
        if left_out and left_out == self.rows.manifest.rows:
            raise ExportFailed(
                f"none of the {left_out:,} rows of {self.rows.address} can be {self.shape.name}, so "
                f"nothing is written:{reasons}"
            )
        for file in files:
            if file.split not in EVALUATION_SPLITS and file.rows < self.shape.least:
                raise ExportFailed(
                    f"{file.path} would have {file.rows:,} rows; {self.shape.name} needs at least "
                    f"{self.shape.least} in a file to train on, so nothing is written. "
                    f"{left_out:,} rows are left out{':' if reasons else ''}{reasons}"
                )

    def _write_beside(
        self, folder: Path, files: Sequence[ShardFile], schema: pa.Schema | None
    ) -> None:
        recipe = self.rows.said("recipe") or {}
        contents = Contents(
            version=str(self.rows.address.version),
            snapshot_id=self.rows.manifest.snapshot_id,
            content_id=self.rows.manifest.content_id,
            description=recipe.get("description", ""),
            licence=self.rows.said("licence"),
            fields=list(self.fields),
            schema=schema,
            files=files,
            size=sum((folder / file.path).stat().st_size for file in files),
        )
        for name, text in self.shape.beside(contents).items():
            (folder / name).write_text(text, "utf-8")

    def _manifest(self, folder: Path, files: Sequence[ShardFile]) -> ExportManifest:
        found = self.rows.manifest
        rows: dict[str, int] = {str(file.path): file.rows for file in files}
        left_out = self.left_out.total()
        if left_out:
            rows[LEFT_OUT] = left_out
        splits = Counter[str]()
        for file in files:
            splits[file.split] += file.rows
        exported = splits.total()
        if exported + left_out != found.rows:
            raise ExportFailed(
                f"{self.rows.address} has {found.rows:,} rows, but {exported:,} were written "
                f"and {left_out:,} left out. This is a defect; nothing is exported"
            )
        return ExportManifest(
            tool=Tool(version=_tool_version()),
            version=found.version,
            snapshot_id=found.snapshot_id,
            content_id=found.content_id,
            recipe_id=found.recipe_id,
            phase=self.rows.said("phase") or "unknown",
            licence=self.rows.said("licence"),
            format=self.shape.name,
            options=self.options,
            rows=RowCounts(snapshot=found.rows, exported=exported, left_out=left_out),
            splits=dict(splits),
            left_out=dict(sorted(self.left_out.items())),
            sources=tuple(self.rows.sources()),
            files=tuple(
                FileEntry(
                    path=path.relative_to(folder).as_posix(),
                    bytes=path.stat().st_size,
                    rows=rows.get(path.relative_to(folder).as_posix()),
                    sha256=file_digest(path),
                )
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            ),
        )


def _leaves(fields: Fields) -> list[pl.Expr | Json]:
    leaves: list[pl.Expr | Json] = []
    for field in fields.values():
        leaves += [field] if isinstance(field, pl.Expr | Json) else _leaves(field)
    return leaves


def _broken(rules: Sequence[Rule]) -> tuple[pl.Expr, pl.Expr]:
    """The first rule that each row breaks and what was found; null for a row that breaks none."""
    rule, reason = pl.lit(None, pl.String), pl.lit(None, pl.String)
    for each in reversed(rules):
        broken = ~each.keep.fill_null(False)
        found = each.measured.cast(pl.String).fill_null("nothing").str.slice(0, 200)
        text = pl.format("found {}; wanted {}", found, pl.lit(each.threshold))
        rule = pl.when(broken).then(pl.lit(each.name)).otherwise(rule)
        reason = pl.when(broken).then(text).otherwise(reason)
    return rule.alias("rule"), reason.alias("reason")


def _tool_version() -> str:
    try:
        return version("seedbed")
    except PackageNotFoundError:
        return "not installed"
