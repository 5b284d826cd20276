"""Great Expectations' results as findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from numbers import Number
from typing import Any, cast

import duckdb

from dagster_project.quality.audited import Audited, CannotCheck, Subject, told
from dagster_project.quality.expectation import Finding, counted, identifiers
from dagster_project.quality.suite import Check
from dagster_project.warehouse.connect import identifier


def finding_of(audited: Audited, subject: Subject, check: Check, result: Any) -> Finding:
    """What a result says.

    Args:
        audited: the snapshot.
        subject: the rows that were looked at.
        check: what was asked.
        result: Great Expectations' answer, in the format `BASIC`.

    Raises:
        CannotCheck: when it is an error.
    """
    raised = raised_by(result)
    if raised:
        raise CannotCheck(told(raised))
    found = result.result
    if found.get("element_count") is None:
        return _of_a_column(check, bool(result.success), found)
    total, unexpected = int(found["element_count"]), int(found["unexpected_count"] or 0)
    missing = int(found.get("missing_count") or 0)
    observed = counted(unexpected, total - missing, "rows fail")
    observed += f"; {missing:,} more are null" if missing else ""
    failing = _failing_rows(check, subject, found) if unexpected else None
    if failing and not _gives(audited, failing, unexpected):
        failing = None
    if unexpected and failing is None:
        observed += "; they cannot be listed"
    return Finding(
        passed=bool(result.success),
        observed=observed,
        element_count=total,
        unexpected_count=unexpected,
        failing_rows_sql=failing,
        shown_sql=_shown(check, subject),
    )


def columns_of(check: Check, *, to_read: bool = False) -> list[str]:
    """The columns that a check names.

    Args:
        check: the check.
        to_read: leave out those that need not exist.
    """
    given = check.arguments
    if check.expectation.startswith("expect_table_"):
        return []
    if to_read and check.expectation == "expect_column_to_exist":
        return []
    single = [given[key] for key in ("column", "column_A", "column_B") if key in given]
    return [*single, *given.get("column_list", ())]


def raised_by(result: Any) -> str:
    """The message of what Great Expectations caught; empty when nothing was raised."""
    info = result.exception_info or {}
    each = [info] if "raised_exception" in info else list(info.values())
    messages = [item["exception_message"] for item in each if item.get("raised_exception")]
    return str(messages[0]) if messages else ""


def reason_of(error: Exception) -> str:
    """Why a check could not be run."""
    wrong = cast("Any", error).errors() if type(error).__name__ == "ValidationError" else []
    said = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in wrong]
    return "; ".join(said).replace("__root__: ", "")[:400] or told(error)


def _of_a_column(check: Check, passed: bool, found: Mapping[str, Any]) -> Finding:
    """The finding about a column or table as a whole."""
    value = found.get("observed_value")
    values = [*found.get("partial_unexpected_list", ()), *found.get("partial_missing_list", ())]
    named = check.expectation.startswith("expect_table_")
    if value is not None and not named and _may_be_text(value):
        value, values = None, values or [value]
    kinds = (("unexpected_count", "unexpected values"), ("missing_count", "missing values"))
    counts = [f"{found[key]:,} {what}" for key, what in kinds if found.get(key)]
    if isinstance(value, int | float):
        observed = f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"
    elif value is not None:
        observed = str(value)[:300]
    else:
        observed = ", ".join(counts) or f"{'as' if passed else 'not as'} expected"
    return Finding(passed, observed, values=sorted(values, key=str))


def _may_be_text(value: Any) -> bool:
    """Whether an observed value may hold text of rows, rather than numbers or dates."""
    if isinstance(value, Mapping):
        return any(_may_be_text(each) for each in value.values())
    if isinstance(value, list | tuple | set):
        return any(_may_be_text(each) for each in value)
    return not (value is None or isinstance(value, Number | date))


def _failing_rows(check: Check, subject: Subject, found: Mapping[str, Any]) -> str | None:
    """SQL for the `row_id` of all failing rows.

    Great Expectations' own query for them has two faults: it finds rows that `ignore_row_if` leaves
    out, and for compound keys it is not valid SQL.
    """
    columns, query = columns_of(check), found.get("unexpected_index_query")
    if query is None:
        return None
    present = [f"{identifier(column)} IS NOT NULL" for column in columns]
    if check.expectation == "expect_compound_columns_to_be_unique":
        return (
            f"{subject.prefix}SELECT row_id FROM {identifier(subject.relation)} "
            f"WHERE {' AND '.join(present)} "
            f"QUALIFY count(*) OVER (PARTITION BY {identifiers(columns)}) > 1"
        )
    query = query.rstrip().removesuffix(";")
    failing = f"{subject.prefix}SELECT row_id FROM (\n{query}\n)"
    ignored = check.arguments.get("ignore_row_if")
    if len(columns) == 1 or ignored in ("never", "neither"):
        return failing
    whole = ignored in ("any_value_is_missing", "either_value_is_missing")
    return f"{failing} WHERE {(' AND ' if whole else ' OR ').join(present)}"


def _gives(audited: Audited, failing_rows_sql: str, rows: int) -> bool:
    """Whether a query works and gives as many rows as were counted."""
    try:
        return audited.row(f"SELECT count(*) FROM (\n{failing_rows_sql}\n)") == (rows,)
    except duckdb.Error:
        return False


def _shown(check: Check, subject: Subject) -> str:
    columns = [column for column in columns_of(check) if column != "row_id"]
    values = identifiers(columns) if columns else "row_id AS value"
    return f"{subject.prefix}SELECT row_id, {values} FROM {identifier(subject.relation)}"
