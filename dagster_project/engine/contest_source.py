"""Reads the scores of a contest between published versions: holds it, unless it was held before."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from dagster_project.arena.contest import RESULTS, Entry, contest
from dagster_project.arena.held_out import without_held_out
from dagster_project.arena.identity import contest_code
from dagster_project.arena.pairs import NoPairs, pairs
from dagster_project.arena.trainers import trainers
from dagster_project.identity import digest
from dagster_project.operators.acquire.block import ORIGIN_SCHEMA, Block, Records, SourceFile
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.models.sentence_embeddings import embed
from dagster_project.recipe.contest import QUICK, Contest, Rows
from dagster_project.recipe.model import ContestInput
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.publish import current
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName


class ContestReader:
    """Gives one row for each score.

    Args:
        store: whose current snapshots compete.
        source: who competes, at what, and how.
        name: the input's name, for origins and errors.
        folder: of the workspace, in which programs that train are run; default: that of the store.
    """

    def __init__(
        self, store: Store, source: ContestInput, name: str, folder: Path | None = None
    ) -> None:
        self.store, self.contest, self.name = store, source.contest, name
        self.folder = folder or store.root.parent
        self.versions = [VersionName.parse(version) for version in source.versions]

    def blocks(self) -> Iterator[Block]:
        """All scores, in one block; it is named by what competes, before anything is trained.

        Raises:
            InputError: when a version has no published snapshot.
            TrainingFailed: when a file that a trainer names is missing.
        """
        contents = []
        for version in self.versions:
            manifest = current(self.store, version)
            if manifest is None:
                raise InputError(
                    f"input {self.name}: {version} has no published snapshot yet; materialize it first"
                )
            contents.append([str(version), manifest.content_id])
        declared = self.contest.model_dump(mode="json")
        code = contest_code(self.contest, self.folder)
        key = digest(["contest", self.name, declared, contents, code])
        yield Block(key, self._held)

    def files(self) -> list[SourceFile]:
        """A contest reads no files."""
        return []

    def _held(self) -> Records:
        asked = self.contest
        held_out = held_out_of(self.store, asked, f"input {self.name}")

        def fair(name: str, rows: Rows) -> pl.DataFrame:
            return without_held_out(self._pairs(name, rows), held_out)

        entries = [Entry(name, fair(name, rows)) for name, rows in asked.contestants.items()]
        if asked.pool:
            pool = fair("pool", asked.pool)
            entries += [Entry(f"{drawn} of pool", pool, drawn) for drawn in asked.pool.baselines]
        results = contest(
            entries,
            held_out,
            _budgets(asked),
            asked.seeds,
            [name for name in QUICK if name in asked.models],
            partial(embedded_once, {}),
            trainers(asked, self.folder, self.store.calls / "trainings"),
        )
        frame = pl.concat([pl.DataFrame(schema=RESULTS), *results])
        origin = pl.select(
            pl.lit(self.name).alias("file"),
            pl.int_range(1, frame.height + 1, dtype=pl.Int64).alias("line"),
            *(pl.lit(None, ORIGIN_SCHEMA[n]).alias(n) for n in ("raw", "raw_bytes", "error")),
        ).select(list(ORIGIN_SCHEMA))
        return Records(frame, origin)

    def _pairs(self, name: str, rows: Rows) -> pl.DataFrame:
        return read_pairs(self.store, rows, f"input {self.name}: rows of {name}")


def held_out_of(store: Store, asked: Contest, told: str) -> pl.DataFrame:
    """The held-out rows of a contest, as `pairs` gives them; scores name them by their position.

    Raises:
        InputError: when there are none.
    """
    held_out = read_pairs(store, asked.evaluation, f"{told}: rows of evaluation")
    if held_out.is_empty():
        raise InputError(f"{told}: the evaluation has no rows")
    return held_out.unique(["prompt", "answer"], keep="first", maintain_order=True)


def read_pairs(store: Store, rows: Rows, told: str) -> pl.DataFrame:
    """Rows of a version's current snapshot, as `pairs` gives them.

    Args:
        store: where it is.
        rows: which.
        told: what errors begin with.

    Raises:
        InputError: when the rows cannot be chosen so, or have no prompts and answers.
    """
    version = VersionName.parse(rows.version)
    where = f" WHERE ({rows.where}\n)" if rows.where else ""
    with connect(store, only=[version]) as connection:
        try:
            found = connection.sql(
                f"SELECT * FROM {version.dataset}.{version.version}{where} ORDER BY row_id"
            ).pl()
        except duckdb.Error as error:
            raise InputError(f"{told}: {error}") from error
    try:
        return pairs(found, rows.columns)
    except NoPairs as error:
        raise InputError(f"{told}: {error}") from error


def _budgets(asked: Contest) -> list:
    limits = [
        ("rows", amount.rows) if amount.rows is not None else ("tokens", amount.tokens)
        for amount in asked.budgets
    ]
    return [*limits, *([("all", 0)] if asked.everything or not limits else [])]


def embedded_once(known: dict[str, np.ndarray], texts: pl.Series) -> np.ndarray:
    """Vectors of texts, of which none is computed twice."""
    new = [text for text in texts.unique(maintain_order=True) if text not in known]
    if new:
        known.update(zip(new, embed(pl.Series(new, dtype=pl.String)), strict=True))
    return np.stack([known[text] for text in texts]) if len(texts) else np.empty((0, 384))
