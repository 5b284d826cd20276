"""How long texts are, in characters, words and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Operator, RowOperator
from dagster_project.operators.process.column_kinds import summed

Unit = Literal["characters", "words", "tokens"]
Tokenizer = Literal["o200k", "cl100k", "harmony", "llama3", "qwen3"]

ENCODINGS: Mapping[Tokenizer, str] = {
    "o200k": "o200k_base",
    "cl100k": "cl100k_base",
    "harmony": "o200k_harmony",
    "llama3": "llama3",
    "qwen3": "qwen3",
}


class MeasureLength(RowOperator):
    """Measures how long texts are, without removing any.

    Adds the annotations `characters` (Unicode code points), `words` (runs of what is not white
    space; a language written without spaces has few) and `tokens`, those that are asked for, as
    integers. In a chat column the lengths of all messages' contents are added up; what a chat
    template puts around them is not counted. The length of null is null.

    Tokens are counted by quicktok with the vocabulary as it is published: `o200k` (GPT-4o; the
    default, as the largest of these), `cl100k` (GPT-4), `harmony` (gpt-oss), `llama3`, `qwen3`.
    Names of special tokens in a text count as the text they are.

    Example:
        - measure_length: {column: messages, units: [tokens], tokenizer: qwen3}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages.
    """

    libraries: ClassVar[tuple[str, ...]] = ("quicktok-v1",)

    column: str = Field(description="A column of text or chat messages.")
    units: tuple[Unit, ...] = Field(
        default=("characters", "words", "tokens"), min_length=1, description="What is counted."
    )
    tokenizer: Tokenizer = Field(default="o200k", description="Whose tokens are counted.")
    prefix: str = Field(
        default="", description="Put before the names of the annotations, to measure two columns."
    )

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {
            f"{self.prefix}{unit}": length(self, schema, self.column, unit, self.tokenizer)
            for unit in self.units
        }


def length(
    operator: Operator, schema: pl.Schema, column: str, unit: Unit, tokenizer: Tokenizer
) -> pl.Expr:
    """The length of a column of texts or chat messages, as `MeasureLength` says.

    Raises:
        OperatorMisuse: when it is neither.
    """

    def measure(text: pl.Expr) -> pl.Expr:
        if unit == "characters":
            return text.str.len_chars()
        if unit == "words":
            return text.str.count_matches(r"\S+")
        return text.map_batches(
            lambda texts: _tokens(texts, tokenizer), return_dtype=pl.Int64, is_elementwise=True
        )

    return summed(operator, schema, column, measure)


def _tokens(texts: pl.Series, tokenizer: Tokenizer) -> pl.Series:
    import quicktok

    encoding = quicktok.get_encoding(ENCODINGS[tokenizer])
    counts = quicktok.count_batch(encoding, texts.fill_null("").to_list())
    return pl.select(
        pl.when(texts.is_not_null()).then(pl.Series(counts, dtype=pl.Int64))
    ).to_series()
