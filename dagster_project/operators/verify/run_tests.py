"""Keep rows whose code passes tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl
from pydantic import Field

from dagster_project.operators.calls import Calls
from dagster_project.operators.process.column_kinds import column_type, misuse, require_text
from dagster_project.operators.verify.code_examiner import _CodeExaminer
from dagster_project.operators.verify.examination import Examination, examine_tests


class RunTests(_CodeExaminer):
    """Keeps rows whose code passes tests.

    Tests are Python, as a text or a list of texts: assertions, functions `test…` without arguments,
    or `check(candidate)` as in HumanEval, which is called with the function that the column
    `entry_point` names, if the tests do not call it. They run in a sandbox: no network, no files but
    its own, only Python and its standard library (no pytest), limited time, memory and processes.
    Classes of `unittest` are not run.
    Measured:

    | annotation | is |
    |---|---|
    | `tests_run`, `tests_failed` | tests, and those that do not hold or raise |
    | `tests_trusting` | tests that only the code's own process could judge |
    | `tests_end` | `finished`, or what ended it: `not_python`, `code_raised`, `seconds`, `memory`, \
`output`, `died`, `nonsense`, `killed` |
    | `tests_output` | the first 40 tests that failed, and what came of them |
    | `tests_seconds` | how long it took, about 0.05 s of it for the sandbox; differs by run |

    Rules: `not_finished`, `no_tests`, `trusts_code` (where `trust_code` is false), then
    `test_failed`; with `expect: fail`, `tests_passed` instead.

    **Code cannot say of itself that it passes, if tests compare with constants.** It runs in a
    process of its own, without docstrings. Of an assertion such as `assert f(2) == 4`, only `f(2)` goes
    there; a process that the code can neither read nor change compares what comes back. So it is for
    comparisons of any kind, `in`, `is`, `not`, `and`, `or`, arithmetic, `abs`, `len`, `sorted`,
    `math.isclose` and the like, at the top of the tests or right in a test function. An object of a
    class of the code's own equals no constant, whatever its `__eq__` says. What asserts in a loop,
    in `with`, or compares two things that both come from the code, is run there as a whole, and counts
    as `trusting`: code that is made to cheat can pass it. `trust_code: false` removes such rows.

    Example:
        - run_tests: {column: code, tests: test, entry_point: entry_point}

    Raises:
        OperatorMisuse: when a column does not hold text, or `tests` neither text nor lists of text.
        CallFailed: when programs cannot be isolated on this machine, saying what to install.
    """

    named: ClassVar[str] = "test"

    tests: str = Field(
        default="tests", description="The column of tests: texts, or lists of texts."
    )
    entry_point: str | None = Field(
        default=None, description="The column that names the function to check; default: none."
    )

    def reads(self) -> Sequence[str]:
        names = [self.column, self.tests]
        return names if self.entry_point is None else [*names, self.entry_point]

    def brings(self, schema: pl.Schema) -> pl.Schema:
        found = column_type(self, schema, self.tests)
        if found not in (pl.String, pl.List(pl.String)):
            raise misuse(self, self.tests, found, "text or lists of text")
        if self.entry_point is not None:
            require_text(self, schema, self.entry_point)
        return super().brings(schema)

    async def measured(self, row: Mapping[str, Any], calls: Calls) -> Mapping[str, Any]:
        code, tests = row[self.column], row[self.tests]
        if code is None or tests is None:
            return {}
        if not isinstance(tests, str):
            tests = "\n".join(test for test in tests if test is not None)
        if not tests.strip():
            return self._told(Examination("finished", 0, 0, 0, "", 0.0))
        return self._told(
            await examine_tests(
                code,
                tests,
                calls,
                entry_point=row[self.entry_point] if self.entry_point else None,
                seconds=self.seconds,
                memory_mb=self.memory_mb,
            )
        )
