"""The quality of a version: six traits, each with figures, and the rows behind every figure."""

from __future__ import annotations

from pathlib import Path

import polars as pl
from pydantic import ConfigDict, Field

from dagster_project.engine.model_memory import ModelMemory
from dagster_project.engine.profile.alignment import alignment
from dagster_project.engine.profile.compliance import compliance
from dagster_project.engine.profile.consistency import consistency
from dagster_project.engine.profile.format_trait import format_trait
from dagster_project.engine.profile.judged_rows import judged_rows
from dagster_project.engine.profile.profiled_rows import (
    SaidRows,
    SnapshotRows,
    TargetRefused,
    file_rows,
    snapshot_rows,
)
from dagster_project.engine.profile.relevance import MOST_EXAMPLES, relevance
from dagster_project.engine.profile.trait import ORDER, TRAITS, Figure, Trait
from dagster_project.engine.profile.uniqueness import uniqueness
from dagster_project.errors import SeedbedError
from dagster_project.operators.models.memory import remembering
from dagster_project.recipe.problems import nearest, no_such
from dagster_project.warehouse.address import Answer, SnapshotAddress
from dagster_project.warehouse.connect import NotPublished, no_snapshot
from dagster_project.warehouse.manifest import read_head
from dagster_project.warehouse.reading import Reader, one_of, reading
from dagster_project.warehouse.store import Store

SAMPLE = 50_000
"""Rows that are read, of more."""
WORST = 5
EXCERPT = 160
"""Characters."""


class NothingToJudge(SeedbedError):
    """A version without rows, or a figure that there is not."""


class RowShown(Answer):
    """A row at fault.

    Attributes:
        row_id: in the snapshot.
        flags: figures that count it.
        text: how it begins.
    """

    row_id: int
    flags: tuple[str, ...]
    text: str


class QualityReport(Answer):
    """How good a version is.

    Attributes:
        version: its snapshot.
        phase: that it is for.
        total, looked_at: rows that it has, and that were read, drawn at random; duplicates,
            contradictions and licences are told of all.
        traits: in the order of `trait.TRAITS`.
        worst: the rows with most faults.
        mend: what would help, the worst first: steps of a recipe, or advice.
        seed: of all that is drawn at random.
        rows: every row that was read or is at fault: `row_id`, `relevance` (a cosine, or null), for each
            trait whether the row is at fault (`<trait>_fault`, null where the trait is not measured), and
            `flags`, the figures that count it, parted by `; `. Not in JSON.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    version: str
    phase: str
    total: int
    looked_at: int
    traits: tuple[Trait, ...]
    worst: tuple[RowShown, ...]
    mend: tuple[str, ...]
    seed: int
    rows: pl.DataFrame = Field(exclude=True, repr=False)

    def figure(self, name: str) -> Figure:
        """A figure by its name, or the beginning of it.

        Raises:
            NothingToJudge: when there is none, or there are several.
        """
        figures = [figure for each in self.traits for figure in each.figures]
        found = [each for each in figures if each.name == name]
        found = found or [each for each in figures if each.name.startswith(name)]
        if len(found) > 1:
            several = ", ".join(each.name for each in found)
            raise NothingToJudge(f"several figures begin with {name!r}: {several}")
        if not found:
            raise NothingToJudge(no_such("figure", name, [each.name for each in figures]))
        return found[0]


def quality(
    store: Store | Reader,
    address: SnapshotAddress,
    *,
    task: str | None = None,
    examples: str | None = None,
    sample: int | None = SAMPLE,
    seed: int = 0,
) -> QualityReport:
    """Judge the rows of a version.

    Args:
        store: where; or an open reader of it.
        address: which version.
        task: what rows are for, in words.
        examples: rows of the task: a path (`.jsonl`, `.ndjson`, `.parquet`, `.csv`), or a version.
        sample: rows that are read; None for all.
        seed: of all that is drawn at random.

    Raises:
        NothingToJudge: when there are no rows.
        NoText: when there is no text in them, or in the examples.
        NotPublished: when the version has no current snapshot.
        TargetRefused: when examples cannot be read.
    """
    with reading(store) as reader, remembering(ModelMemory(reader.store)):
        _require_published(reader, address)
        if not reader.open(address).manifest.rows:
            raise NothingToJudge(f"{address} has no rows: there is nothing to judge")
        rows = snapshot_rows(reader, address, seed=seed, most_rows=sample)
        shown = _examples(reader, examples, seed) if examples is not None else None
        judged = judged_rows(rows, seed)
        relevant, likeness = relevance(judged, task, shown)
        traits = (
            relevant,
            alignment(judged),
            consistency(judged),
            format_trait(judged),
            uniqueness(judged),
            compliance(judged),
        )
        table = _rows(rows, traits, likeness)
        return QualityReport(
            version=rows.name,
            phase=rows.phase,
            total=rows.total,
            looked_at=rows.frame.height,
            traits=traits,
            worst=tuple(_worst(reader, address, table)),
            mend=tuple(_mend(traits)),
            seed=seed,
            rows=table,
        )


def excerpts(
    store: Store | Reader, address: SnapshotAddress, row_ids: list[int], length: int = EXCERPT
) -> dict[int, str]:
    """How rows of a version begin, on one line each, by id.

    Args:
        store: where; or an open reader of it.
        address: which version.
        row_ids: of which rows.
        length: characters.
    """
    with reading(store) as reader:
        rows = snapshot_rows(reader, address, most_rows=0).texts(one_of("row_id", row_ids))
        line = pl.col("text").fill_null("").str.replace_all(r"\s+", " ").str.head(length)
        return dict(rows.select("row_id", line).iter_rows())


def _require_published(reader: Reader, address: SnapshotAddress) -> None:
    """Name the nearest version where there is none of this name."""
    if address.snapshot_id is None and read_head(reader.store, address.version).current is None:
        known = [
            str(name)
            for name in reader.store.versions()
            if read_head(reader.store, name).current is not None
        ]
        if str(address.version) not in known:
            near = nearest(address.version, known)
            hint = f"; did you mean {near}, which has one?" if near else ""
            raise NotPublished(no_snapshot(address.version) + hint)


def _examples(reader: Reader, named: str, seed: int) -> SaidRows:
    path = Path(named)
    if path.is_file():
        return file_rows(path, seed=seed, most_rows=MOST_EXAMPLES)
    if path.suffix:
        raise TargetRefused(f"{path}: there is no such file")
    address = SnapshotAddress.parse(named)
    _require_published(reader, address)
    return snapshot_rows(reader, address, seed=seed, most_rows=MOST_EXAMPLES)


def _rows(rows: SnapshotRows, traits: tuple[Trait, ...], likeness: pl.DataFrame) -> pl.DataFrame:
    faults = pl.concat(
        [pl.DataFrame(schema={"row_id": pl.Int64, "trait": pl.String, "flag": pl.String})]
        + [
            pl.DataFrame({"row_id": figure.row_ids}, {"row_id": pl.Int64}).with_columns(
                trait=pl.lit(each.name), flag=pl.lit(figure.name)
            )
            for each in traits
            for figure in each.figures
            if figure.flags
        ]
    )
    flagged = faults.group_by("row_id").agg(
        "flag", *((pl.col("trait") == name).any().alias(f"{name}_fault") for name in TRAITS)
    )
    every = rows.frame.select("row_id").join(
        flagged.select("row_id"), on="row_id", how="full", coalesce=True
    )
    table = every.sort("row_id").join(likeness, on="row_id", how="left", maintain_order="left")
    table = table.join(flagged, on="row_id", how="left", maintain_order="left")
    told = {each.name: bool(each.figures) for each in traits}
    return table.select(
        "row_id",
        "relevance",
        *(
            (
                pl.col(f"{name}_fault").fill_null(False) if told[name] else pl.lit(None, pl.Boolean)
            ).alias(f"{name}_fault")
            for name in TRAITS
        ),
        flags=pl.col("flag").list.join("; ").fill_null(""),
    )


def _worst(reader: Reader, address: SnapshotAddress, table: pl.DataFrame) -> list[RowShown]:
    """Rows at fault in most traits."""
    faults = pl.sum_horizontal(pl.col(f"{name}_fault").fill_null(False) for name in TRAITS)
    worst = (
        table.filter(pl.col("flags") != "")
        .with_columns(faults.alias("faults"), pl.col("flags").str.count_matches("; ").alias("more"))
        .sort(["faults", "more", "row_id"], descending=[True, True, False])
        .head(WORST)
    )
    texts = excerpts(reader, address, worst["row_id"].to_list())
    return [
        RowShown(row_id=row, flags=tuple(flags.split("; ")), text=texts.get(row, ""))
        for row, flags in worst.select("row_id", "flags").iter_rows()
    ]


def _mend(traits: tuple[Trait, ...]) -> list[str]:
    """What mends the figures that are not good, each once, the worst first."""
    wrong = [
        figure
        for each in traits
        for figure in each.figures
        if figure.verdict in ("look", "bad") and figure.mend
    ]
    wrong.sort(key=lambda figure: -ORDER.index(figure.verdict or "good"))
    return list(dict.fromkeys(figure.mend for figure in wrong))
