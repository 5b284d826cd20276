"""What the shape of an exported row is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

import polars as pl
import pyarrow as pa

from dagster_project.operators.base import Rule

EVALUATION_SPLITS = frozenset({"validation", "valid", "val", "dev", "eval", "test"})
"""Names of splits that are not trained on."""


@dataclass(frozen=True)
class Json:
    """A column of JSON texts, written as the JSON they are."""

    column: str


Field = pl.Expr | Json | Mapping[str, "Field"]
Fields = Mapping[str, Field]
"""The fields of an exported row, in order: an expression over the version's columns, a column of
JSON, or an object of further fields."""


@dataclass(frozen=True)
class Shaped:
    """How a version's rows become rows of a shape.

    Attributes:
        fields: of the rows.
        rules: a row that breaks one is left out.
    """

    fields: Fields
    rules: tuple[Rule, ...] = ()


@dataclass(frozen=True)
class ShardFile:
    """A file of rows.

    Attributes:
        split: of which split.
        path: in the export's folder.
        rows: how many.
        memory: their size as Arrow, bytes; 0 where they are text.
    """

    split: str
    path: PurePosixPath
    rows: int
    memory: int = 0


@dataclass(frozen=True)
class Contents:
    """What an export holds, for the files that describe it.

    Attributes:
        version: `dataset/version`.
        snapshot_id: the snapshot it is of.
        content_id: identity of the snapshot's rows.
        description: what the recipe says.
        licence: SPDX identifier, as the recipe says.
        fields: names of the rows' fields.
        schema: of the rows, where they are Parquet.
        files: of rows, by split and number.
        size: of those files, bytes.
    """

    version: str
    snapshot_id: str
    content_id: str
    description: str
    licence: str | None
    fields: Sequence[str]
    schema: pa.Schema | None
    files: Sequence[ShardFile]
    size: int


@dataclass(frozen=True)
class Shape:
    """The shape of rows, or of rows as they are.

    Attributes:
        name: `family:kind`, or `family:kind:form`.
        needs: the columns it is made from, for people.
        shaped: how rows with these columns take the shape; None when they cannot.
        file: what the rows are written as.
        keep_nulls: whether null is written; otherwise a field that is null is left out.
        further: whether rows may have fields that the shape does not name.
        least: the fewest rows a file to train on may have.
        beside: further files of the export, by name.
    """

    name: str
    needs: str
    shaped: Callable[[pl.Schema], Shaped | None]
    file: Literal["jsonl", "parquet"] = "jsonl"
    keep_nulls: bool = False
    further: bool = True
    least: int = 0
    beside: Callable[[Contents], Mapping[str, str]] = lambda _: {}


def required(column: str) -> Rule:
    """A text that must not be null."""
    there = pl.col(column).is_not_null()
    return Rule(column, there, pl.lit(f"no {column}"), "a text")
