"""Keep rows whose code passes its doctests."""

from __future__ import annotations

import doctest
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.calls import Calls
from dagster_project.operators.process.column_kinds import require_text
from dagster_project.operators.verify.code_examiner import _CodeExaminer
from dagster_project.operators.verify.examination import Examination, examine_doctests

PROMPT = ">>>"


class RunDoctests(_CodeExaminer):
    """Keeps rows whose code passes its doctests.

    The examples in the docstrings of the module, its classes, functions and methods, or those of the
    column `doctests`, are run in a sandbox: no network, no files but its own, only Python and its
    standard library, limited time, memory and processes. Measured:

    | annotation | is |
    |---|---|
    | `doctests_run`, `doctests_failed` | examples, and those that do not print what they should |
    | `doctests_trusting` | examples that only the code's own process could judge |
    | `doctests_end` | `finished`, or what ended it: `not_python`, `code_raised`, `seconds`, `memory`, \
`output`, `died`, `nonsense`, `killed` |
    | `doctests_output` | the first 40 examples that failed, and what came of them |
    | `doctests_seconds` | how long it took, about 0.05 s of it for the sandbox; differs by run |

    Rules: `not_finished`, `no_doctests`, `trusts_code` (where `trust_code` is false), then
    `doctest_failed`; with `expect: fail`, `doctests_passed` instead.

    **Code cannot say of itself that it passes.** It runs in a process of its own, without docstrings;
    another one, which it can neither read nor change, asks it for what an example prints and compares
    that with what is expected. Options such as `ELLIPSIS` hold as `doctest` has them, each docstring
    has names of its own, and `__name__` is `subject`. What an object prints is what its `__repr__`
    says; doctests see no more.

    Example:
        - run_doctests: {column: code, flags: [NORMALIZE_WHITESPACE]}

    Raises:
        OperatorMisuse: when a column does not hold text.
        CallFailed: when programs cannot be isolated on this machine, saying what to install.
    """

    named: ClassVar[str] = "doctest"

    doctests: str | None = Field(
        default=None, description="A column of doctests; default: the code's docstrings."
    )
    flags: tuple[str, ...] = Field(
        default=(), description="Options of all examples, such as `ELLIPSIS`."
    )

    @field_validator("flags")
    @classmethod
    def _known(cls, flags: tuple[str, ...]) -> tuple[str, ...]:
        for flag in flags:
            if flag not in doctest.OPTIONFLAGS_BY_NAME:
                known = ", ".join(doctest.OPTIONFLAGS_BY_NAME)
                raise ValueError(f"no doctest option {flag!r}; there are {known}")
        return flags

    def reads(self) -> Sequence[str]:
        return [self.column] if self.doctests is None else [self.column, self.doctests]

    def brings(self, schema: pl.Schema) -> pl.Schema:
        if self.doctests is not None:
            require_text(self, schema, self.doctests)
        return super().brings(schema)

    async def measured(self, row: Mapping[str, Any], calls: Calls) -> Mapping[str, Any]:
        code, examples = row[self.column], row[self.doctests or self.column]
        if code is None or examples is None:
            return {}
        if PROMPT not in examples:
            return self._told(Examination("finished", 0, 0, 0, "", 0.0))
        return self._told(
            await examine_doctests(
                code,
                calls,
                doctests=None if self.doctests is None else examples,
                flags=self.flags,
                seconds=self.seconds,
                memory_mb=self.memory_mb,
            )
        )
