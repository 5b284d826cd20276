"""A check's result as Dagster shows it."""

from typing import Any

import dagster as dg

from dagster_project.quality.result import CheckResult


def check_result(result: CheckResult, key: dg.AssetKey) -> dg.AssetCheckResult:
    """The Dagster result of one expectation: what was expected, what was seen, examples by row."""
    metadata: dict[str, Any] = {
        "expected": result.expected,
        "observed": result.observed,
    }
    if result.unexpected_count is not None:
        metadata["unexpected_count"] = result.unexpected_count
    if result.element_count is not None:
        metadata["element_count"] = result.element_count
    if result.error:
        metadata["error"] = result.error
    if result.examples:
        metadata["examples"] = dg.MetadataValue.table(
            [
                dg.TableRecord({name: str(value) for name, value in row.items()})
                for row in result.examples
            ]
        )
    if result.failing_rows_sql:
        metadata["all_failing_rows"] = dg.MetadataValue.md(
            f"```sql\n{result.failing_rows_sql}\n```"
        )
    severity = (
        dg.AssetCheckSeverity.ERROR
        if result.check.severity == "error"
        else dg.AssetCheckSeverity.WARN
    )
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=result.check.name,
        passed=result.passed,
        severity=severity,
        description=result.observed
        if not result.error
        else f"could not be checked: {result.error}",
        metadata=metadata,
    )
