"""Measures a Python program as a whole: CPU seconds of its process tree, wall time, peak memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Measured:
    """One run of a program.

    Attributes:
        cpu: user and system seconds of the program and all it started.
        wall: seconds from start to end.
        peak_mb: largest resident set of any of its processes.
        printed: the JSON it printed last, if any.
    """

    cpu: float
    wall: float
    peak_mb: float
    printed: dict


def measure(
    arguments: Sequence[str],
    environment: dict[str, str] | None = None,
    python: str | None = None,
) -> Measured:
    """Run `python arguments…` once, in a child that waits for all of its own children.

    Args:
        arguments: of the interpreter.
        environment: variables to add.
        python: the interpreter; None for this one.
    """
    script = (
        "import ctypes,json,os,resource,subprocess,sys,time\n"
        "ctypes.CDLL(None).prctl(36,1,0,0,0)\n"  # adopt orphans, such as a fork server
        "start=time.perf_counter()\n"
        "done=subprocess.run([sys.executable,*sys.argv[1:]],stdout=subprocess.PIPE,text=True)\n"
        "try:\n"
        "    while True: os.wait()\n"
        "except ChildProcessError: pass\n"
        "used=resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "lines=done.stdout.strip().splitlines() or ['{}']\n"
        "print(json.dumps([used.ru_utime+used.ru_stime,time.perf_counter()-start,"
        "used.ru_maxrss/1024,lines[-1],done.returncode]))\n"
    )
    done = subprocess.run(
        [python or sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        env={**os.environ, **(environment or {})},
    )
    cpu, wall, peak, printed, code = json.loads(done.stdout)
    if code:
        raise RuntimeError(f"{' '.join(arguments)} ended with exit code {code}")
    return Measured(cpu, wall, peak, json.loads(printed) if printed.startswith("{") else {})


def alternate(programs: dict[str, Sequence[str]], repeats: int = 3) -> dict[str, list[Measured]]:
    """Run each program `repeats` times, in turn, so that a slow moment hits all of them."""
    runs: dict[str, list[Measured]] = {name: [] for name in programs}
    for _ in range(repeats):
        for name, arguments in programs.items():
            runs[name].append(measure(arguments))
    return runs


def show(title: str, runs: dict[str, list[Measured]], base: str) -> None:
    """Print medians, and ratios to the program called `base`, as a Markdown table."""
    print(f"\n### {title}\n\n| program | CPU s | wall s | peak MB | wall ÷ {base} |")
    print("|---|---:|---:|---:|---:|")
    reference = median(run.wall for run in runs[base])
    for name, taken in runs.items():
        cpu, wall = median(run.cpu for run in taken), median(run.wall for run in taken)
        peak = median(run.peak_mb for run in taken)
        print(f"| {name} | {cpu:.2f} | {wall:.2f} | {peak:.0f} | {wall / reference:.2f} |")


def rows_file(folder: Path, rows: int) -> Path:
    """A JSONL file of chat-like rows, some 600 characters each, 3 % exact duplicates; seeded."""
    import numpy as np

    path = folder / f"rows-{rows}.jsonl"
    if path.exists():
        return path
    random = np.random.default_rng(7)
    letters = np.array(list("etaoinshrdlucmfwypvbgkjqxz"))
    weights = 1 / np.arange(1, 27) ** 0.7
    lengths = random.integers(2, 10, 20_000)
    drawn = random.choice(letters, lengths.sum(), p=weights / weights.sum())
    words = ["".join(part) for part in np.split(drawn, np.cumsum(lengths)[:-1])]
    ranks = np.minimum(random.zipf(1.2, rows * 4), 19_999)
    with path.open("w") as stream:
        previous = ""
        for index in range(rows):
            if previous and index % 33 == 0:
                stream.write(previous)
                continue
            picks = random.integers(0, rows * 4 - 60)
            text = [words[rank] for rank in ranks[picks : picks + 60]]
            row = {
                "id": index,
                "instruction": " ".join(text[:25]) + "  ",
                "output": " ".join(text[25:]),
                "source": "abc"[index % 3],
            }
            previous = json.dumps(row) + "\n"
            stream.write(previous)
    return path


def machine() -> str:
    """One line about the machine."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    return f"{os.cpu_count()} cores, {model}, Python {sys.version.split()[0]}"
