"""What rows are about: clusters of the rows of a version, and of the rows of a target that are about
something else; or topics that were named."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.engine.profile.clusters import clusters, named, nearest
from dagster_project.engine.profile.text_vectors import Method, vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

READ = 400
"""Characters of a text that its topic is told by."""
MOST_ROWS = {"embeddings": 1_000, "words": 4_000}
"""Rows whose topics are told by default, by method."""
FAR = {"embeddings": 0.42, "words": 0.2}
FAR_SHARE = 0.05
"""A row of the target is about something else if it is less similar to every row of the version than
this, and than all but this share of the version's own rows are to another one."""
PROBED = 500
"""Rows of the version by which the latter is told."""
NAMED_NEAR = {"embeddings": 0.25, "words": 0.03}
"""A row that is less similar to every topic that was named is about none of them."""
OTHER = "other topics"
MOST_NEW = 12
"""Topics that rows of the target are put into that the version does not have, at most."""


@dataclass(frozen=True)
class Topics:
    """What rows are about.

    Attributes:
        names: of topics; those of the version first, the largest first.
        new: how many of them, the last ones, the version does not have.
        rows: `row_id` and `topic` of rows of the version; null of rows without words.
        target: the same, of rows of the target; empty where there is none.
        exemplars: by topic, the `row_id` of the row that shows it best, of the target where it is new.
        vectors, target_vectors: of the rows, in their order.
    """

    names: tuple[str, ...]
    new: int
    rows: pl.DataFrame
    target: pl.DataFrame
    exemplars: dict[str, int]
    vectors: NDArray[np.float32] = field(repr=False)
    target_vectors: NDArray[np.float32] = field(repr=False)


def topics(
    rows: pl.DataFrame,
    target: pl.DataFrame | None,
    method: Method,
    *,
    count: int | None = None,
    seed: int = 0,
) -> Topics:
    """Tell topics by clusters.

    Rows of a target have the topic of the nearest centre, but those far from every row of the version,
    which are clustered by themselves.

    Args:
        rows: of the version: `row_id` and `asked`.
        target: of the target, likewise.
        method: how vectors are made.
        count: topics of the version; by default the root of half its rows, 4 to 24.
        seed: of the first centres.
    """
    other = rows.head(0) if target is None else target
    ours, theirs = vectors([_read(rows), _read(other)], method)
    found = clusters(ours, count, seed)
    names = named(_read(rows), found.of, len(found.centres))
    exemplars = {
        name: int(rows["row_id"][place])
        for name, place in zip(names, found.exemplars(ours), strict=True)
    }
    _, similar = nearest(theirs, ours)
    of, _ = nearest(theirs, found.centres)
    of[~theirs.any(axis=1)] = -1
    far = (
        np.flatnonzero((of >= 0) & (similar < _far(ours, method)))
        if len(ours)
        else np.arange(len(theirs))
    )
    new: list[str] = []
    if len(far):
        size = min(max(round(math.sqrt(len(far) / 2)), 1), MOST_NEW)
        apart = clusters(theirs[far], size, seed)
        of[far] = np.where(apart.of >= 0, apart.of + len(names), -1)
        new = named(_read(other)[far], apart.of, len(apart.centres), names)
        for name, place in zip(new, apart.exemplars(theirs[far]), strict=True):
            exemplars[name] = int(other["row_id"][int(far[place])])
    return Topics(
        names=(*names, *new),
        new=len(new),
        rows=_told(rows, found.of, names),
        target=_told(other, of, [*names, *new]),
        exemplars=exemplars,
        vectors=ours,
        target_vectors=theirs,
    )


def named_topics(rows: pl.DataFrame, names: Sequence[str], method: Method) -> Topics:
    """Tell which of some topics rows are about: the nearest one to each, if it is near.

    Args:
        rows: `row_id` and `asked`.
        names: of the topics, in words.
        method: how vectors are made.
    """
    ours, meant = vectors([_read(rows), pl.Series(names, dtype=pl.String)], method)
    of, similar = nearest(ours, meant)
    exemplars = {
        name: int(rows["row_id"][int(np.argmax(np.where(of == place, similar, -2)))])
        for place, name in enumerate(names)
        if bool(((of == place) & (similar >= NAMED_NEAR[method])).any())
    }
    of = np.where(similar >= NAMED_NEAR[method], of, len(names))
    of[~ours.any(axis=1)] = -1
    every = [*names, OTHER]
    return Topics(
        names=tuple(every),
        new=0,
        rows=_told(rows, of, every),
        target=_told(rows.head(0), of[:0], every),
        exemplars=exemplars,
        vectors=ours,
        target_vectors=ours[:0],
    )


def _far(own: NDArray[np.float32], method: Method) -> float:
    """How similar rows must be, at least, to be about the same things."""
    if len(own) < 2:
        return FAR[method]
    step = max(len(own) // PROBED, 1)
    found = own[::step] @ own.T
    found[np.arange(len(found)), np.arange(0, len(own), step)] = -1
    nearest_own = found.max(axis=1)
    return min(FAR[method], float(np.quantile(nearest_own, FAR_SHARE)))


def _read(rows: pl.DataFrame) -> pl.Series:
    return rows["asked"].str.head(READ)


def _told(rows: pl.DataFrame, of: NDArray[np.int64], names: Sequence[str]) -> pl.DataFrame:
    places = pl.Series("topic", of)
    told = places.replace_strict(range(len(names)), names, default=None, return_dtype=pl.String)
    return rows.select("row_id").with_columns(told.alias("topic"))
