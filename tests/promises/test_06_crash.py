"""Promise 6: SIGKILL at any moment leaves the old version or the new one, never a mix."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.failpoints import FAILPOINTS
from dagster_project.warehouse.verify import verify

FULL = os.environ.get("SEEDBED_PROMISES") == "full"
KILLS = 500 if FULL else 6
ROWS = 20_000 if FULL else 4_000

BUILDER = Path(__file__).with_name("builder.py")

RECIPE = """\
inputs:
  rows: {files: rows.jsonl}
steps:
  - normalize_text: {columns: [text]}
  - deduplicate_exact: {columns: [text]}
"""


def rows(generation: int):
    return [{"text": f"row {index % (ROWS - 5)} of {generation}"} for index in range(ROWS)]


def start(space, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, str(BUILDER), str(space.root), "a/v1"],
        env={**os.environ, "PYTHONPATH": os.getcwd(), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def seen(space) -> int:
    """Which generation a reader sees; it fails on a mix."""
    with connect(space.store) as connection:
        found = connection.execute(
            "SELECT count(*), count(DISTINCT split_part(text, ' of ', 2)), "
            "max(split_part(text, ' of ', 2)::INT) FROM a.v1"
        ).fetchone()
        held = connection.execute('SELECT count(*) FROM "a/v1".lineage').fetchone()
    assert found is not None
    assert (found[0], found[1]) == (ROWS - 5, 1)
    assert held == (ROWS - 5,)
    return found[2]


def damage(space) -> list[str]:
    return [str(item) for item in verify(space.store).damage]


@pytest.fixture
def published(space):
    space.recipe("a/v1", RECIPE)
    space.jsonl("rows.jsonl", rows(0))
    space.publish("a/v1")
    return space


@pytest.mark.parametrize("failpoint", FAILPOINTS)
def test_killed_at_a_failpoint(published, failpoint: str) -> None:
    published.jsonl("rows.jsonl", rows(1))
    process = start(published, SEEDBED_FAILPOINT=failpoint)
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert seen(published) == (1 if failpoint == "head_written" else 0)
    assert damage(published) == []
    published.publish("a/v1")
    assert seen(published) == 1
    assert damage(published) == []


@pytest.mark.parametrize("largest", [100, 3_000, 20_000, 100_000, 300_000, 1_000_000])
def test_a_write_that_fails(published, largest: int) -> None:
    """No file may grow beyond `largest` bytes, as when the disk is full."""
    published.jsonl("rows.jsonl", rows(1))
    process = subprocess.run(
        [sys.executable, str(BUILDER), str(published.root), "a/v1"],
        env={**os.environ, "PYTHONPATH": os.getcwd()},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest)),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert process.returncode != 0
    assert "Nothing was published" in process.stderr
    assert seen(published) == 0
    assert damage(published) == []
    published.publish("a/v1")
    assert seen(published) == 1


def test_killed_at_random_moments(published) -> None:
    generator = random.Random(6)
    started = time.perf_counter()
    start(published).communicate(timeout=120)
    whole = time.perf_counter() - started
    current, killed, finished = 0, 0, 0
    for generation in range(1, KILLS + 1):
        published.jsonl("rows.jsonl", rows(generation))
        process = start(published)
        try:
            process.communicate(timeout=generator.uniform(0.3, 1.1) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
        killed += process.returncode == -signal.SIGKILL
        finished += process.returncode == 0
        now = seen(published)
        assert now in (current, generation)
        assert process.returncode != 0 or now == generation
        current = now
        assert damage(published) == []
    print(f"{killed} killed, {finished} finished first, of {KILLS}")
    assert killed >= KILLS // 3
    assert killed + finished == KILLS
