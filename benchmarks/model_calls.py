"""What asking a model costs its client, beside distilabel and Bespoke Curator: a server that answers at
once, and as many prompts, each asked once.

`python -m benchmarks.model_calls [--prompts 3000] [--repeats 3] [--distilabel PYTHON] [--curator
PYTHON]`. Whole processes, from a file of prompts to rows with answers on disk: Seedbed publishes a
version, with every request and answer recorded, synced, and counted against a budget; the peers write
their own datasets and caches. The server's CPU seconds are not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.building import materializing
from benchmarks.measuring import (
    PEERS,
    Program,
    alternate,
    machine,
    spread,
    table,
    warm,
)
from benchmarks.stub_server import serving

CONCURRENT = 32
INPUTS = """\
models:
  stub:
    model: stub
    base_url: {url}
    concurrent: {concurrent}
    prices: {{input: 1, output: 2}}
budget: {{dollars: 1000}}
inputs:
  answers:
    generate: {{distill_answers: {{model: stub, column: prompt, max_tokens: 64}}}}
    seeds: {{files: {path}}}
    rows: {prompts}
"""


def prompts_file(folder: Path, prompts: int) -> Path:
    """Prompts of some twenty words, all different."""
    path = folder / f"prompts-{prompts}.jsonl"
    with path.open("w") as lines:
        for number in range(prompts):
            asked = f"Explain to a beginner, in a sentence, what happens to the number {number} when it "
            lines.write(json.dumps({"prompt": asked + f"is divided by {number % 97 + 2}."}) + "\n")
    return path


def programs(
    folder: Path, prompts: int, url: str, distilabel: str | None, curator: str | None
) -> dict[str, Program]:
    """Seedbed and the peers over the same prompts."""
    path = prompts_file(folder, prompts)
    inputs = INPUTS.format(url=url, concurrent=CONCURRENT, path=path, prompts=prompts)
    found = {"Seedbed": materializing(inputs, folder / f"seedbed-{prompts}")}
    for name, python, script in (
        ("distilabel", distilabel, "distilabel_answers.py"),
        ("Curator", curator, "curator_answers.py"),
    ):
        if python:
            place = folder / f"{name.lower()}-{prompts}"
            arguments = [str(PEERS / script), str(path), str(place), url, str(CONCURRENT)]
            found[name] = Program(arguments, python, place)
    return found


def run(prompts: int, repeats: int, distilabel: str | None, curator: str | None) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as temporary, serving() as url:
        folder = Path(temporary)
        warm(programs(folder, 50, url, distilabel, curator))
        measured = programs(folder, prompts, url, distilabel, curator)
        runs = alternate(measured, repeats)
        each = {
            name: [
                spread((prompts / run.wall for run in taken), 0),
                f"{1000 * median(run.cpu for run in taken) / prompts:.2f}",
                f"{taken[-1].printed.get('answers', '')}",
            ]
            for name, taken in runs.items()
        }
        headings = ("requests a second", "CPU ms a request", "answers")
        table(f"{prompts:,} prompts, {CONCURRENT} at once", runs, "Seedbed", each, headings)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, default=3_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--distilabel", metavar="PYTHON")
    parser.add_argument("--curator", metavar="PYTHON")
    given = parser.parse_args()
    print(machine())
    run(given.prompts, given.repeats, given.distilabel, given.curator)
