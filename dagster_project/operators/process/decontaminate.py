"""Remove rows that hold items of evaluation sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

import polars as pl
from pydantic import Field, PrivateAttr

from dagster_project.operators.base import Decisions, Fetch, RelationOperator, Rule
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.contamination import (
    MATCHED_CHARACTERS,
    RULE,
    contamination_decisions,
    contamination_rule,
    contamination_schema,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dagster_project.operators.kernels.ngrams import ItemNgrams

MOST_COMMON = 10
"""How many times as many rows as the middle n-gram of its item an n-gram of a template has."""


class _Variant(NamedTuple):
    size: int
    by_tokens: bool
    threshold: float
    inclusive: bool


VARIANTS = {
    "tulu3": _Variant(8, True, 0.5, False),
    "palm": _Variant(8, False, 0.7, True),
    "gpt3": _Variant(13, False, 0.0, False),
    "datatrove": _Variant(12, False, 0.0, False),
}


class _Items(NamedTuple):
    """The items of all references: of which reference each is, which row there, and its n-grams."""

    reference: pl.Series
    row: pl.Series
    known: ItemNgrams


class Decontaminate(RelationOperator):
    """Removes rows that hold items of evaluation sets, told by the runs of words they share.

    `against` names references of the recipe and the columns that make an item. Words are compared in
    any script, without case and punctuation. How much of an item a row must hold is one of the
    published variants:

    | variant | a row goes that holds | source |
    |---|---|---|
    | `tulu3` | more than half of an item's words, in runs of 8 | Lambert et al. 2024, arXiv 2411.15124, \
3.2 |
    | `palm` | at least 70 % of an item's runs of 8 words | Chowdhery et al. 2022, arXiv 2204.02311 |
    | `gpt3` | any run of 13 words | Brown et al. 2020, arXiv 2005.14165, appendix C |
    | `datatrove` | any run of 12 words | datatrove's `NGramsDecontFilter` |

    **Templates do not count.** A run of words is left out, of what is held and of the whole, when more
    than `common_items` different items have it, or when more than `common_rows` rows have it (the rule
    of GPT-3) and ten times as many as the middle run of that item: an item that itself stands in many
    rows is not taken for a template. Left out with it are the runs that begin or end in it; of an item
    with fewer words of its own than a run, those that hold all of them count.

    Measured for each row: `contamination`, the largest share of an item that it holds, 0 to 1,
    `contaminated_by`, that item as `reference:row`, and `contaminated`, whether it is too much. Each
    row and item that share at least `recorded_from` stand in the snapshot's `pairs`, with the longest
    text that they have in common. Items of fewer words than a run cannot be looked for; the metric
    `items_not_checked` and `seedbed contamination` say how many those are. With `remove: false` rows
    stay, and the expectation `contamination` fails on them.

    Runs of words do not find what was said in other words: see `decontaminate_semantic`.

    Example:
        - decontaminate: {columns: [messages], against: {exam: [question]}, variant: tulu3}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
    """

    rule_names = (RULE,)
    decides_by = ("threshold",)
    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    searched: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages are searched, in columns of chat messages.",
    )
    against: dict[str, tuple[str, ...]] = Field(
        min_length=1,
        description="References of the recipe, and the columns of each whose texts make an item.",
    )
    variant: Literal["tulu3", "palm", "gpt3", "datatrove"] = Field(
        default="tulu3", description="What makes a row contaminated, as published."
    )
    threshold: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of an item above which a row goes (for `palm`, from which on); default: "
        "the variant's.",
    )
    recorded_from: float = Field(
        default=0.25, gt=0, le=1, description="Least share of pairs that are stored."
    )
    common_items: int = Field(
        default=10, ge=1, description="Most different items that a run may stand in to count."
    )
    common_rows: int = Field(
        default=10, ge=1, description="Rows beyond which a run may be a template's."
    )
    remove: bool = Field(default=True, description="Whether contaminated rows go, or are marked.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    _items: _Items | None = PrivateAttr(default=None)

    def reads(self) -> Sequence[str]:
        return self.searched

    def references(self) -> Mapping[str, Sequence[str]]:
        return self.against

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        from dagster_project.operators.kernels.ngrams import item_ngrams

        items = pl.concat(
            rows.select(
                pl.lit(name).alias("reference"),
                "row",
                compared_text(self, rows.schema, self.against[name], self.roles).alias("text"),
            )
            for name, rows in references.items()
        )
        ready = self.model_copy()
        ready._items = _Items(
            items["reference"],
            items["row"],
            item_ngrams(items["text"], VARIANTS[self.variant].size, self.common_items),
        )
        return ready

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            "matches": compared_text(self, schema, self.searched, self.roles).map_batches(
                self._matches, return_dtype=pl.List(pl.UInt32), is_elementwise=True
            )
        }

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return contamination_schema(self.prefix), pl.Schema()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if not self.remove:
            return ()
        inclusive = VARIANTS[self.variant].inclusive
        return [contamination_rule(self.prefix, self._limit(), inclusive, self.recorded_from)]

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        import numpy as np

        from dagster_project.operators.kernels.ngrams import matched_spans, overlaps

        assert self._items is not None
        known, variant = self._items.known, VARIANTS[self.variant]
        matching = relation.filter(pl.col("matches").list.len() > 0)
        matches = matching["matches"].explode().to_numpy()
        ends = np.concatenate([[0], matching["matches"].list.len().cum_sum().to_numpy()])
        pairs, shares = overlaps(
            matches, ends.astype(np.int64), known, self._own(matches), variant.by_tokens, 0.0
        )
        found = pl.DataFrame(
            {
                "row": matching["row"].gather(pairs[:, 0]),
                "item": pairs[:, 1],
                "share": np.round(shares, 6),
                "reference": self._items.reference.gather(pairs[:, 1]),
                "other": self._items.row.gather(pairs[:, 1]),
            }
        )
        limit = self._limit()
        share = pl.col("share")
        found = found.with_columns(over=share >= limit if variant.inclusive else share > limit)
        found = found.filter((share >= self.recorded_from) | pl.col("over"))
        rows = found["row"].unique().sort()
        texts = fetch(rows, self._texts).join(found, on="row", how="right", maintain_order="right")
        starts, lengths = matched_spans(texts["text"], texts["item"].to_numpy(), known)
        matched = pl.col("text").cast(pl.Binary).bin.slice(
            pl.Series(starts), pl.Series(lengths)
        ).cast(pl.String).str.head(MATCHED_CHARACTERS)  # fmt: skip
        return contamination_decisions(
            relation["row"],
            texts.with_columns(matched.alias("matched")),
            pl.DataFrame(
                {"reference": self._items.reference, "checkable": np.diff(known.ends) > 0}
            ),
            stays=f"{'<' if variant.inclusive else '<='} {limit:g}",
            remove=self.remove,
            prefix=self.prefix,
        )

    def _limit(self) -> float:
        return VARIANTS[self.variant].threshold if self.threshold is None else self.threshold

    def _matches(self, texts: pl.Series) -> pl.Series:
        from dagster_project.operators.kernels.ngrams import shared_ngrams

        assert self._items is not None
        return shared_ngrams(texts, self._items.known)

    def _texts(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {"text": compared_text(self, schema, self.searched, self.roles)}

    def _own(self, matches: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Which n-grams of items count: those that have no word of a template; or, in an item in which
        all have, those with most words of its own."""
        import numpy as np

        assert self._items is not None
        known = self._items.known
        there = known.grams >= 0
        if not there.any():
            return there
        rows = np.bincount(matches, minlength=known.count)[known.grams]
        items = np.repeat(np.arange(len(known.ends) - 1), np.diff(known.ends))
        middle = (
            pl.DataFrame({"item": items[there], "rows": rows[there]})
            .with_columns(pl.col("rows").median().over("item"))["rows"]
            .to_numpy()
        )
        own = there.copy()
        own[there] = (rows[there] <= self.common_rows) | (rows[there] <= MOST_COMMON * middle)
        words = _own_words(own, items, known.size)
        most = pl.DataFrame({"item": items, "words": words}).select(pl.max("words").over("item"))
        return own & (words == most["words"].to_numpy())


def _own_words(own: NDArray[np.bool_], items: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """How many words of each run lie in no run of a template.

    Args:
        own: for each run, whether it is no template's.
        items: of which item each run is, ascending.
        size: words of a run.
    """
    import numpy as np

    first = np.arange(len(own)) + items * (size - 1)
    templates = np.zeros(len(own) + (int(items[-1]) + 1) * (size - 1) + 1, np.int64)
    templates[first[~own]] += 1
    templates[first[~own] + size] -= 1
    free = np.concatenate([[0], np.cumsum(np.cumsum(templates) == 0)])
    return free[first + size] - free[first]
