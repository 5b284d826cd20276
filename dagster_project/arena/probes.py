"""The fixed models that contestants are trained on, small enough for a laptop.

Each sees what the other does not: the language model is blind to an answer that belongs to another
question, and the map between embeddings is blind to how an answer is written. So neither is ever asked
alone by default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import numpy as np
import polars as pl

from dagster_project.arena.small_vocabulary import SIZE, tokenized

if TYPE_CHECKING:
    from numpy.typing import NDArray

Embed = Callable[[pl.Series], "NDArray[np.float32]"]

RIDGE = 1.0
"""What is added to the diagonal; vectors have length 1."""
SEED = 0xA2E4A
"""Of the hashes by which pairs are drawn."""


class Probe(Protocol):
    """A model that is trained on pairs, and scored on others."""

    def scores(self, train: pl.DataFrame, held_out: pl.DataFrame) -> NDArray[np.float64]:
        """A score for each pair that was held out; more is better.

        Args:
            train: `prompt` and `answer`.
            held_out: the same.
        """
        ...


class LanguageModel:
    """A trigram model with modified Kneser-Ney smoothing (Chen and Goodman 1998) over a fixed
    vocabulary of 4,096 tokens. Its score is the mean log-probability of the answer's tokens after the
    prompt, in nats for each token: 0 at best.

    It sees garbled text, foreign language and repetition. It does not see whether an answer is true, or
    answers its question, and it gains from every row more: compare at equal rows.
    """

    def scores(self, train: pl.DataFrame, held_out: pl.DataFrame) -> NDArray[np.float64]:
        from dagster_project.operators.kernels.ngram_model import fitted_on_tokens, token_losses

        if train.is_empty():
            return np.full(held_out.height, -np.log(SIZE))
        model = fitted_on_tokens(*tokenized(_joined(train)), SIZE)
        prompts = [text + "\n" if text else "" for text in held_out["prompt"]]
        answers = [text or " " for text in held_out["answer"]]
        read, first = tokenized(prompts)
        said, begins = tokenized(answers)
        lengths, own = np.diff(first), np.diff(begins)
        ends = np.concatenate([[0], np.cumsum(lengths + own)])
        tokens = np.empty(ends[-1], np.int64)
        starts = ends[:-1]
        tokens[_spread(starts, lengths)] = read
        tokens[_spread(starts + lengths, own)] = said
        return -token_losses(tokens, ends, lengths, model)


class EmbeddingMap:
    """A linear map from the embedding of a prompt to that of its answer, fitted by ridge regression.
    Its score is the cosine between the mapped prompt and the true answer: 1 at best.

    It sees answers that belong to other questions, and rows about other things. It does not see how an
    answer is written, and reads its first 256 tokens only.

    Args:
        embed: gives vectors of length 1.
        most: so many pairs are trained on at most, those of the lowest hashes. So they are drawn at
            random, and contestants that share rows share what is drawn of them: they differ by less
            chance, and shared texts are embedded once. Default: 600, which cost some 25 CPU seconds.
    """

    def __init__(self, embed: Embed, most: int = 600) -> None:
        self.embed, self.most = embed, most

    def scores(self, train: pl.DataFrame, held_out: pl.DataFrame) -> NDArray[np.float64]:
        drawn = train.select(pl.struct("prompt", "answer").hash(SEED)).to_series().arg_sort()
        rows = train[drawn.head(self.most).sort()]
        wanted = self.embed(held_out["answer"]).astype(np.float64)
        if rows.is_empty():
            return np.zeros(held_out.height)
        x, y = (self.embed(rows[name]).astype(np.float64) for name in ("prompt", "answer"))
        center, target = x.mean(axis=0), y.mean(axis=0)
        x = x - center
        weights = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (y - target))
        told = (self.embed(held_out["prompt"]) - center) @ weights + target
        return (told * wanted).sum(axis=1) / np.linalg.norm(told, axis=1)


def _joined(rows: pl.DataFrame) -> list[str]:
    return [
        f"{prompt}\n{answer}" if prompt else answer
        for prompt, answer in rows.select("prompt", "answer").iter_rows()
    ]


def _spread(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of runs that begin at `starts`."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - (ends - lengths), lengths)
