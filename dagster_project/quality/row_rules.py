"""Rows that break any of several named rules, and which they break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from dagster_project.quality.audited import Audited
from dagster_project.quality.expectation import Finding, some_rows
from dagster_project.warehouse.connect import literal

BLANK = r"[^\s\p{Z}\p{Cc}\p{Cf}]"
"""What a text that says something has in it, as a regular expression of RE2."""


def says_nothing(text: str) -> str:
    """An SQL condition: a text is null, or has no character that shows."""
    return f"NOT coalesce(regexp_matches({text}, {literal(BLANK)}), false)"


def broken_rules(
    audited: Audited, relation: str, rules: Mapping[str, str], noun: str, most_share: float = 0
) -> Finding:
    """The finding about rows that break any of several rules.

    Args:
        audited: where.
        relation: a query that gives `row_id` and what the rules look at.
        rules: SQL conditions on it that are true for rows that break the rule, by what to call that.
        noun: what is counted, and what it does.
        most_share: such a share of the rows may.
    """
    conditions = {rule: f"coalesce(({broken}), false)" for rule, broken in rules.items()}
    counts = ", ".join(
        f"count(DISTINCT row_id) FILTER ({broken})" for broken in conditions.values()
    )
    total, *broken = audited.row(f"SELECT count(DISTINCT row_id), {counts} FROM (\n{relation}\n)")
    named = [f"{n:,} {rule}" for rule, n in zip(conditions, broken, strict=True) if n]
    reasons = ", ".join(
        f"CASE WHEN {test} THEN {literal(rule)} END" for rule, test in conditions.items()
    )
    return some_rows(
        audited,
        f"SELECT row_id FROM (\n{relation}\n) WHERE {' OR '.join(conditions.values())}",
        total=total,
        most=most_share * total,
        shown_sql=f"SELECT row_id, concat_ws(', ', {reasons}) AS broken, * EXCLUDE (row_id) "
        f"FROM (\n{relation}\n)",
        noun=noun,
        more=f": {', '.join(named)}" if named else "",
    )


def one_of(value: str, values: Sequence[Any]) -> str:
    """An SQL condition: a value is one of those listed."""
    listed = ", ".join(str(v) if isinstance(v, int) else literal(v) for v in values)
    return f"{value} IN ({listed})" if values else "false"


def fields_of(kind: str) -> dict[str, str]:
    """The fields of a list of structs and their types; empty for any other DuckDB type."""
    of: Any = duckdb.type(kind)
    item = of.children[0][1] if of.id == "list" else None
    return (
        {name: str(field) for name, field in item.children} if item and item.id == "struct" else {}
    )
