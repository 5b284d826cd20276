"""Which rows were generated upstream, how deep they are, and which models they come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import polars as pl

from dagster_project.engine.inputs import OpenInput
from dagster_project.recipe.models import Model
from dagster_project.warehouse.connect import open_snapshot
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName

TEACHERS = pl.Schema({"teacher": pl.String, "provider": pl.String, "licence": pl.String})
SYNTHETIC = pl.Schema({"row_id": pl.Int64, "depth": pl.UInt16, "teachers": pl.List(pl.String)})


def synthetic_rows(opened: OpenInput, store: Store) -> pl.DataFrame:
    """`synthetic` of the snapshot that an input is; empty where it is none."""
    return _upstream(
        opened, store, "SELECT row_id, depth, teachers FROM snapshot.synthetic", SYNTHETIC
    )


def teachers(
    read: Sequence[OpenInput],
    paid: Sequence[pl.DataFrame],
    models: Iterable[Model],
    store: Store,
) -> list[dict]:
    """The models that rows come from, with the licences of their answers.

    Args:
        read: inputs and seeds.
        paid: `LEDGER` of what was made.
        models: as the recipe declares them.
        store: where upstream snapshots are.
    """
    query = "SELECT teacher, provider, licence FROM snapshot.teachers"
    upstream = [_upstream(each, store, query, TEACHERS) for each in read]
    licences = pl.DataFrame(
        [(model.base_url or model.provider, model.model, model.licence) for model in models],
        schema={"provider": pl.String, "declared": pl.String, "licence": pl.String},
        orient="row",
    )
    own = [
        ledger.filter(pl.col("purpose") == "generation")
        .select(pl.col("model").alias("teacher"), "provider")
        .unique()
        .join(licences, on="provider", how="left")
        .filter((pl.col("declared") == pl.col("teacher")).fill_null(True))
        .select(list(TEACHERS))
        for ledger in paid
    ]
    known = pl.concat([pl.DataFrame(schema=TEACHERS), *upstream, *own])
    return known.unique().sort(list(TEACHERS)).to_dicts()


def ancestors(
    inputs: Sequence[OpenInput], seeds: Mapping[str, OpenInput], store: Store
) -> list[dict]:
    """For each input, everything that its rows come from, as in the snapshot's `ancestors`.

    Args:
        inputs: what a version is made from.
        seeds: what their rows are made from, by the name of the input.
        store: where upstream snapshots are.
    """
    schema = pl.Schema({"kind": pl.String, "reference": pl.String})
    found: dict[tuple[int, str, str], None] = {}
    for opened in inputs:
        for read in (opened, *([seeds[opened.name]] if opened.name in seeds else ())):
            if read.record["kind"] != "generated":
                found[opened.number, read.record["kind"], read.record["reference"]] = None
            above = _upstream(read, store, "SELECT kind, reference FROM snapshot.ancestors", schema)
            found |= dict.fromkeys((opened.number, *row) for row in above.iter_rows())
    return [dict(zip(("input", "kind", "reference"), row, strict=True)) for row in sorted(found)]


def _upstream(opened: OpenInput, store: Store, query: str, schema: pl.Schema) -> pl.DataFrame:
    version, snapshot = opened.reference.version, opened.reference.snapshot_id
    if version is None or snapshot is None:
        return pl.DataFrame(schema=schema)
    with open_snapshot(store, VersionName.parse(version), snapshot) as reading:
        return reading.sql(query).pl().cast(dict(schema))  # pyright: ignore
