"""Runs checks on a snapshot."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import duckdb

from dagster_project.quality.arguments import IN_SQL
from dagster_project.quality.audited import Audited, Subject, open_audited, told
from dagster_project.quality.expectation import Finding
from dagster_project.quality.result import CheckResult
from dagster_project.quality.suite import Check

VALUE_LENGTH = 200

COMPARING = ("drift", "real_rows_replaced")
"""Expectations that look at the snapshot before, too."""


def audit(snapshot: Path, checks: Sequence[Check], previous: Path | None) -> list[CheckResult]:
    """Run checks on a snapshot that nobody is writing.

    A check that cannot be run has failed, and does not keep others from running.

    Args:
        snapshot: the DuckDB file, published or not yet.
        checks: to run.
        previous: the snapshot published before it, if there is one.

    Returns:
        A result for each check, in the order of `checks`.
    """
    if not checks:
        return []
    compares = any(check.expectation in COMPARING for check in checks)
    try:
        with open_audited(snapshot, previous if compares else None) as audited:
            return _audit(audited, checks)
    except duckdb.Error as error:
        reason = f"the snapshot cannot be opened: {told(error)}"
        return [_failed(check, check.text, reason) for check in checks]


def _audit(audited: Audited, checks: Sequence[Check]) -> list[CheckResult]:
    results = {
        index: _in_sql(audited, check)
        for index, check in enumerate(checks)
        if check.expectation in IN_SQL
    }
    others = [index for index in range(len(checks)) if index not in results]
    if others:
        results |= dict(zip(others, _others(audited, [checks[i] for i in others]), strict=True))
    return [results[index] for index in range(len(checks))]


def _in_sql(audited: Audited, check: Check) -> CheckResult:
    expected = check.text
    try:
        expectation = IN_SQL[check.expectation].model_validate(check.arguments)
        expected = expectation.expected()
        finding = expectation.look(audited, Subject(check.table, check.where))
    except Exception as error:
        return _failed(check, expected, told(error))
    return _result(audited, check, expected, finding)


def _others(audited: Audited, checks: Sequence[Check]) -> list[CheckResult]:
    try:
        from dagster_project.quality.great_expectations_adapter import validate

        outcomes = validate(audited, checks)
    except Exception as error:
        return [_failed(check, check.text, told(error)) for check in checks]
    return [
        _failed(check, expected, found)
        if isinstance(found, str)
        else _result(audited, check, expected, found)
        for check, (expected, found) in zip(checks, outcomes, strict=True)
    ]


def _result(audited: Audited, check: Check, expected: str, finding: Finding) -> CheckResult:
    examples = [{"value": str(value)[:VALUE_LENGTH]} for value in finding.values]
    if finding.failing_rows_sql and finding.shown_sql:
        try:
            examples = audited.examples(finding.failing_rows_sql, finding.shown_sql)
        except duckdb.Error:
            examples = []
    return CheckResult(
        check=check,
        passed=finding.passed,
        expected=_scoped(expected, check),
        observed=finding.observed,
        element_count=finding.element_count,
        unexpected_count=finding.unexpected_count,
        failing_rows_sql=finding.failing_rows_sql,
        examples=examples,
    )


def _failed(check: Check, expected: str, reason: str) -> CheckResult:
    return CheckResult(check, False, _scoped(expected, check), "could not be checked", error=reason)


def _scoped(expected: str, check: Check) -> str:
    """What is expected, and of which rows."""
    table = f", in `{check.table}`" if check.table != "rows" else ""
    return expected + table + (f", where {check.where}" if check.where else "")
