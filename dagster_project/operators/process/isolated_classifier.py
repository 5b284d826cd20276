"""Classifiers that others made, in a process of their own.

What opens a model's file is compiled code that trusts it. So a model runs where it can break nothing:
a process that may use a bounded time and memory and is told texts, no secrets. A model that crashes or
wants more ends that process, not this one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import IO, Any

from dagster_project.operators.process.classifier_formats import ModelRefused, opened

SECONDS = 120.0
"""CPU time to open a model, and for `TEXTS` texts."""
TEXTS = 200
MEMORY = 3 * 2**29
"""Bytes of address space, beside four times the file."""

Answer = tuple[list[str | None], list[float | None]]
"""The label of each text, and a probability."""


class IsolatedClassifier:
    """A model that gives texts labels. Its process ends with it.

    Args:
        path: of the model.
        label: the one whose probability is told; None for that of the most probable label.

    Raises:
        ModelRefused: when the file is no model of its format, or takes too much time or memory.
    """

    def __init__(self, path: Path, label: str | None) -> None:
        self._lock = Lock()
        self._last: tuple[Sequence[str], Answer] = ([], ([], []))
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={
                "PYTHONPATH": os.pathsep.join(sys.path),
                "PYTHONHASHSEED": "0",
                "OMP_NUM_THREADS": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        weakref.finalize(self, _end, self._process)
        self._ask([str(path.resolve()), label])

    def classify(self, texts: Sequence[str]) -> Answer:
        """Classify texts. Asked for the same ones again, it answers from memory.

        Raises:
            ModelRefused: when the model crashes, or takes too much time or memory.
        """
        with self._lock:  # Polars asks from several threads at once
            if self._last[0] != texts:
                labels: list[str | None] = []
                probabilities: list[float | None] = []
                for start in range(0, len(texts), TEXTS):
                    part = self._ask(texts[start : start + TEXTS])
                    labels += part[0]
                    probabilities += part[1]
                self._last = texts, (labels, probabilities)
            return self._last[1]

    def _ask(self, question: Sequence[Any]) -> Any:
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None and answers is not None
        try:
            asked.write(json.dumps(question).encode() + b"\n")
            asked.flush()
            answer = answers.readline()
        except (OSError, ValueError):
            answer = b""
        if not answer.endswith(b"\n"):
            raise ModelRefused(self._why_it_ended())
        refused, value = json.loads(answer)
        if refused:
            raise ModelRefused(refused)
        return value

    def _why_it_ended(self) -> str:
        _end(self._process)
        ended = self._process.returncode
        if ended == -signal.SIGPROF:
            return f"it takes more than {SECONDS:g} s of CPU to open, or for {TEXTS} texts"
        return f"the process that it ran in ended ({ended}); the file is damaged, or too large"


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _serve(questions: IO[bytes], answers: IO[bytes]) -> None:
    """Open the model of the first line, then classify the texts of each further one."""
    classify = None
    for line in questions:
        question = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            if classify is None:
                path, label = question
                _confine(MEMORY + 4 * os.path.getsize(path))
                classify = opened(Path(path), label)
                answer = [None, None]
            else:
                answer = [None, classify(question)]
        except ModelRefused as error:
            answer = [str(error), None]
        except MemoryError:
            answer = ["it takes too much memory; the file is damaged, or too large", None]
        except (Exception, RecursionError) as error:
            answer = [f"{type(error).__name__}: {str(error)[:500]}", None]
        signal.setitimer(signal.ITIMER_PROF, 0)
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _confine(memory: int) -> None:
    import resource

    for kind, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    own = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    _serve(sys.stdin.buffer, own)
