"""Trains by a program of its own: gives it files, waits for its end, reads its scores, and keeps them.

What was trained once, by the same program on the same rows, is not trained again.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from dagster_project.arena.told_scores import (
    Direction,
    Reads,
    ScoresRefused,
    Told,
    WronglyAsked,
    gathered,
    told_scores,
)
from dagster_project.errors import SeedbedError
from dagster_project.identity import digest
from dagster_project.warehouse.store import exclusive, write_atomically

KEPT = 1
"""Version of what is kept of a training."""
LOG_LINES = 15
"""Of a log's end, that an error shows."""
LOG_BYTES = 4000


class TrainingFailed(SeedbedError):
    """A training that came to nothing, with its log's end."""


@dataclass(frozen=True)
class Trainer:
    """A program that trains and evaluates.

    Attributes:
        name: of the model, for errors.
        command: the program and its arguments; {data}, {held_out}, {seed} and {out} are put in.
        folder: where it is run.
        code: identity of the program.
        directions: the metrics that are read, and which is better.
        reads: in which form the program writes them.
        seconds: longest time of one training.
        seeds: trainings on each budget; None: as many as the contest's draws.
        most: held-out rows that it is scored on at most, spread evenly; None: all.
        kept: folder of trainings, each in a folder named by what was trained on what.
        environment: variables beside those of this process.
        keep_output: whether to keep all that the program writes, not only its scores and its log.
    """

    name: str
    command: Sequence[str]
    folder: Path
    code: str
    directions: Mapping[str, Direction]
    reads: Reads
    seconds: float
    seeds: int | None
    most: int | None
    kept: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    keep_output: bool = False

    def scores(self, train: pl.DataFrame, held_out: pl.DataFrame, seed: int) -> dict[str, Told]:
        """Scores by metric, of this training or of one that was the same; more is better.

        Args:
            train: `before` and `answer`, as `pairs` gives them.
            held_out: the same.
            seed: what the program draws by.

        Raises:
            TrainingFailed: when there are no rows; when the program fails, takes too long, or its scores
                cannot be read.
        """
        if train.is_empty():
            raise TrainingFailed(f"model {self.name}: there are no rows to train on")
        positions = np.arange(held_out.height)
        if self.most is not None and self.most < held_out.height:
            positions = np.linspace(0, held_out.height - 1, self.most).astype(np.int64)
        data, asked = lines(train), lines(held_out[positions])
        hashes = [hashlib.sha256(part).hexdigest() for part in (data, asked)]
        key = digest(["training", KEPT, self.code, self.reads, hashes, seed])
        place = self.kept / key[:2] / key
        with exclusive(place / "lock"):
            if not (place / "scores.json").exists():
                self._train(place, data, asked, seed)
            try:
                scores = (place / "scores.json").read_bytes()
                return told_scores(scores, self.directions, positions)
            except ScoresRefused as error:
                if not isinstance(error, WronglyAsked):
                    (place / "scores.json").unlink()  # a mended program is to be asked again
                raise TrainingFailed(
                    f"model {self.name}: {error}\nThe log is {place / 'log.txt'}"
                ) from error

    def _train(self, place: Path, data: bytes, held_out: bytes, seed: int) -> None:
        work = place / "work"
        shutil.rmtree(work, ignore_errors=True)
        (work / "out").mkdir(parents=True)
        given = {
            "{data}": work / "data.jsonl",
            "{held_out}": work / "held_out.jsonl",
            "{out}": work / "out",
            "{seed}": seed,
        }
        (work / "data.jsonl").write_bytes(data)
        (work / "held_out.jsonl").write_bytes(held_out)
        command = [_filled(part, given) for part in self.command]
        if command[0] == "python":
            command[0] = sys.executable
        log = place / "log.txt"
        begun = time.monotonic()
        try:
            self._run(command, log)
            scores = gathered(work / "out", self.reads)
        except (ScoresRefused, TrainingFailed) as error:
            raise TrainingFailed(f"model {self.name}: {error}{_end_of(log)}") from error
        finally:
            if not self.keep_output:
                shutil.rmtree(work, ignore_errors=True)
        ran = {"command": command, "seed": seed, "seconds": round(time.monotonic() - begun, 1)}
        write_atomically(place / "training.json", json.dumps(ran, indent=1).encode())
        write_atomically(place / "scores.json", scores)

    def _run(self, command: Sequence[str], log: Path) -> None:
        """Run it to its end; nothing that it started in its session is left then."""
        with log.open("wb") as said:
            try:
                process = subprocess.Popen(
                    command,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise TrainingFailed(
                    f"the program {command[0]!r} cannot be started: {error.strerror}"
                ) from error
            try:
                code = process.wait(self.seconds)
            except subprocess.TimeoutExpired:
                raise TrainingFailed(
                    f"the training took longer than {self.seconds / 60:g} minutes and was ended; give it "
                    "more `minutes`, or less to do"
                ) from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        if code < 0:
            raise TrainingFailed(
                f"the training was ended by signal {-code} ({signal.strsignal(-code)}); is it out of "
                "memory?"
            )
        if code:
            raise TrainingFailed(f"the training ended with exit code {code}")


def lines(rows: pl.DataFrame) -> bytes:
    """Rows as JSONL: `messages`, or `text` of rows without a prompt.

    Args:
        rows: `before` and `answer`, as `pairs` gives them.
    """
    written = io.BytesIO()
    for before, answer in rows.select("before", "answer").iter_rows():
        said = {"role": "assistant", "content": answer}
        line = {"messages": [*before, said]} if before else {"text": answer}
        written.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")
    return written.getvalue()


def _filled(part: str, given: Mapping[str, object]) -> str:
    for name, value in given.items():
        part = part.replace(name, str(value))
    return part


def _end_of(log: Path) -> str:
    with log.open("rb") as said:
        said.seek(0, os.SEEK_END)
        said.seek(max(0, said.tell() - LOG_BYTES))
        last = said.read().decode("utf-8", "replace").strip().splitlines()[-LOG_LINES:]
    told = "".join(f"\n  {line}" for line in last) or "\n  (nothing)"
    return f". The end of its log {log}:{told}"
