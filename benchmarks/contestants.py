"""What a contestant of 10,000 rows costs in the arena, by the quick models.

`python -m benchmarks.contestants FOLDER`, with a folder that holds `gpteacher/*.json` and
`gsm8k/train.jsonl`. Rows of maths, code, tool use and role plays are drawn at random into two parts of
10,000 and the held-out rest. One part is the contestant of a first contest, the other of a second, which
finds the vectors of what is held out remembered, and none of its own. Each is measured from the
declaration to the published version.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

from benchmarks.chosen_rows import SETS, read
from benchmarks.measuring import machine

ROWS, HELD_OUT = 10_000, 300
SEED = 5
HEAD = "description: benchmark\nphase: sft\n"
DATA = HEAD + "inputs: {rows: {files: rows.jsonl}}\n"
CONTEST = (
    HEAD
    + """\
inputs:
  scores:
    contest:
      contestants:
        all: {{version: rows/v1, where: "part = '{part}'"}}
      evaluation: {{version: rows/v1, where: "part = 'held out'"}}
"""
)


def prepare(data: Path, folder: Path) -> None:
    """Write rows and recipes to a folder."""
    sets = sorted({*SETS.values(), "toolformer-dedupe-only-dataset.json"})
    found = [
        *(
            row
            for name in sets
            for row in read(data / "gpteacher" / name, "instruction", "response")
        ),
        *read(data / "gsm8k/train.jsonl", "question", "answer"),
    ]
    pairs = sorted(set(found))
    random.Random(SEED).shuffle(pairs)
    parts = ["held out"] * HELD_OUT + ["first"] * ROWS + ["second"] * ROWS
    told = [
        json.dumps({"prompt": prompt, "answer": answer, "part": part})
        for (prompt, answer), part in zip(pairs, parts, strict=False)
    ]
    (folder / "rows.jsonl").write_text("\n".join(told) + "\n")
    recipes = {"rows/v1": DATA} | {
        f"arena/{part}": CONTEST.format(part=part) for part in ("first", "second")
    }
    for name, body in recipes.items():
        path = folder / "assets" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)


def run(data: Path) -> None:
    """Hold both contests, and print what each cost."""
    from dagster_project.engine.plan import plan
    from dagster_project.quality.gate import materialize
    from dagster_project.recipe.loading import load_recipes
    from dagster_project.warehouse.connect import connect
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    with tempfile.TemporaryDirectory() as temporary:
        workspace = Workspace(Path(temporary))
        prepare(data, workspace.root)
        store = Store(workspace.store)
        versions = load_recipes(workspace).versions
        print("| contest | rows | CPU s |\n|---|---:|---:|")
        for name in ("rows/v1", "arena/first", "arena/second"):
            begun = time.process_time()
            materialize(plan(versions[VersionName.parse(name)]), [], workspace, store)
            took = time.process_time() - begun
            if name.startswith("arena"):
                with connect(store) as connection:
                    rows = connection.sql(f"SELECT max(rows) AS rows FROM arena.{name[6:]}").pl()
                print(f"| {name} | {rows['rows'][0]:,.0f} | {took:.1f} |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    print(machine())
    run(given.data)
