"""Keep texts that a language model fitted on good texts finds neither too odd nor too usual."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import polars as pl
from pydantic import Field, PrivateAttr, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.compared_text import compared_text
from dagster_project.operators.process.reference_texts import (
    check_bounds,
    no_words,
    reference_texts,
)
from dagster_project.operators.process.text_units import bound_rules

if TYPE_CHECKING:
    from dagster_project.operators.kernels.ngram_model import NgramModel


class FilterPerplexity(RowOperator):
    """Keeps texts that are neither too unlike nor too like the texts of a reference, told by their
    perplexity.

    A language model is fitted on the reference when the step begins: a trigram model of words with
    modified Kneser-Ney smoothing and an open vocabulary (Chen and Goodman 1998). The idea is CCNet's
    (Wenzek et al. 2020, arXiv 1911.00359), whose model is a 5-gram of subwords over Wikipedia. Words
    are compared in any script, without case and punctuation; every digit is a zero. Each ideograph, and
    each letter of a script without spaces, is a word.

    Measures `perplexity`: by how many words, on average, the next one might have been, the end of the
    text included. The rules are `min_perplexity` and `max_perplexity`; neither is on unless it is
    given, because the numbers depend on the reference: mark first, look, then choose. CCNet splits at
    the terciles of its corpus. A text without words, such as a null, has no perplexity: any rule
    removes it.

    It sees garbled and scrambled text, other languages and other subjects. It does **not** see whether
    an answer fits its question, whether what is said is true, or whether a text repeats itself; it has
    no idea of a text longer than three words. Texts of a few words vary much, and rows that are in the
    reference themselves look far too usual. The model takes at most 72 bytes of memory for each word of
    the reference, and about 320 while it is fitted.

    Example:
        - filter_perplexity: {columns: [text], like: {encyclopedia: [text]}, max_perplexity: 2000}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or the reference has no
            word.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    judged: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages count, in columns of chat messages, here and in the reference.",
    )
    like: dict[str, tuple[str, ...]] = Field(
        min_length=1,
        description="References of the recipe, and the columns of each whose texts the model learns.",
    )
    min_perplexity: float | None = Field(
        default=None, ge=1, description="Least perplexity; null for no rule."
    )
    max_perplexity: float | None = Field(
        default=None, ge=1, description="Greatest perplexity; null for no rule."
    )
    mark_only: bool = Field(
        default=False, description="Whether rows are only measured; then there is no rule."
    )
    prefix: str = Field(default="", description="Put before the name of the annotation.")

    _model: NgramModel | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _decides(self) -> Self:
        check_bounds(self, "`min_perplexity` or `max_perplexity`", self.mark_only)
        return self

    def reads(self) -> Sequence[str]:
        return self.judged

    def references(self) -> Mapping[str, Sequence[str]]:
        return self.like

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        from dagster_project.operators.kernels.ngram_model import fitted

        ready = self.model_copy()
        ready._model = fitted(reference_texts(self, references, self.like, self.roles))
        if ready._model is None:
            raise no_words(self, self.like)
        return ready

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        text = compared_text(self, schema, self.judged, self.roles)
        measured = text.map_batches(
            self._perplexities, return_dtype=pl.Float64, is_elementwise=True
        )
        return {f"{self.prefix}perplexity": measured.round(4)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self.prefix)

    def _perplexities(self, texts: pl.Series) -> pl.Series:
        from dagster_project.operators.kernels.ngram_model import perplexities

        assert self._model is not None
        return perplexities(texts, self._model)
