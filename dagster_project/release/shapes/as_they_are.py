"""Rows as they are in the version: JSON lines, Parquet, and a folder for Hugging Face's `datasets`."""

from __future__ import annotations

import polars as pl

from dagster_project.release.shapes.dataset_card import dataset_card
from dagster_project.release.shapes.shape import Shape, Shaped


def _as_they_are(schema: pl.Schema) -> Shaped | None:
    return Shaped({name: pl.col(name) for name in schema if name != "row_id"})


SHAPES = (
    Shape("jsonl", "any columns", _as_they_are, keep_nulls=True),
    Shape("parquet", "any columns", _as_they_are, file="parquet"),
    Shape("hf", "any columns", _as_they_are, file="parquet", beside=dataset_card),
)
