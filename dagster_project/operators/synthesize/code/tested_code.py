"""Whether code that was just written passes tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dagster_project.operators.calls import Calls
from dagster_project.operators.generator import Rejection
from dagster_project.operators.verify.examination import (
    Examination,
    examine_doctests,
    examine_tests,
)

TESTS_FAILED = "tests_failed"
How = Literal["tests", "doctests", "parsed", "unchecked"]

ERROR_CHARACTERS = 2_000
"""How much of what did not pass a model is told."""

ENDED = {
    "not_python": "the code or its tests do not parse: ",
    "code_raised": "the code raises before its tests: ",
    "seconds": "it took too long",
    "memory": "it took too much memory",
    "output": "it printed too much",
    "died": "the code ended its own process",
}


@dataclass(frozen=True)
class Tested:
    """What came of testing.

    Attributes:
        how: what was run; `parsed` for nothing, `unchecked` where it was not even parsed.
        error: what did not pass; None where all did.
    """

    how: How
    error: str | None

    @property
    def rejection(self) -> Rejection | None:
        """Why the code is of no use."""
        if self.error is None:
            return None
        return Rejection(TESTS_FAILED, self.error[:300], "passes")


async def tested(code: str, tests: str, calls: Calls, seconds: float) -> Tested:
    """Run tests on Python code; its doctests where there are none.

    Args:
        code: that parses.
        tests: Python that uses the code's names; empty for none.
        calls: runs programs.
        seconds: the longest a run may take.

    Raises:
        CallFailed: when programs cannot be isolated.
    """
    if tests.strip():
        return _told("tests", await examine_tests(code, tests, calls, seconds=seconds))
    if ">>>" in code:
        return _told("doctests", await examine_doctests(code, calls, seconds=seconds))
    return Tested("parsed", None)


def _told(how: How, found: Examination) -> Tested:
    if found.passed:
        return Tested(how, None)
    if found.end == "finished" and found.run == 0:
        return Tested("parsed", None)
    if found.end == "finished":
        told = f"{found.failed} of {found.run} {how} do not pass:\n{found.output}"
        return Tested(how, told[:ERROR_CHARACTERS])
    return Tested(how, f"{ENDED.get(found.end, found.end)}{found.output}"[:ERROR_CHARACTERS])
