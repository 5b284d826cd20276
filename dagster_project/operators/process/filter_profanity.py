"""Keep texts without profanity."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Any, ClassVar, NamedTuple, Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import OperatorMisuse, RowOperator, Rule
from dagster_project.operators.process.column_kinds import message_fields, text_or_messages
from dagster_project.operators.process.text_units import bound_rules

PACKAGE = "alt-profanity-check"
VERSION = "1.9.1"
FILES = {
    "profanity_check/data/vectorizer.joblib": (
        "19c5200dc6a41f026e0558e2f164f5fe8d8f58e502b46b37e4385037fcfa4831"
    ),
    "profanity_check/data/model.joblib": (
        "aeafc04849d4d93db4721cf30a86ebf22085595294b8a07d51918e7fa98f538b"
    ),
}
"""sha256 of the model's files. They are pickles, which run code when they are opened: only these."""


class FilterProfanity(RowOperator):
    """Keeps texts without profanity: English swear words, slurs and sexual insults.

    Measures `profanity`, 0 to 1, as the linear model of alt-profanity-check 1.9.1 tells it from
    single words (Zhou 2019, trained on 200,000 tweets and comments). Of chat messages, it is that of
    the worst one. Rule `max_profanity`; the default of 0.5 is where the model itself draws the line.

    **It is profanity, not toxicity.** It flags people who quote or ask about such words (of the prompts
    of HH-RLHF's harmless test, 13 %; of GSM8K, 0.4 %), passes threats and hatred in polite words, and
    knows no language but English. A text of words it has never seen has 0.036. Read what it removes.

    Needs the extra `seedbed[profanity]`. The model's files are opened only if their sha256 is that of
    the files in that release.

    Example:
        - filter_profanity: {column: messages, roles: [assistant], max_profanity: 0.8}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages, or the model's files are
            not those of alt-profanity-check 1.9.1.
    """

    libraries: ClassVar[tuple[str, ...]] = (PACKAGE, "scikit-learn")

    column: str = Field(description="A column of text or chat messages.")
    roles: tuple[str, ...] = Field(
        default=("user", "assistant"),
        min_length=1,
        description="Whose messages count, in a column of chat messages.",
    )
    max_profanity: float | None = Field(
        default=0.5, ge=0, le=1, description="Greatest profanity; null for no rule."
    )
    prefix: str = Field(default="", description="Put before the name of the annotation.")

    @model_validator(mode="after")
    def _installed(self) -> Self:
        try:
            found = distribution(PACKAGE).version
        except PackageNotFoundError:
            found = "none"
        if found != VERSION:
            raise ValueError(
                f"needs {PACKAGE} {VERSION}, but there is {found}; install it with "
                "`pip install 'seedbed[profanity]'`"
            )
        return self

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        text = pl.col(self.column)
        if text_or_messages(self, schema, self.column) == "text":
            measured = _measured(text)
        else:
            said = pl.element().struct.field("content")
            if "role" in message_fields(schema[self.column]):
                said = said.filter(pl.element().struct.field("role").is_in(list(self.roles)))
            measured = text.list.eval(_measured(said.drop_nulls())).list.max()
            measured = pl.when(text.is_not_null()).then(measured.fill_null(0.0))
        return {f"{self.prefix}profanity": measured}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        return bound_rules(self, self.prefix)


def _measured(text: pl.Expr) -> pl.Expr:
    found = text.fill_null("").map_batches(_profanity, return_dtype=pl.Float64, is_elementwise=True)
    return pl.when(text.is_not_null()).then(found.round(6))


def _profanity(texts: pl.Series) -> pl.Series:
    if texts.is_empty():
        return pl.Series(texts.name, dtype=pl.Float64)
    model = _model()
    found = model.classifier.predict_proba(model.vectorizer.transform(texts.to_list()))
    return pl.Series(texts.name, found[:, 1])


class _Model(NamedTuple):
    vectorizer: Any
    classifier: Any


@cache
def _model() -> _Model:
    """The model, once its files are what they should be."""
    import joblib

    parts = []
    for name, wanted in FILES.items():
        path = distribution(PACKAGE).locate_file(name)
        content = path.read_bytes() if path.is_file() else b""  # pyright: ignore
        found = hashlib.sha256(content).hexdigest()
        if found != wanted:
            raise OperatorMisuse(
                f"filter_profanity: {name} has sha256 {found}, but that of {PACKAGE} {VERSION} is "
                f"{wanted}; it is not opened. Install the package again"
            )
        parts.append(joblib.load(io.BytesIO(content)))
    return _Model(*parts)
