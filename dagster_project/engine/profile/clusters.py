"""Clusters of vectors, by k-means on the sphere, and names for them by their most distinctive words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dagster_project.engine.profile.text_vectors import words_of
from dagster_project.operators.synthesize.text.text_overlap import STOP_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST, MOST = 4, 24
"""Clusters that are made by default, at least and at most."""
ROUNDS = 25
"""Rounds after which k-means ends, settled or not."""
NAMED_BY = 3
"""Words of a name."""
NAME_READ = 500
"""Characters of a text that its cluster is named by."""
_ROWS = 4096
"""Rows that are compared with all centres at once."""
_DIGITS = 5
"""Similarities are compared to so many, so that the last bits decide nothing."""


@dataclass(frozen=True)
class Clusters:
    """Clusters, the largest first.

    Attributes:
        of: the cluster of each row; -1 of a row without words.
        centres: their directions, of length 1.
    """

    of: NDArray[np.int64]
    centres: NDArray[np.float32]

    def exemplars(self, vectors: NDArray[np.float32]) -> list[int]:
        """The row nearest to each centre."""
        if not len(self.centres):
            return []
        near = np.round(np.einsum("ij,ij->i", vectors, self.centres[self.of]), _DIGITS)
        near[self.of < 0] = -2
        return [
            int(np.argmax(np.where(self.of == cluster, near, -3)))
            for cluster in range(len(self.centres))
        ]


def how_many(rows: int) -> int:
    """Clusters that so many rows are put into by default: the root of half of them, 4 to 24."""
    return min(max(round((rows / 2) ** 0.5), FEWEST), MOST)


def clusters(vectors: NDArray[np.float32], count: int | None = None, seed: int = 0) -> Clusters:
    """Cluster vectors of length 1 or 0; the same ones and seed, the same clusters.

    Args:
        vectors: of rows.
        count: how many clusters there are, where so many rows differ; by default `how_many` says.
        seed: of the first centres (k-means++, Arthur & Vassilvitskii 2007).
    """
    told = np.flatnonzero(np.einsum("ij,ij->i", vectors, vectors) > 0)
    given = vectors[told]
    centres = _first_centres(given, count or how_many(len(given)), np.random.default_rng(seed))
    of = np.full(len(given), -1, np.int64)
    for _ in range(ROUNDS if len(centres) else 0):
        before, of = of, nearest(given, centres)[0]
        if np.array_equal(before, of):
            break
        centres = _centres(given, of, centres)
    sizes = np.bincount(of, minlength=len(centres))
    order = [cluster for cluster in np.argsort(-sizes, kind="stable") if sizes[cluster]]
    number = np.full(len(centres), -1, np.int64)
    number[order] = np.arange(len(order))
    found = np.full(len(vectors), -1, np.int64)
    found[told] = number[of]
    return Clusters(found, centres[order])


def nearest(
    vectors: NDArray[np.float32], others: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The nearest of some other vectors to each, the first of equally near ones, and how similar it is;
    -1 and 0 where there are none."""
    place = np.full(len(vectors), -1, np.int64)
    similar = np.zeros(len(vectors), np.float32)
    for start in range(0, len(vectors) if len(others) else 0, _ROWS):
        found = np.round(vectors[start : start + _ROWS] @ others.T, _DIGITS)
        best = found.argmax(axis=1)
        place[start : start + _ROWS] = best
        similar[start : start + _ROWS] = found[np.arange(len(found)), best]
    return place, similar


def named(
    texts: pl.Series, of: NDArray[np.int64], count: int, taken: Sequence[str] = ()
) -> list[str]:
    """A name for each cluster: the words that set its texts apart from the others.

    Words are weighed by c-TF-IDF (Grootendorst 2022), where a word counts once a text, times the share
    of its texts that are in the cluster. Those that only one text has, or less than 2 %, come last; of
    words that begin alike, one is taken.

    Args:
        texts: of the rows.
        of: the cluster of each; -1 of none.
        count: how many clusters there are.
        taken: names that others have.
    """
    heads = texts.fill_null("").str.head(NAME_READ)
    clusters_of = pl.DataFrame({"text": np.arange(len(of)), "cluster": of})
    words = (
        words_of(heads)
        .filter(
            (pl.col("word").str.len_chars() > 2) | pl.col("word").str.contains(r"\p{Han}"),
            ~pl.col("word").is_in(sorted(STOP_WORDS | _ASKING)),
        )
        .with_columns(pl.col("text").cast(pl.Int64))
        .join(clusters_of.filter(pl.col("cluster") >= 0), on="text")
        .group_by("cluster", "word")
        .len("texts")
    )
    everywhere = words.group_by("word").agg(pl.col("texts").sum().alias("all"))
    mean = max(words["texts"].sum() / max(count, 1), 1)
    sizes = clusters_of.group_by("cluster").len("size")
    share = pl.col("texts") / pl.col("size")
    weighed = (
        words.join(everywhere, on="word")
        .join(sizes, on="cluster")
        .with_columns(
            (share * (1 + mean / pl.col("all")).log() * pl.col("texts") / pl.col("all")).alias(
                "weight"
            )
        )
        .sort(
            ["cluster", pl.col("texts") > pl.col("size") / 50 + 1, "weight", "word"],
            descending=[False, True, True, False],
        )
        .group_by("cluster", maintain_order=True)
        .agg(pl.col("word").head(8 * NAMED_BY))
    )
    of_cluster = dict(weighed.iter_rows())
    names: list[str] = []
    for cluster in range(count):
        chosen = _unlike(of_cluster.get(cluster, []))
        fitting = (
            ", ".join(chosen[:size]) for size in range(min(NAMED_BY, len(chosen)), len(chosen) + 1)
        )
        free = (name for name in fitting if name and name not in (*taken, *names))
        names.append(next(free, ", ".join([*chosen, f"topic {len(taken) + cluster + 1}"])))
    return names


_ASKING = frozenset(
    word
    for line in (
        "please following given example provide using use used want need make like also write",
        "create explain describe give tell would could one two get what's i'm something thing",
    )
    for word in line.split()
)
"""Words of requests that say nothing of what they are about."""


def _unlike(words: Sequence[str]) -> list[str]:
    """Those of some words that begin unlike those before them."""
    found: list[str] = []
    for word in words:
        if not any(word[:5] == other[:5] for other in found):
            found.append(word)
    return found


def _first_centres(
    vectors: NDArray[np.float32], count: int, draw: np.random.Generator
) -> NDArray[np.float32]:
    if not len(vectors):
        return vectors
    chosen = [int(draw.integers(len(vectors)))]
    far = np.full(len(vectors), np.inf)
    while len(chosen) < count:
        far = np.minimum(far, 1 - np.round(vectors @ vectors[chosen[-1]], _DIGITS))
        weights = np.clip(far, 0, None).astype(np.float64)
        if weights.sum() <= 0:
            break
        reached = np.cumsum(weights)
        chosen.append(int(np.searchsorted(reached, draw.random() * reached[-1], side="right")))
    return vectors[chosen]


def _centres(
    vectors: NDArray[np.float32], of: NDArray[np.int64], before: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The directions of clusters' means; an empty cluster stays where it was."""
    found = np.array(
        [
            vectors[of == cluster].sum(axis=0, dtype=np.float64)
            if (of == cluster).any()
            else centre
            for cluster, centre in enumerate(before)
        ]
    )
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, lengths, out=found, where=lengths > 0).astype(np.float32)
