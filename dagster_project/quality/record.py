"""Writes what an audit found into the snapshot it audited."""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb

from dagster_project.quality.result import CheckResult


def record(connection: duckdb.DuckDBPyConnection, results: Sequence[CheckResult]) -> None:
    """Fill the tables `checks` and `check_failures`, the latter with every failing row.

    Args:
        connection: to the audited snapshot, open for writing.
        results: of its audit.
    """
    for result in results:
        check = result.check
        scope = {"table": check.table, "where": check.where}
        unusual = {key: value for key, value in scope.items() if value not in (None, "rows")}
        arguments = {**check.arguments, **unusual}
        row = {
            "name": check.name,
            "suite": check.suite,
            "expectation": check.expectation,
            "arguments": json.dumps(arguments, ensure_ascii=False, default=str),
            "severity": check.severity,
            "blocking": check.blocking,
            "passed": result.passed,
            "expected": result.expected,
            "observed": result.observed,
            "element_count": result.element_count,
            "unexpected_count": result.unexpected_count,
            "error": result.error,
        }
        connection.execute(
            f"INSERT INTO checks ({', '.join(row)}) VALUES ({', '.join('?' for _ in row)})",
            list(row.values()),
        )
        if result.failing_rows_sql:
            connection.execute(
                "INSERT INTO check_failures SELECT DISTINCT ?, row_id "
                f"FROM (\n{result.failing_rows_sql}\n) WHERE row_id IS NOT NULL ORDER BY row_id",
                [check.name],
            )
