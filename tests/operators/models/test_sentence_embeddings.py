"""A text has one vector, whatever is embedded with it; and it is that of the model that is meant."""

from __future__ import annotations

import importlib.metadata

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.models import sentence_embeddings
from dagster_project.operators.models.sentence_embeddings import (
    MOST_TOKENS,
    ModelMissing,
    embed,
    tokens_read,
)

pytest.importorskip("onnxruntime")

TEXTS = [
    "",
    "Why?",
    "Hello there, world.",
    "How do I boil an egg?",
    "What is the way to boil an egg?",
    "How many people live in China?",
    "日本語 и русский 🙂",
    "word " * 100,
    "another " * 300,
]


def test_texts_that_mean_the_same_are_closer() -> None:
    egg, same, other = embed(pl.Series(TEXTS[3:6]))
    assert egg @ same == pytest.approx(0.9687, abs=0.001)
    assert egg @ other < 0.2
    assert np.linalg.norm(egg) == pytest.approx(1, abs=1e-6)


def test_a_text_has_the_same_vector_alone_and_among_others() -> None:
    texts = pl.Series([*TEXTS, *TEXTS[::-1]])
    together = embed(texts)
    assert together.dtype == np.float32 and together.shape == (len(texts), 384)
    assert np.array_equal(together, together[::-1])
    for place, text in enumerate(TEXTS):
        assert np.array_equal(embed(pl.Series([text]))[0], together[place]), text
    words = [f"What is {word}?" for word in ("rain", "snow", "wind", "hail", "fog", "ice")]
    assert np.array_equal(embed(pl.Series(words))[::-1], embed(pl.Series(words[::-1])))


def test_what_is_beyond_the_last_token_is_not_read() -> None:
    text = "many words " * 200
    one, other = embed(pl.Series([text, text + "and another end"]))
    assert np.array_equal(one, other)
    assert tokens_read(pl.Series([text]))["tokens"][0] > MOST_TOKENS


def test_words_without_tokens_are_counted() -> None:
    read = tokens_read(pl.Series(["I love 🍕", "I love it", None, "z" * 101]))
    assert read["unknown"].to_list() == [1, 0, 0, 1]
    assert read["tokens"].to_list() == [5, 5, 2, 3]


def test_a_null_is_an_empty_text_and_no_text_has_no_vector() -> None:
    empty, null = embed(pl.Series(["", None]))
    assert np.array_equal(empty, null)
    assert embed(pl.Series([], dtype=pl.String)).shape == (0, 384)


@settings(max_examples=30)
@given(st.data())
def test_any_text_can_be_read(texts, data) -> None:
    some = data.draw(st.lists(texts, max_size=4))
    read = tokens_read(pl.Series(some, dtype=pl.String))
    assert read.height == len(some)
    assert (read["tokens"] >= read["unknown"] + 2).all()


def test_a_model_that_is_not_installed_is_named(monkeypatch) -> None:
    def missing(name: str):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(sentence_embeddings, "distribution", missing)
    with pytest.raises(ModelMissing, match=r"need onnxruntime; .*'seedbed\[embeddings\]'"):
        sentence_embeddings.require_installed()


@pytest.mark.parametrize("content", [None, b"{}"])
def test_another_tokenizer_is_refused(monkeypatch, tmp_path, content) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setattr(sentence_embeddings, "TOKENIZER", path)
    sentence_embeddings._tokenizer.cache_clear()
    with pytest.raises(ModelMissing, match=r"tokenizer\.json: .*install it anew"):
        embed(pl.Series(["a"]))


def test_other_weights_are_refused(monkeypatch) -> None:
    monkeypatch.setattr(sentence_embeddings, "WEIGHTS_SHA256", "0" * 64)
    with pytest.raises(ModelMissing, match=r"model\.onnx: is not the file that is meant"):
        sentence_embeddings._session.__wrapped__()


def test_the_graph_is_the_model_of_the_package() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    from dagster_project.operators.models.minilm.make_graph import graph

    package = sentence_embeddings.weights()
    assert graph(package) == sentence_embeddings.GRAPH.read_bytes()
    session = onnxruntime.InferenceSession(package, providers=["CPUExecutionProvider"])
    for text in TEXTS[:-1]:
        ids = np.array([sentence_embeddings._tokens(pl.Series([text]))[0]], np.int64)
        inputs = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        (hidden,) = session.run(["last_hidden_state"], inputs)
        mean = hidden[0].mean(axis=0)
        expected = mean / np.linalg.norm(mean)
        assert np.allclose(embed(pl.Series([text]))[0], expected, atol=1e-5), text


def test_another_graph_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(sentence_embeddings, "GRAPH_SHA256", "0" * 64)
    with pytest.raises(ModelMissing, match=r"graph\.onnx: is not the file that is meant"):
        sentence_embeddings._session.__wrapped__()
