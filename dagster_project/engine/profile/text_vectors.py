"""Vectors of texts: of what they mean, where the extra `embeddings` is installed, else of words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from dagster_project.operators.models.sentence_embeddings import (
    ModelMissing,
    embed,
    require_installed,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

Method = Literal["embeddings", "words"]

MOST_WORDS = 4096
"""Words that vectors count, the most frequent ones that are not in nearly every text."""
TOO_COMMON = 0.5
"""Share of texts from which on a word tells nothing."""
WORD = r"\p{Han}|\p{L}[\p{L}\p{N}\p{M}]*"
"""A word, in any script, that begins with a letter; each ideograph is one where it stands alone."""
READ = 2_000
"""Characters of a text that are read."""


def best_method(embeddings: bool | None = None) -> Method:
    """How vectors are made.

    Args:
        embeddings: whether by embeddings; None for: where they are installed.

    Raises:
        ModelMissing: when they are asked for and not installed.
    """
    if embeddings is False:
        return "words"
    try:
        require_installed()
    except ModelMissing:
        if embeddings:
            raise
        return "words"
    return "embeddings"


def vectors(texts: Sequence[pl.Series], method: Method) -> list[NDArray[np.float32]]:
    """Vectors of length 1 (or 0, of a text without words) for some lots of texts, comparable with
    each other.

    Args:
        texts: lots, of which nulls are empty texts.
        method: `words` weighs words by how often they are in a text and how few texts of all lots have
            them (TF-IDF).
    """
    heads = [lot.fill_null("").str.head(READ) for lot in texts]
    sizes = np.cumsum([len(lot) for lot in heads])[:-1]
    together = pl.concat([lot.alias("text") for lot in heads])
    found = embed(together) if method == "embeddings" else _by_words(together)
    found[~together.str.contains(WORD).to_numpy()] = 0
    return np.split(found, sizes)


def words_of(texts: pl.Series) -> pl.DataFrame:
    """The words of texts: `text` (its number), `word`, `times`; sorted."""
    return (
        texts.fill_null("")
        .alias("said")
        .to_frame()
        .with_row_index("text")
        .select("text", pl.col("said").str.to_lowercase().str.extract_all(WORD).alias("word"))
        .filter(pl.col("word").list.len() > 0)
        .explode("word")
        .group_by("text", "word")
        .len("times")
        .sort("text", "word")
    )


def _by_words(texts: pl.Series) -> NDArray[np.float32]:
    words = words_of(texts)
    common = TOO_COMMON * max(len(texts), 4)
    known = (
        words.group_by("word")
        .len("texts")
        .filter((pl.col("texts") > 1) & (pl.col("texts") <= common))
        .sort(["texts", "word"], descending=[True, False])
        .head(MOST_WORDS)
        .with_row_index("place")
    )
    idf = (len(texts) / pl.col("texts")).log()
    weighed = words.join(known, on="word", maintain_order="left").with_columns(
        ((1 + pl.col("times").log()) * idf).alias("weight")
    )
    found = np.zeros((len(texts), max(known.height, 1)), np.float32)
    found[weighed["text"].to_numpy(), weighed["place"].to_numpy()] = weighed["weight"].to_numpy()
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    return np.divide(found, lengths, out=found, where=lengths > 0)
