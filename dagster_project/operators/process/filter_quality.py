"""Keep texts that a classifier takes rather for those of one reference than for those of another."""

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
    import numpy as np
    from numpy.typing import NDArray

PASSES = 50
"""Over the references; after as many the weights hardly move."""


class FilterQuality(RowOperator):
    """Keeps texts that a classifier takes rather for texts like those you want than for others.

    The recipe of DCLM (Li et al. 2024, arXiv 2406.11794): a linear classifier of words and pairs of
    words, fitted on texts one wants more of (`like`) and on the rest (`unlike`), is a better filter of
    web pages than rules. DCLM takes instructions and well-rated explanations against raw web text, and
    keeps the best tenth. Here it is a logistic regression over 2^20 hashed words and pairs, fitted when
    the step begins, always with the same result; both references weigh the same, however many rows
    they have. Words are compared in any script, without case and punctuation; every digit is a zero.

    Measures `quality`, 0 to 1: how probably a text is one of `like`, if both were equally common. It
    is not calibrated on texts that were held out; where the references differ little it is too sure
    of itself. Rule `min_quality`, if given. A text without words, such as a null, has no quality: the
    rule removes it.

    **It measures likeness, not quality.** Whatever tells the references apart counts: subject, length,
    format, dialect, the stock phrases of a model. If `like` is all long answers in Markdown, a short
    right answer is poor. Take two references of like subject and form that differ in what you mean,
    mark first, and read rows from both ends. It cannot tell a right answer from a wrong one, nor which
    of two answers people prefer.

    Example:
        - filter_quality: {columns: [text], like: {answers: [text]}, unlike: {web: [text]}, \
min_quality: 0.5}

    Raises:
        OperatorMisuse: when a column holds neither text nor chat messages, or a reference has no word.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numba", "numpy")

    judged: tuple[str, ...] = Field(
        alias="columns", min_length=1, description="Columns of text or chat messages, as one text."
    )
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages count, in columns of chat messages, here and in the references.",
    )
    like: dict[str, tuple[str, ...]] = Field(
        min_length=1,
        description="References of the recipe, and the columns of each whose texts are wanted.",
    )
    unlike: dict[str, tuple[str, ...]] = Field(
        min_length=1, description="References and columns whose texts are not. May be other columns "
        "of the same reference."
    )  # fmt: skip
    min_quality: float | None = Field(
        default=None, ge=0, le=1, description="Least quality; null for no rule."
    )
    mark_only: bool = Field(
        default=False, description="Whether rows are only measured; then there is no rule."
    )
    strength: float = Field(
        default=10.0,
        gt=0,
        le=1000,
        description="How closely the classifier follows the references (C, the inverse of the penalty); "
        "less where they are small or differ little.",
    )
    prefix: str = Field(default="", description="Put before the name of the annotation.")

    _weights: NDArray[np.float32] | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _decides(self) -> Self:
        check_bounds(self, "`min_quality`", self.mark_only)
        if self.like == self.unlike:
            raise ValueError(
                "`like` and `unlike` are the same texts: there is nothing to tell apart"
            )
        return self

    def reads(self) -> Sequence[str]:
        return self.judged

    def references(self) -> Mapping[str, Sequence[str]]:
        wanted: dict[str, dict[str, None]] = {}
        for name, columns in (*self.like.items(), *self.unlike.items()):
            wanted.setdefault(name, {}).update(dict.fromkeys(columns))
        return {name: tuple(columns) for name, columns in wanted.items()}

    def prepared(self, references: Mapping[str, pl.DataFrame], files: Mapping[str, Path]) -> Self:
        from dagster_project.operators.kernels.word_classifier import fitted, word_features

        like, unlike = (
            word_features(reference_texts(self, references, wanted, self.roles))
            for wanted in (self.like, self.unlike)
        )
        for features, wanted in ((like, self.like), (unlike, self.unlike)):
            if not features.texts:
                raise no_words(self, wanted)
        ready = self.model_copy()
        ready._weights = fitted(like, unlike, self.strength, PASSES)
        return ready

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        text = compared_text(self, schema, self.judged, self.roles)
        measured = text.map_batches(
            self._probabilities, return_dtype=pl.Float64, is_elementwise=True
        )
        return {f"{self.prefix}quality": measured.round(6)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self.prefix)

    def _probabilities(self, texts: pl.Series) -> pl.Series:
        from dagster_project.operators.kernels.word_classifier import probabilities

        assert self._weights is not None
        return probabilities(texts, self._weights)
