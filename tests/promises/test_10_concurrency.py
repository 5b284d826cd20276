"""Promise 10: sixteen writers and readers at once; no lock error reaches a user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.verify import verify

BUILDER = Path(__file__).with_name("builder.py")
FULL = os.environ.get("SEEDBED_PROMISES") == "full"
WRITERS, READERS = (10, 6) if FULL else (4, 2)

RECIPE = """\
inputs:
  rows: {{files: rows.jsonl}}
steps:
  - filter_rows: {{keep: n % {modulus} = 0}}
"""

READER = """
import sys
from pathlib import Path
from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.store import Store
for _ in range(20):
    with connect(Store(Path(sys.argv[1]))) as connection:
        n, total = connection.execute("SELECT count(*), sum(n % 2) FROM a.v0").fetchone()
        assert (n, total) == (1000, 0), (n, total)
"""


def test_writers_and_readers_at_once(space) -> None:
    space.jsonl("rows.jsonl", [{"n": index} for index in range(2000)])
    for index in range(4):
        space.recipe(f"a/v{index}", RECIPE.format(modulus=index + 2))
    space.publish("a/v0")
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    commands = [
        [sys.executable, str(BUILDER), str(space.root), f"a/v{index % 4}"]
        for index in range(WRITERS)
    ] + [[sys.executable, "-c", READER, str(space.store.root)]] * READERS
    running = [
        subprocess.Popen(
            command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for command in commands
    ]
    said = [process.communicate(timeout=300)[1] for process in running]
    errors = [text for process, text in zip(running, said, strict=True) if process.returncode != 0]
    assert errors == []
    with connect(space.store) as connection:
        for index in range(4):
            found = connection.execute(f"SELECT count(*) FROM a.v{index}").fetchone()
            assert found == (len(range(0, 2000, index + 2)),)
    assert verify(space.store).damage == ()
