"""What a model made of a text is made once, kept whole, and never taken for something else."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dagster_project.engine.model_memory import FILE, ModelMemory
from dagster_project.operators.models import memory
from dagster_project.operators.models.memory import made_once, remembering
from dagster_project.warehouse.store import Store


class Counting:
    """A model that is slow to shout, and counts what it is asked."""

    def __init__(self, stops_at: int | None = None) -> None:
        self.asked: list[str] = []
        self.stops_at = stops_at

    def shouted(self, texts: Sequence[str], model: str = "loud") -> list[bytes]:
        def make(positions: Sequence[int]) -> Iterator[tuple[int, bytes]]:
            for position in reversed(positions):
                if len(self.asked) == self.stops_at:
                    raise KeyboardInterrupt
                self.asked.append(texts[position])
                yield position, texts[position].upper().encode()

        return made_once(model, texts, make)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_without_a_memory_all_is_made() -> None:
    model = Counting()
    assert model.shouted(["a", "b"]) == model.shouted(["a", "b"]) == [b"A", b"B"]
    assert len(model.asked) == 4


def test_equal_texts_are_asked_once_over_runs(store: Store) -> None:
    texts = [f"text {i}" for i in range(1_200)]
    for more in range(3):
        model = Counting()
        with remembering(ModelMemory(store)):
            wanted = [*texts, *(f"new {each}" for each in range(more))]
            assert model.shouted(wanted) == [text.upper().encode() for text in wanted]
        assert len(model.asked) == (1_200 if not more else 1)


def test_another_model_is_asked_itself(store: Store) -> None:
    with remembering(ModelMemory(store)):
        Counting().shouted(["a"])
        model = Counting()
        model.shouted(["a"], model="louder")
    assert model.asked == ["a"]


def test_a_run_that_stops_keeps_what_it_made(store: Store) -> None:
    texts = [str(i) for i in range(20)]
    stopped, again = Counting(stops_at=12), Counting()
    with remembering(ModelMemory(store)):
        with pytest.raises(KeyboardInterrupt):
            stopped.shouted(texts)
        again.shouted(texts)
    assert sorted(stopped.asked + again.asked) == sorted(texts)


def test_it_is_kept_while_it_is_made(store: Store, monkeypatch) -> None:
    monkeypatch.setattr(memory, "EVERY", 0.0)
    kept: list[int] = []

    class Watched(ModelMemory):
        def keep(self, made):
            kept.append(len(made))
            super().keep(made)

    with remembering(Watched(store)):
        Counting().shouted(["a", "b", "c"])
    assert kept[:3] == [1, 1, 1]


def test_a_damaged_value_is_made_again(store: Store) -> None:
    with remembering(ModelMemory(store)):
        Counting().shouted(["a", "b"])
        with sqlite3.connect(store.cache / FILE) as connection:
            connection.execute("UPDATE made SET value = CAST(value || 'x' AS BLOB) WHERE rowid = 1")
        model = Counting()
        assert model.shouted(["a", "b"]) == [b"A", b"B"]
    assert len(model.asked) == 1


@pytest.mark.parametrize("content", [b"", b"no database" * 500])
def test_a_file_that_cannot_be_used_stops_nothing(store: Store, content: bytes) -> None:
    store.cache.mkdir(parents=True)
    (store.cache / FILE).write_bytes(content)
    with remembering(ModelMemory(store)):
        assert Counting().shouted(["a"]) == [b"A"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the store would be")
    with remembering(ModelMemory(Store(tmp_path / "store"))):
        assert Counting().shouted(["a"]) == [b"A"]


def test_vectors_are_the_same_to_the_last_bit(store: Store, monkeypatch) -> None:
    pytest.importorskip("onnxruntime")
    from dagster_project.operators.models import sentence_embeddings

    texts = pl.Series(["How do I boil an egg?", None, "Why?", "Why?", "", "日本語"])
    fresh = sentence_embeddings.embed(texts)
    with remembering(ModelMemory(store)):
        assert np.array_equal(sentence_embeddings.embed(texts), fresh)
        monkeypatch.setattr(sentence_embeddings, "_computed", None)
        assert np.array_equal(sentence_embeddings.embed(texts), fresh)
        assert sentence_embeddings.embed(texts.clear()).shape == (0, 384)


def test_losses_are_the_same_to_the_last_bit(store: Store, monkeypatch) -> None:
    pytest.importorskip("threadpoolctl")
    from dagster_project.operators.models import small_language_model

    before = [[("user", "What is two and two?")], [("user", "Name a colour.")], []]
    answers = ["Four.", "", "Blue."]
    fresh = small_language_model.losses(before, answers, 64)
    with remembering(ModelMemory(store)):
        assert small_language_model.losses(before, answers, 64).equals(fresh)
        monkeypatch.setattr(small_language_model, "_loaded", None)
        assert small_language_model.losses(before, answers, 64).equals(fresh)
