"""A program of the user's own trains and evaluates; its scores are read, and nothing is trained twice."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dagster_project.arena.pairs import pairs
from dagster_project.arena.standing import standing
from dagster_project.arena.told_scores import OWN, ScoresRefused, gathered, told_scores
from dagster_project.arena.trainer import Trainer, TrainingFailed, lines
from dagster_project.recipe.problems import DeclarationError
from dagster_project.warehouse.connect import connect

TRAIN = '''
"""Counts words, and tells how well it foresees those of held-out answers."""
import argparse, collections, json, math, pathlib
asked = argparse.ArgumentParser()
for name in ("--data", "--held-out", "--seed", "--out"):
    asked.add_argument(name)
asked = asked.parse_args()
def answers(path):
    for line in open(path, encoding="utf-8"):
        row = json.loads(line)
        yield row["messages"][-1]["content"] if "messages" in row else row["text"]
counts = collections.Counter(word for answer in answers(asked.data) for word in answer.split())
total = counts.total() + 5000
losses = []
for answer in answers(asked.held_out):
    words = answer.split()
    losses.append(-sum(math.log((counts[word] + 1) / total) for word in words) / len(words))
with open("trained.txt", "a") as log:
    log.write(asked.seed)
told = {"loss": {"rows": losses, "slices": {"short": losses[0]}}, "words": len(counts), "other": "?"}
pathlib.Path(asked.out, "scores.json").write_text(json.dumps(told))
'''
ARENA = """inputs:
  scores:
    contest:
      contestants:
        clean: {version: d/clean}
        garbled: {version: d/garbled}
      evaluation: {version: d/exam}
      budgets: [{rows: 40}]
      everything: false
      seeds: 3
      models:
        language_model: {}
        counter:
          command: [python, train.py, --data, "{data}", --held-out, "{held_out}", --seed, "{seed}",
                    --out, "{out}"]
          scores: {loss: lower, words: lower}
          seeds: 2
"""


@pytest.fixture
def versions(space):
    def row(number: int) -> dict:
        one, other = f"thing{number % 7}", f"thing{number % 5}"
        return {"question": f"what of {number}?", "answer": f"put {one} by {other} no {number % 3}"}

    clean = [row(number) for number in range(60)]
    garbled = [each | {"answer": each["answer"][::-1]} for each in clean]
    exam = [row(number) for number in range(1001, 1011)]
    for name, rows in (("clean", clean), ("garbled", garbled), ("exam", exam)):
        space.jsonl(f"{name}.jsonl", rows)
        space.recipe(f"d/{name}", f"inputs: {{all: {{files: {name}.jsonl}}}}\n")
        space.publish(f"d/{name}")
    (space.root / "train.py").write_text(TRAIN)
    return space


def scored(space) -> pl.DataFrame:
    with connect(space.store) as connection:
        return connection.sql("SELECT * EXCLUDE (row_id) FROM arena.d").pl()


def test_it_competes_beside_the_quick_models_and_is_trained_once(versions):
    versions.recipe("arena/d", ARENA)
    first = versions.publish("arena/d").manifest
    results = scored(versions)
    assert results["model"].unique(maintain_order=True).to_list() == [
        "language_model",
        "counter.loss",
        "counter.loss.short",
        "counter.words",
    ]
    found = standing(results, "clean").filter(contestant="garbled")
    told = dict(found.select("model", "verdict").iter_rows())
    assert told["counter.loss"] == told["language_model"] == "worse"
    loss = results.filter(model="counter.loss")
    assert loss.height == 2 * 2 * 10 and (loss["score"] < 0).all() and loss["item"].max() == 9
    trained = versions.root / "trained.txt"
    assert trained.read_text() == "0101"

    versions.recipe("arena/d", ARENA.replace("words: lower", "words: higher"))
    assert versions.publish("arena/d").manifest.content_id != first.content_id
    assert scored(versions).filter(model="counter.words")["score"].min() > 0
    assert trained.read_text() == "0101"

    versions.recipe("arena/d", ARENA)
    (versions.root / "train.py").write_text(TRAIN + "# better\n")
    assert versions.publish("arena/d").manifest.content_id == first.content_id
    assert trained.read_text() == "01010101"
    logs = list((versions.store.calls / "trainings").glob("*/*/log.txt"))
    assert len(logs) == 8
    assert not list((versions.store.calls / "trainings").glob("*/*/work"))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (('"{data}"', '"{dat}"'), r"\{dat\} stands for nothing"),
        (('--out, "{out}"', "--out, here"), r"no argument has \{out\}"),
        (("seeds: 2", "code: [missing/*.py]"), "there is no such file"),
        (("seeds: 2", "code: [../secret.py]"), "not a path below"),
        (("loss: lower", "loss: less"), "not an allowed value"),
        (("counter:\n          command", "language_model:\n          command"), "nothing to set"),
    ],
)
def test_what_is_wrong_with_its_declaration_is_told(versions, wrong, said):
    text = ARENA.replace("        language_model: {}\n", "") if "nothing" in said else ARENA
    versions.recipe("arena/d", text.replace(*wrong))
    with pytest.raises((DeclarationError, TrainingFailed), match=said):
        versions.publish("arena/d")


ROWS = pairs(pl.DataFrame({"prompt": ["p", "q"], "answer": ["a", "b"]}))


def trainer(folder: Path, program: str, **given) -> Trainer:
    (folder / "t.py").write_text(program)
    usual = {
        "name": "mine",
        "command": ["python", "t.py", "{data}", "{held_out}", "{seed}", "{out}"],
        "folder": folder,
        "code": program,
        "directions": {"acc": "higher"},
        "reads": "scores",
        "seconds": 20.0,
        "seeds": None,
        "most": None,
        "kept": folder / "kept",
    }
    return Trainer(**(usual | given))


def telling(scores: str) -> str:
    return f"import sys\nopen(sys.argv[4] + '/scores.json', 'w').write({scores!r})\n"


@pytest.mark.parametrize(
    ("program", "said"),
    [
        ("print('cuda: out of memory'); raise SystemExit(3)", "exit code 3.*cuda: out of memory"),
        ("import os; os.kill(os.getpid(), 9)", r"ended by signal 9 \(Killed\)"),
        ("print('done')", r"wrote no scores.json into \{out\}.*done"),
        (telling("{'acc"), "not JSON"),
        (telling("[1]"), "no JSON object"),
        (telling('{"acc": NaN}'), "nan, not a finite number"),
        (telling('{"acc": 1e999}'), "inf, not a finite number"),
        (telling('{"acc": "0.5"}'), "'0.5' is not a number"),
        (telling('{"acc": true}'), "'True' is not a number"),
        (telling('{"acc": {"rows": [1]}}'), "1 numbers, and 2 rows are held out"),
        (telling('{"acc": {"rows": [1, null]}}'), "row 1: 'None' is not a number"),
        (telling('{"acc": {"value": 1, "slices": {"s": []}}}'), "acc.s: .* is not a number"),
    ],
)
def test_what_fails_is_told_and_is_not_remembered(tmp_path, program, said):
    with pytest.raises(TrainingFailed, match=f"(?s)model mine: .*{said}"):
        trainer(tmp_path, program).scores(ROWS, ROWS, 0)
    mended = trainer(tmp_path, telling('{"acc": 0.5}'), code=program)
    assert mended.scores(ROWS, ROWS, 0)["acc"].scores.tolist() == [0.5]


def test_a_metric_that_is_named_wrongly_costs_no_training(tmp_path):
    program = "open('trained.txt', 'a').write('x')\n" + telling('{"ac": 1, "bd": {"rows": [3, 4]}}')
    with pytest.raises(TrainingFailed, match=r"no metric 'acc' in scores\.json; did you mean 'ac'"):
        trainer(tmp_path, program).scores(ROWS, ROWS, 0)
    told = trainer(tmp_path, program, directions={"ac": "higher", "bd": "lower"})
    assert told.scores(ROWS, ROWS, 0)["bd"].scores.tolist() == [-3, -4]
    assert (tmp_path / "trained.txt").read_text() == "x"


def test_it_is_scored_on_so_many_rows(tmp_path):
    held_out = pairs(pl.DataFrame({"text": [f"t{at}" for at in range(10)]}))
    program = telling('{"acc": {"rows": [1, 2, 3]}}')
    told = trainer(tmp_path, program, most=3).scores(ROWS, held_out, 0)["acc"]
    assert told.items.tolist() == [0, 4, 9] and told.scores.tolist() == [1, 2, 3]


def test_what_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    program = (
        "import pathlib, subprocess, sys, time\n"
        "wait = f\"import time; time.sleep(1.5); open('{sys.argv[4]}/../../late', 'w')\"\n"
        "subprocess.Popen([sys.executable, '-c', wait])\n"
        "time.sleep(30)\n"
    )
    begun = time.monotonic()
    with pytest.raises(TrainingFailed, match=r"longer than 0\.01 minutes"):
        trainer(tmp_path, program, seconds=0.6).scores(ROWS, ROWS, 0)
    assert time.monotonic() - begun < 5
    time.sleep(1.5)
    assert not list(tmp_path.rglob("late"))


def test_what_cannot_be_started_and_no_rows_are_told(tmp_path):
    with pytest.raises(TrainingFailed, match="'no_such_program' cannot be started"):
        trainer(tmp_path, "", command=["no_such_program", "{data}", "{out}"]).scores(ROWS, ROWS, 0)
    with pytest.raises(TrainingFailed, match="no rows to train on"):
        trainer(tmp_path, "").scores(ROWS.clear(), ROWS, 0)


def test_no_shell_reads_the_command_and_rows_come_as_chats_or_texts(tmp_path):
    program = (
        "import json, shutil, sys\n"
        "assert sys.argv[5] == '$(touch /x); {\"a\": {}}', sys.argv\n"
        "shutil.copy(sys.argv[1], 'seen.jsonl')\n"
    ) + telling('{"acc": 1}')
    command = [
        "python",
        "t.py",
        "{data}",
        "{held_out}",
        "{seed}",
        "{out}",
        '$(touch /x); {"a": {}}',
    ]
    texts = pairs(pl.DataFrame({"text": ["alone \ud7ff"]}))
    kept = trainer(tmp_path, program, command=command, keep_output=True)
    kept.scores(pl.concat([ROWS, texts]), ROWS, 7)
    seen = [json.loads(line) for line in (tmp_path / "seen.jsonl").read_text().splitlines()]
    assert seen[0] == {
        "messages": [{"role": "user", "content": "p"}, {"role": "assistant", "content": "a"}]
    }
    assert seen[2] == {"text": "alone \ud7ff"}
    (ran,) = tmp_path.glob("kept/*/*/training.json")
    assert json.loads(ran.read_text())["command"][0] == sys.executable
    assert (ran.parent / "work/out/scores.json").exists()
    assert lines(ROWS).count(b"\n") == 2


def lm_eval(folder: Path, samples: bool) -> Path:
    """Files as lm-evaluation-harness 0.4.9 writes them, shortened."""
    own = folder / "own__model"
    own.mkdir(parents=True)
    told = {
        "results": {
            "gsm8k": {
                "alias": "gsm8k",
                "exact_match,strict-match": 0.25,
                "exact_match_stderr,strict-match": 0.1,
            },
            "arc": {"alias": "arc", "acc,none": 0.5, "acc_stderr,none": 0.2, "ppl,none": 3.5},
        },
        "higher_is_better": {"arc": {"acc": True, "ppl": False}, "gsm8k": {"exact_match": True}},
        "n-samples": {"arc": {"original": 4, "effective": 4}},
    }
    (own / "results_2026-01-02T03-04-05.678901.json").write_text(json.dumps(told))
    if samples:
        made = [
            {"doc_id": at, "filter": "none", "metrics": ["acc"], "acc": float(at < 2), "doc": {}}
            for at in (3, 1, 0, 2)
        ]
        text = "".join(json.dumps(each) + "\n" for each in made)
        (own / "samples_arc_2026-01-02T03-04-05.678901.jsonl").write_text(text)
        (own / "samples_arc_easy_2026-01-02T03-04-05.678901.jsonl").write_text("not JSON")
    return folder


def test_results_of_lm_evaluation_harness_are_read(tmp_path):
    content = gathered(lm_eval(tmp_path / "a", samples=False), "lm_eval")
    wanted = {"gsm8k/exact_match,strict-match": "higher", "arc/acc": "higher", "arc/ppl": "lower"}
    found = told_scores(content, wanted, np.arange(9))
    assert [float(told.scores[0]) for told in found.values()] == [0.25, 0.5, -3.5]
    assert [told.standard_error for told in found.values()] == [0.1, 0.2, None]
    assert found["arc/acc"].items.tolist() == [OWN]

    logged = gathered(lm_eval(tmp_path / "b", samples=True), "lm_eval")
    acc = told_scores(logged, wanted, np.arange(9))["arc/acc"]
    assert acc.scores.tolist() == [1, 1, 0, 0] and acc.items.tolist() == [-1, -2, -3, -4]

    with pytest.raises(ScoresRefused, match="of arc/ppl, lower is better"):
        told_scores(content, {"arc/ppl": "higher"}, np.arange(9))
    with pytest.raises(ScoresRefused, match="did you mean 'arc/acc'"):
        told_scores(content, {"arc/ac": "higher"}, np.arange(9))
    lm_eval(tmp_path / "b" / "again", samples=False)
    with pytest.raises(ScoresRefused, match="are 2"):
        gathered(tmp_path / "b", "lm_eval")


def results(scores: dict[str, list[float]], error: float | None) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"contestant": name, "drawn": "all", "budget": "all", "amount": 0, "seed": seed}
            | {"rows": 9, "tokens": 9, "model": "m", "item": OWN, "score": score}
            | {"standard_error": error}
            for name, each in scores.items()
            for seed, score in enumerate(each)
        ],
        schema_overrides={"standard_error": pl.Float64},
    )


def interval(scores: dict[str, list[float]], error: float | None = None) -> tuple:
    row = standing(results(scores, error), "a").filter(contestant="b").row(0, named=True)
    return row["low"], row["high"], row["verdict"]


def test_one_number_for_a_training_has_an_interval_only_where_something_tells_one():
    assert interval({"a": [0.5], "b": [0.9]}) == (-np.inf, np.inf, "unknown")
    low, high, verdict = interval({"a": [0.5], "b": [0.9]}, error=0.1)
    assert (low, high) == pytest.approx((0.4 - 0.2772, 0.4 + 0.2772), abs=1e-3)
    assert verdict == "better"
    low, high, verdict = interval({"a": [0.5, 0.6], "b": [0.9, 0.8]})
    assert (low, high) == pytest.approx((0.3 - 0.3043, 0.3 + 0.3043), abs=1e-3)
    assert verdict == "no difference"
    assert interval({"a": [0.5, 0.6, 0.55], "b": [0.9, 0.8, 0.85]})[2] == "better"
