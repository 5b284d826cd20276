"""What does not fit in memory is in files without a name, and is the same there."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dagster_project.engine.batch import identified
from dagster_project.engine.chunk import Chunk
from dagster_project.engine.plan import PlannedStep
from dagster_project.engine.relation_stage import run_relation_step
from dagster_project.engine.scratch import Scratch
from dagster_project.operators.process.deduplicate_near import DeduplicateNear

SIZES = [1, 10**9]


@pytest.mark.parametrize("most", SIZES)
def test_arrays(tmp_path: Path, most: int) -> None:
    scratch = Scratch(tmp_path / "files", most)
    made = scratch.empty((3, 4), "int32")
    made[:] = 7
    assert made.shape == (3, 4) and made.sum() == 84
    parts = [np.arange(5), np.arange(0), np.arange(3)]
    joined = scratch.concatenated(iter(parts), "uint32")
    assert joined.dtype == np.uint32
    assert joined.tolist() == [0, 1, 2, 3, 4, 0, 1, 2]
    assert scratch.concatenated(iter([]), "uint32").tolist() == []
    assert not list(tmp_path.rglob("*.*"))
    assert (tmp_path / "files").exists() is (most == 1)


@pytest.mark.parametrize("most", [1, 400, 10**9])
def test_frames(tmp_path: Path, most: int) -> None:
    parts = [
        pl.DataFrame({"text": ["a", None, "日本" * 40], "keys": [[1, 2], [3], None]}),
        pl.DataFrame({"text": ["b"], "keys": [[]]}, {"text": pl.String, "keys": pl.List(pl.Int64)}),
        pl.DataFrame({"text": ["c" * 100], "keys": [[9]]}),
    ]
    joined = Scratch(tmp_path, most).frame(iter(parts))
    assert joined.equals(pl.concat(parts))
    assert not list(tmp_path.iterdir())


def test_near_duplicates_are_the_same_in_files(tmp_path: Path) -> None:
    generator = random.Random(5)
    texts = [" ".join(generator.choices("abcdefghijkl", k=12)) for _ in range(400)]
    texts += [text + " z" for text in texts[:200]]
    rows = identified(pl.DataFrame({"text": texts}), 0, 0)
    chunks = [
        Chunk(str(at), 0, 150, lambda at=at: rows[at : at + 150]) for at in range(0, 600, 150)
    ]
    operator = DeduplicateNear.model_validate({"columns": ["text"], "size": 3, "threshold": 0.7})
    step = PlannedStep(0, "near", operator, None, "hash")
    results = [run_relation_step(chunks, step, [], None, Scratch(tmp_path, most)) for most in SIZES]
    assert results[0].removed.height > 150
    assert results[0].removed.equals(results[1].removed)
    assert results[0].pairs.equals(results[1].pairs)
