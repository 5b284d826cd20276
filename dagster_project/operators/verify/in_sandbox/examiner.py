"""The trusted program: it starts the subject, learns what is expected, asks, compares, and reports.

What is expected is read only after the subject is a process of its own. `/proc` is not there, and no
process may look into another, so the subject can end the examiner, but not read or change it; a report
that is not there has passed nothing. All that the examiner needs is loaded before the code is run.
"""

from __future__ import annotations

import ast
import json
import os
import signal
import sys
import types
from collections.abc import Callable, Iterable

TYPE_CHECKING = False  # `typing` takes longer to load than most tests to run
if TYPE_CHECKING:
    from typing import Any

FOLDER = os.getcwd()
MOST_TOLD, MOST_CHARACTERS = 40, 400
"""Tests that are told of that did not pass, and characters of each part."""


def main() -> None:
    sys.path.insert(0, FOLDER)
    from dagster_project.operators.verify.in_sandbox import subject

    requests, answers = _start(subject.serve)
    job = json.loads(sys.stdin.read())
    sys.stdout.write(json.dumps(report(job, requests, answers)))
    sys.stdout.flush()
    os._exit(0)


def report(job: dict[str, Any], requests: int, answers: int) -> dict[str, Any]:
    """What came of a job.

    Args:
        job: `code`; `seconds` for all of it; `doctests` (text beside the code, or null for its
            docstrings) and `flags`, or `tests` and `entry_point`.
        requests, answers: pipes to the subject and from it.
    """
    from dagster_project.operators.verify.in_sandbox import examined_code
    from dagster_project.operators.verify.in_sandbox.assertions import raised_in
    from dagster_project.operators.verify.in_sandbox.questioning import Lost, Questioning

    if "tests" in job:
        from dagster_project.operators.verify.in_sandbox import statements as kind
    else:
        _stand_ins()
        from dagster_project.operators.verify.in_sandbox import doctests as kind
    sys.path.remove(FOLDER)  # from here on, the subject may write there

    totals = {"run": 0, "failed": 0, "trusting": 0, "told": []}
    try:
        tree = ast.parse(job["code"], "<code>")
        names, docstrings = examined_code.bound_names(tree), examined_code.docstrings(tree)
        code = examined_code.compiled(tree)
        tests: Any = kind.prepared(job, docstrings)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return totals | {"end": "not_python", "why": _cut(f"{type(error).__name__}: {error}")}
    questioning = Questioning(requests, answers, job["seconds"])
    questioning.flags = examined_code.future_flags(code)
    try:
        raised = raised_in(questioning.ask("run", code))
        if raised is not None:
            return totals | {"end": "code_raised", "why": _cut(raised.text)}
        examined: Any = kind.examined
        _count(examined(questioning, *tests, names), totals)
    except Lost as lost:
        return totals | {"end": lost.end, "why": ""}
    return totals | {"end": "finished", "why": ""}


def _count(verdicts: Iterable[Any], totals: dict[str, Any]) -> None:
    for verdict in verdicts:
        totals["run"] += 1
        totals["trusting"] += verdict.trusts_code
        if verdict.status != "passed":
            totals["failed"] += 1
            if len(totals["told"]) < MOST_TOLD:
                totals["told"].append([verdict.status, _cut(verdict.test), _cut(verdict.came)])


def _cut(text: str) -> str:
    return text[:MOST_CHARACTERS].encode("utf-8", "replace").decode()


def _start(serve: Callable[[int, int], None]) -> tuple[int, int]:
    """Start the process that runs the code; it inherits nothing but two pipes."""
    requests, asking = os.pipe()
    telling, answers = os.pipe()
    if os.fork() == 0:
        nothing = os.open("/dev/null", os.O_RDWR)
        for kept, wanted in ((nothing, 0), (nothing, 1), (nothing, 2)):
            os.dup2(kept, wanted)
        for file in (asking, telling, nothing):
            os.close(file)
        sys.path.remove(FOLDER)
        serve(requests, answers)
        os._exit(0)
    os.close(requests)
    os.close(answers)
    for ignored in (signal.SIGINT, signal.SIGALRM, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    return asking, telling


def _stand_ins() -> None:
    """Spare the start of what `doctest` imports, but only other uses of it need."""
    for name, classes in {
        "unittest": ("TestCase", "TestSuite"),
        "pdb": ("Pdb",),
        "inspect": (),
    }.items():
        module = types.ModuleType(name)
        vars(module).update(dict.fromkeys(classes, object))
        sys.modules.setdefault(name, module)


if __name__ == "__main__":
    main()
