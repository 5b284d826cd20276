"""English words that are probably misspelt: not in a list of words, but one slip away from one.

Lists of words are the whole words of two tokenizers that are always there: that of the embedding model,
and `cl100k` (OpenAI). A word in neither is no slip by that alone: only what differs from one of the most
frequent ones by a letter dropped, added, mistaken or swapped, and that few texts have.
"""

from __future__ import annotations

import json
from functools import cache

import polars as pl

from dagster_project.operators.models.sentence_embeddings import TOKENIZER

SHORTEST = 5
"""Letters of the shortest word that is looked up: shorter ones are one slip away from too many."""
FREQUENT = 12_000
"""Words of the list, most frequent first, that others may be slips of."""
TERM_SHARE, TERM_TEXTS = 0.01, 5
"""A word that this share of texts has, and this many of them, is a term of theirs."""
WORD = r"\b[a-z]{5,24}\b"
"""A word in small letters, as names and identifiers are not."""
_INFLECTIONS = ("s", "es", "ed", "d", "ing", "er", "ers", "est")
_ENDINGS = ("ly", "y", "able", "ness", "less", "ment")
_STARTS = ("un", "re", "non", "pre", "sub", "multi", "over", "auto")


def slips(texts: pl.Series) -> pl.DataFrame:
    """`words` and `slips` of each text: how many words of 5 letters and more there are in small letters,
    and how many of them are probably misspelt; both UInt32, 0 where there is no text."""
    found = texts.fill_null("").str.extract_all(WORD).alias("word").to_frame().with_row_index("at")
    each = found.filter(pl.col("word").list.len() > 0).explode("word")
    counted = each.group_by("word").agg(pl.col("at").n_unique().alias("texts"))
    rare = counted.filter(
        (pl.col("texts") < TERM_TEXTS) | (pl.col("texts") < TERM_SHARE * max(len(texts), 1))
    )
    wrong = misspelt(rare["word"]).to_frame("word")
    counts = found.select("at", words=pl.col("word").list.len())
    slipped = each.join(wrong, on="word", how="semi").group_by("at").agg(slips=pl.len())
    return counts.join(slipped, on="at", how="left", maintain_order="left").select(
        pl.col("words").fill_null(0), pl.col("slips").fill_null(0).cast(pl.UInt32)
    )


def misspelt(words: pl.Series) -> pl.Series:
    """Those of some distinct words that are probably misspelt, sorted."""
    every, whole = _listed(), _frequent(None)
    unknown = words.alias("word").to_frame().filter(pl.col("word").str.len_chars() >= SHORTEST)
    unknown = unknown.join(every, on="word", how="anti")
    for stems, listed in ((_inflected(), every), (_derived(), whole)):
        left = unknown.select("word", stem=pl.concat_list(stems)).explode("stem").drop_nulls()
        formed = left.join(listed, left_on="stem", right_on="word", how="semi")
        unknown = unknown.join(formed, on="word", how="anti")
    known = _frequent()
    shorter = _one_left_out(unknown)
    near = [
        shorter.join(_listed_shorter(), on=["first", "less"], how="semi"),  # mistaken or swapped
        shorter.join(known, left_on="less", right_on="word", how="semi"),  # one too many
        unknown.join(_listed_shorter(), left_on="word", right_on="less", how="semi"),  # one missing
    ]
    return pl.concat([each.select("word") for each in near])["word"].unique().sort()


def _inflected() -> list[pl.Expr]:
    """What is left of a word without its ending, and with what that had replaced."""
    word, found = pl.col("word"), []
    for ending in _INFLECTIONS:
        stem = pl.when(word.str.ends_with(ending)).then(word.str.head(-len(ending)))
        doubled = pl.when(stem.str.tail(1) == stem.str.slice(-2, 1)).then(stem.str.head(-1))
        found += [stem, stem + "e", stem.str.replace(r"i$", "y"), doubled]
    return found


def _derived() -> list[pl.Expr]:
    """What is left of a word without what makes another one of it; lists of tokens hold beginnings of
    words, too, so that these are looked for among whole words."""
    word = pl.col("word")
    ends = [
        pl.when(word.str.ends_with(ending)).then(word.str.head(-len(ending))) for ending in _ENDINGS
    ]
    starts = [
        pl.when(word.str.starts_with(start)).then(word.str.slice(len(start))) for start in _STARTS
    ]
    return [*ends, *(end + "e" for end in ends), *starts]


def _one_left_out(words: pl.DataFrame) -> pl.DataFrame:
    """`word`, its `first` letter, and `less`: what it is without each of the others."""
    word, place = pl.col("word"), pl.col("place")
    return (
        words.select("word")
        .with_columns(place=pl.int_ranges(1, word.str.len_chars()))
        .explode("place")
        .select(
            "word",
            first=word.str.head(1),
            less=word.str.slice(0, place) + word.str.slice(place + 1),
        )
    )


@cache
def _listed() -> pl.DataFrame:
    import quicktok

    encoding = quicktok.get_encoding("cl100k_base")
    tokens = (encoding.decode_single_token_bytes(token) for token in range(100_000))
    words = [token[1:].decode() for token in tokens if token[:1] == b" " and token.isascii()]
    more = pl.DataFrame({"word": words}).filter(pl.col("word").str.contains(r"^[a-z]{4,}$"))
    return pl.concat([_frequent(None), more]).unique(maintain_order=True)


@cache
def _frequent(most: int | None = FREQUENT) -> pl.DataFrame:
    vocabulary = json.loads(TOKENIZER.read_bytes())["model"]["vocab"]
    words = [word for word in vocabulary if word.isascii() and word.isalpha()]
    return pl.DataFrame({"word": words[:most]}).filter(pl.col("word").str.len_chars() >= SHORTEST)


@cache
def _listed_shorter() -> pl.DataFrame:
    return _one_left_out(_frequent()).select("first", "less").unique()
