"""What was chosen from real public sets, against all of them, random rows and the longest, at equal
tokens and equal rows, in arenas.

`python -m benchmarks.chosen_rows FOLDER [--seeds 3] [--language-model-only | --lora]`, with a folder that
holds `gsm8k/train.jsonl`, `gsm8k/test.jsonl` and `gpteacher/*.json`. `--lora` finetunes a real model, for
the first of two questions, on rows of 30,000 tokens and on all. The questions:

- **task**: of grade-school maths, code, tool use and role plays mixed, which rows make the fixed models
  better at maths? Chosen: no near-duplicates, like 300 examples of the task (`select_like`), then those
  that stand for all (`select_diverse`).
- **same**: of grade-school maths alone, which are the best to train on? Chosen: those that stand for all.

Held out are 300 of GSM8K's test problems; the examples of the task are training problems.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measuring import machine

EXAMPLES, HELD_OUT = 300, 300
CHOSEN = 1500
SETS = {
    "code": "codegen-instruct.json",
    "tools": "toolformer-similarity-0.9-dataset.json",
    "roleplay": "roleplay-simple-deduped-roleplay-instruct.json",
}
HEAD = "description: benchmark\nphase: sft\n"
CONTEST = """\
inputs:
  scores:
    contest:
      contestants:
        chosen: {{version: {chosen}}}
      pool: {{version: {pool}}}
      evaluation: {{version: exam/v1}}
      budgets: [{budgets}]
      seeds: {seeds}
      models: {models}
"""
BUDGETS = "{tokens: 30000}, {tokens: 100000}, {rows: 500}"
MODELS = "[language_model, embedding_map]"
QUICKER = "[language_model]"
LORA = "{lora: {steps: 16, held_out: 64, threads: 2}}"
LORA_BUDGETS = "{tokens: 30000}"
QUESTIONS = ("task", "same")
RECIPES = {
    "exam/v1": "inputs: {rows: {files: exam.jsonl}}\n",
    "task/pool": "inputs: {rows: {files: mixed.jsonl}}\n",
    "task/chosen": f"""\
references:
  examples: {{files: examples.jsonl}}
inputs:
  pool: {{version: task/pool}}
steps:
  - deduplicate_near: {{columns: [prompt, answer]}}
  - select_like: {{columns: [prompt, answer], like: {{examples: [prompt, answer]}}, rows: {2 * CHOSEN}}}
  - select_diverse: {{columns: [prompt], method: facility_location, rows: {CHOSEN}, prefix: of_those_}}
""",
    "same/pool": "inputs: {rows: {files: maths.jsonl}}\n",
    "same/chosen": f"""\
inputs:
  pool: {{version: same/pool}}
steps:
  - deduplicate_near: {{columns: [prompt, answer]}}
  - select_diverse: {{columns: [prompt], method: facility_location, rows: {CHOSEN}, prefix: of_those_}}
""",
}


def read(path: Path, prompt: str, answer: str) -> list[tuple[str, str]]:
    """Pairs of a public set's file, without those that lack a side."""
    read = json.loads(path.read_text()) if path.suffix == ".json" else _lines(path)
    return [(row[prompt], row[answer]) for row in read if row.get(prompt) and row.get(answer)]


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open()]


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    told = [json.dumps({"prompt": prompt, "answer": answer}) for prompt, answer in rows]
    path.write_text("\n".join(told) + "\n")


def prepare(data: Path, folder: Path, seeds: int, models: str, budgets: str) -> None:
    """Write rows and recipes to a folder."""
    maths = read(data / "gsm8k/train.jsonl", "question", "answer")
    exam = read(data / "gsm8k/test.jsonl", "question", "answer")[:HELD_OUT]
    others = [
        row
        for name in SETS.values()
        for row in read(data / "gpteacher" / name, "instruction", "response")
    ]
    _write(folder / "exam.jsonl", exam)
    _write(folder / "examples.jsonl", maths[:EXAMPLES])
    _write(folder / "maths.jsonl", maths[EXAMPLES:])
    _write(folder / "mixed.jsonl", maths[EXAMPLES:] + others)
    recipes = RECIPES | {
        f"arena/{question}": CONTEST.format(
            chosen=f"{question}/chosen",
            pool=f"{question}/pool",
            seeds=seeds,
            models=models,
            budgets=budgets,
        )
        for question in QUESTIONS
    }
    for name, body in recipes.items():
        path = folder / "assets" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(HEAD + body)


def run(
    data: Path,
    seeds: int,
    models: str = MODELS,
    budgets: str = BUDGETS,
    questions: Sequence[str] = QUESTIONS,
) -> None:
    """Hold the contests, and print who stands where."""
    from dagster_project.arena.contest import RESULTS
    from dagster_project.arena.standing import standing
    from dagster_project.engine.plan import plan
    from dagster_project.quality.gate import materialize
    from dagster_project.recipe.loading import load_recipes
    from dagster_project.warehouse.connect import connect
    from dagster_project.warehouse.store import Store
    from dagster_project.workspace import VersionName, Workspace

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        prepare(data, folder, seeds, models, budgets)
        workspace = Workspace(folder)
        store = Store(workspace.store)
        versions = load_recipes(workspace).versions
        asked = [name for name in RECIPES if name.split("/")[0] in ("exam", *questions)]
        for name in (*asked, *(f"arena/{question}" for question in questions)):
            materialize(plan(versions[VersionName.parse(name)]), [], workspace, store)
        for question in questions:
            with connect(store) as connection:
                results = connection.sql(f"SELECT {', '.join(RESULTS)} FROM arena.{question}").pl()
            print(f"\n### {question}\n")
            print("| model | trained on | rows | tokens | score | against random (95 %) | |")
            print("|---|---|---:|---:|---:|---|---|")
            for row in standing(results, "random of pool").iter_rows(named=True):
                on = "all" if row["budget"] == "all" else f"{row['amount']:,} {row['budget']}"
                difference = (
                    f"{row['difference']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"
                    if row["difference"] is not None
                    else ""
                )
                print(
                    f"| {row['model']} | {row['contestant']}, {on} | {row['rows']:,.0f} "
                    f"| {row['tokens']:,.0f} | {row['score']:.4f} | {difference} "
                    f"| {row['verdict'] or ''} |"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--language-model-only", action="store_true")
    which.add_argument("--lora", action="store_true")
    given = parser.parse_args()
    print(machine())
    if given.lora:
        run(given.data, given.seeds, LORA, LORA_BUDGETS, QUESTIONS[:1])
    else:
        run(given.data, given.seeds, QUICKER if given.language_model_only else MODELS)
