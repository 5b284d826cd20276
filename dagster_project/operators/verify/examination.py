"""Has code examined in the sandbox, so that it cannot say of itself that it passed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from dagster_project.operators.calls import Calls, Outcome, Program
from dagster_project.operators.verify.in_sandbox import examiner

PROGRAMS = Path(examiner.__file__).parent
FOLDER = examiner.__name__.rpartition(".")[0].replace(".", "/")
COMMAND = ("python", "-s", "-S", "-P", f"{FOLDER}/examiner.py")

STARTING_SECONDS = 3.0
"""What the sandbox has beyond the time for the code, to start and to report."""


@dataclass(frozen=True)
class Examination:
    """What came of tests.

    Attributes:
        end: `finished`, or why it did not: `not_python` (code or tests do not parse), `code_raised`
            (before the first test), `seconds`, `memory`, `output`, `died` (the code ended its process),
            `nonsense` (it answered what it was not asked), `killed` (it ended the examiner).
        run: how many tests were run.
        failed: how many of them did not pass.
        trusting: how many of them only the process that runs the code could judge.
        output: the tests that did not pass and what came of them, or what the code raised.
        seconds: how long it took.
    """

    end: str
    run: int
    failed: int
    trusting: int
    output: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether there are tests, and all of them passed."""
        return self.end == "finished" and self.run > 0 and self.failed == 0


async def examine_doctests(
    code: str,
    calls: Calls,
    *,
    doctests: str | None = None,
    flags: Sequence[str] = (),
    seconds: float = 10.0,
    memory_mb: int = 512,
) -> Examination:
    """Run doctests.

    Args:
        code: Python.
        calls: runs programs.
        doctests: text with examples; default: the code's docstrings.
        flags: options of all examples, as `doctest` calls them.
        seconds: the longest all of it may take.
        memory_mb: the most memory it may have, in MiB.

    Raises:
        CallFailed: when programs cannot be isolated.
    """
    job = {"doctests": doctests, "flags": list(flags)}
    return await _examined(job, code, calls, seconds, memory_mb)


async def examine_tests(
    code: str,
    tests: str,
    calls: Calls,
    *,
    entry_point: str | None = None,
    seconds: float = 10.0,
    memory_mb: int = 512,
) -> Examination:
    """Run tests.

    Args:
        code: Python.
        tests: Python: assertions, functions `test…` without arguments, or `check(candidate)`.
        calls: runs programs.
        entry_point: the function that `check` is called with.
        seconds: the longest all of it may take.
        memory_mb: the most memory it may have, in MiB.

    Raises:
        CallFailed: when programs cannot be isolated.
    """
    job = {"tests": tests, "entry_point": entry_point}
    return await _examined(job, code, calls, seconds, memory_mb)


async def _examined(
    job: dict[str, Any], code: str, calls: Calls, seconds: float, memory_mb: int
) -> Examination:
    program = Program(
        files=_programs(),
        command=COMMAND,
        stdin=json.dumps(job | {"code": code, "seconds": seconds}),
        seconds=seconds + STARTING_SECONDS,
        memory_mb=memory_mb,
        output_bytes=1 << 20,
    )
    outcome = await calls.run(program)
    report = _report(outcome)
    if report is None:
        end = outcome.ended_by if outcome.ended_by in ("seconds", "memory", "output") else "killed"
        return Examination(str(end), 0, 0, 0, outcome.stderr[-400:], outcome.seconds)
    told = "\n".join(f"{status}: {test}: {came}".rstrip() for status, test, came in report["told"])
    return Examination(
        report["end"],
        report["run"],
        report["failed"],
        report["trusting"],
        told or report["why"],
        outcome.seconds,
    )


def _report(outcome: Outcome) -> dict[str, Any] | None:
    """What the examiner told at its end, if it came to that."""
    if outcome.exit_code != 0:
        return None
    try:
        return json.loads(outcome.stdout)
    except ValueError:
        return None


@cache
def _programs() -> dict[str, str]:
    files = sorted(PROGRAMS.glob("*.py"))
    return {f"{FOLDER}/{path.name}": path.read_text("utf-8") for path in files}
