"""Merge rows whose texts are nearly the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Decisions, Fetch, Metric
from dagster_project.operators.process.alike_rows import _MergesAlike

if TYPE_CHECKING:
    from numpy.typing import NDArray

AT_ONCE = 65_536
"""Rows whose keys are put in place at once."""


class DeduplicateNear(_MergesAlike):
    """Merges rows whose texts are nearly the same into one of them, their survivor.

    Texts are alike by the Jaccard similarity of their sets of shingles: overlapping runs of `size`
    words, without case and punctuation, in any script. Rows that may be alike are found by MinHash
    and locality-sensitive hashing (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of Massive
    Datasets, chapter 3), with as few bands as find 98 % of the pairs just at `recorded_from`, out of
    at most 128 hashes. Then every candidate is **verified**: its true similarity is computed from the
    whole sets.

    A row is merged, by the rule `near_duplicate`, only into a row that stays and to which it is itself
    alike enough: similarity does not chain. Of a row and its survivor the similarity is stored; of all
    pairs from `recorded_from` on, in the snapshot's `pairs`.

    A text of fewer than `size` words is one shingle, and so only merged with its equals; for short
    texts take `shingles: characters`. A row without any letter or digit is never merged. Of chat
    messages, those of `roles` are compared, so that a system prompt that all rows share makes no
    duplicates. Where more than 256 rows that stay agree in a band, as texts made from one template
    do, only the first 256 of them are compared; the metric `rows_not_compared_with_all` counts the
    rows to which that happened.

    Signatures and sets of shingles are kept in files where they exceed memory, so that a corpus may be
    larger than it.

    With `against`, rows are merged into rows of references too, such as those of a version that is in
    use already, and into these first; no row of a reference comes into the version.

    The defaults follow FineWeb (5 words; Penedo et al. 2024, arXiv 2406.17557) and Lee et al. 2022
    (arXiv 2107.06499: a similarity of 0.8, verified).

    Example:
        - deduplicate_near: {columns: [messages], threshold: 0.8, keep: longest}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    rule_names = ("near_duplicate",)
    recorded_below = 0.1
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    threshold: float = Field(
        default=0.8, gt=0, le=1, description="Least similarity of rows that are merged, 0 to 1."
    )
    recorded_from: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Least similarity of pairs that are stored; default: 0.1 below `threshold`.",
    )
    shingles: Literal["words", "characters"] = Field(
        default="words", description="What a shingle is made of."
    )
    size: int = Field(default=5, ge=1, le=64, description="Words or characters of a shingle.")

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"keys": self._keys(self._text(schema)), **self._standing(schema)}

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.leaders import buckets_of, find_leaders

        others = self._others()
        keys = self._keys_by_band(relation, others, fetch)
        buckets = buckets_of(keys)
        shared = buckets.shared()
        rows = relation.drop("keys").filter(pl.Series(shared[: relation.height]))
        others = others.filter(pl.Series(shared[relation.height :]))
        numbers = fetch.empty((rows.height + others.height, len(keys)), "int32")
        for band, own in enumerate(buckets.numbers):
            numbers[:, band] = own[shared]
        lengths: list[pl.Series] = []
        sets = fetch.concatenated(self._set_values(rows["row"], others, fetch, lengths), "uint32")
        leaders = find_leaders(
            self._order(rows, others.height),
            numbers,
            buckets,
            sets,
            pl.concat([pl.Series([0], dtype=pl.UInt32), *lengths])
            .cast(pl.Int64)
            .cum_sum()
            .to_numpy(),
            self.threshold,
            self.pairs_told_from(),
            others.height,
            fetch.empty,
        )
        metrics = [Metric("rows_not_compared_with_all", None, leaders.skipped)]
        return self._merged(rows["row"], others, leaders, metrics)

    def _keys_by_band(
        self, relation: pl.DataFrame, others: pl.DataFrame, fetch: Fetch
    ) -> NDArray[Any]:
        """The keys of rows, then of others, band by band."""
        bands, _ = self._bands()
        keys = fetch.empty((bands, relation.height + others.height), "uint32")
        known = others.select(keys=self._keys(pl.col("text")))
        start = 0
        for frame in (relation.select("keys"), known):
            for part in frame.iter_slices(AT_ONCE):
                keys[:, start : start + part.height] = part["keys"].to_numpy().T
                start += part.height
        return keys

    def _set_values(
        self, rows: pl.Series, others: pl.DataFrame, fetch: Fetch, lengths: list[pl.Series]
    ) -> Iterator[NDArray[Any]]:
        """The shingles of rows, then of others; notes how many each has."""
        for batch in fetch.batches(rows, lambda schema: {"sets": self._set(self._text(schema))}):
            lengths.append(batch["sets"].list.len())
            yield batch["sets"].explode(empty_as_null=False).to_numpy()
        sets = others.select(sets=self._set(pl.col("text")))["sets"]
        lengths.append(sets.list.len())
        yield sets.explode(empty_as_null=False).to_numpy()

    def _bands(self) -> tuple[int, int]:
        from dagster_project.operators.kernels.minhash import bands_for

        return bands_for(self.pairs_told_from())

    def _keys(self, text: pl.Expr) -> pl.Expr:
        from dagster_project.operators.kernels.minhash import band_keys

        bands, rows = self._bands()
        return text.map_batches(
            lambda texts: band_keys(texts, self.shingles, self.size, bands, rows),
            return_dtype=pl.Array(pl.UInt32, bands),
            is_elementwise=True,
        )

    def _set(self, text: pl.Expr) -> pl.Expr:
        from dagster_project.operators.kernels.minhash import shingle_sets

        return text.map_batches(
            lambda texts: shingle_sets(texts, self.shingles, self.size),
            return_dtype=pl.List(pl.UInt32),
            is_elementwise=True,
        )
