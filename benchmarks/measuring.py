"""Measures programs as a whole: CPU seconds of the process tree, wall time and peak memory, n runs in
turn, told as medians with their range and as ratios."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

PEERS = Path(__file__).parent / "peers"
"""Scripts that run in the interpreters of peers."""

WHOLE = """\
import ctypes, json, os, resource, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # adopt orphans, such as a fork server
start = time.perf_counter()
done = subprocess.run([sys.executable, *sys.argv[1:]], stdout=subprocess.PIPE, text=True)
try:
    while True: os.wait()
except ChildProcessError: pass
used = resource.getrusage(resource.RUSAGE_CHILDREN)
lines = done.stdout.strip().splitlines() or ["{}"]
print(json.dumps([used.ru_utime + used.ru_stime, time.perf_counter() - start,
                  used.ru_maxrss / 1024, lines[-1], done.returncode]))
"""
"""Runs a program and waits for it and all that it started."""


@dataclass(frozen=True)
class Program:
    """A Python program to measure.

    Attributes:
        arguments: of the interpreter.
        python: the interpreter.
        folder: emptied before each run, which is not measured; None for none.
    """

    arguments: Sequence[str]
    python: str = sys.executable
    folder: Path | None = None


@dataclass(frozen=True)
class Measured:
    """One run of a program.

    Attributes:
        cpu: user and system seconds of the program and all it started.
        wall: seconds from start to end.
        peak_mb: resident set of the largest of its processes, in MiB; not the sum of them.
        printed: the JSON it printed last, if any.
    """

    cpu: float
    wall: float
    peak_mb: float
    printed: dict = field(default_factory=dict)


def measure(program: Program) -> Measured:
    """Run a program once, in a child that waits for all of its own children.

    Raises:
        RuntimeError: when it fails; the end of what it wrote to standard error is in the message.
    """
    if program.folder is not None:
        shutil.rmtree(program.folder, ignore_errors=True)
        program.folder.mkdir(parents=True)
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each run compiles all modules anew
    done = subprocess.run(
        [program.python, "-c", WHOLE, *program.arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    told = json.loads(done.stdout) if done.returncode == 0 else [0, 0, 0, "", done.returncode]
    cpu, wall, peak, printed, code = told
    if code:
        raise RuntimeError(
            f"{' '.join(program.arguments)} ended with exit code {code}:\n{done.stderr[-4000:]}"
        )
    return Measured(cpu, wall, peak, json.loads(printed) if printed.startswith("{") else {})


def warm(programs: Mapping[str, Program]) -> None:
    """Run each program once, unmeasured, over a small corpus: after it, kernels and modules are compiled
    on disk, here and in the interpreters of peers."""
    for program in programs.values():
        measure(program)


def alternate(programs: Mapping[str, Program], repeats: int = 3) -> dict[str, list[Measured]]:
    """Run each program `repeats` times, in turn, so that a slow moment hits all of them."""
    runs: dict[str, list[Measured]] = {name: [] for name in programs}
    for turn in range(repeats):
        for name, program in programs.items():
            runs[name].append(measure(program))
            last = runs[name][-1]
            print(f"run {turn + 1}, {name}: {last.cpu:.1f} CPU s", file=sys.stderr, flush=True)
    return runs


def spread(values: Iterable[float], digits: int = 2) -> str:
    """The median, and the range: `1.21 (1.19-1.30)`; a single value alone."""
    taken = list(values)
    middle = f"{median(taken):,.{digits}f}"
    if len(taken) == 1:
        return middle
    return f"{middle} ({min(taken):,.{digits}f}-{max(taken):,.{digits}f})"


def ratio(runs: Sequence[Measured], base: Sequence[Measured], what: str = "cpu") -> float:
    """The median of runs divided by that of others, in `cpu`, `wall` or `peak_mb`."""
    above, below = (median(getattr(run, what) for run in taken) for taken in (runs, base))
    return above / below if below else float("nan")


def table(
    title: str,
    runs: Mapping[str, Sequence[Measured]],
    base: str,
    more: Mapping[str, Sequence[str]] | None = None,
    headings: Sequence[str] = (),
) -> None:
    """Print a Markdown table: medians, ranges, and ratios to the program called `base`.

    Args:
        title: heading.
        runs: by program.
        base: the program that is divided by.
        more: further cells by program.
        headings: of those.
    """
    columns = [
        "program",
        "CPU s",
        f"CPU ÷ {base}",
        "wall s",
        f"wall ÷ {base}",
        "peak MB",
        *headings,
    ]
    print(f"\n### {title}, {len(runs[base])} runs\n")
    print(f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for name, taken in runs.items():
        cells = [
            name,
            spread(run.cpu for run in taken),
            f"{ratio(taken, runs[base]):.2f}",
            spread(run.wall for run in taken),
            f"{ratio(taken, runs[base], 'wall'):.2f}",
            f"{median(run.peak_mb for run in taken):,.0f}",
            *(more or {}).get(name, ()),
        ]
        print(f"| {' | '.join(cells)} |", flush=True)


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


def versions(names: Sequence[str], python: str = sys.executable) -> str:
    """`name version` of distributions that an interpreter has."""
    script = (
        "import sys; from importlib.metadata import version\n"
        "print(', '.join(f'{name} {version(name)}' for name in sys.argv[1:]))"
    )
    return subprocess.run(
        [python, "-c", script, *names], capture_output=True, text=True, check=True
    ).stdout.strip()


def machine() -> str:
    """One line about the machine and the versions of what Seedbed computes with."""
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        "unknown processor",
    )
    names = ("polars", "duckdb", "numba", "dagster", "great-expectations")
    return (
        f"{os.cpu_count()} cores, {model}, Python {sys.version.split()[0]}, load "
        f"{os.getloadavg()[0]:.1f}; {versions(names)}"
    )
