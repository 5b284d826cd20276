"""Snapshots to audit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.quality.audit import audit
from dagster_project.quality.result import CheckResult
from dagster_project.quality.suite import Item
from dagster_project.warehouse.schema import TABLES

Snapshot = Callable[..., Path]
Look = Callable[..., CheckResult]


def write_snapshot(path: Path, rows: str, *statements: str) -> Path:
    """Write a snapshot file.

    Args:
        path: the file.
        rows: a query that gives `row_id` and the columns of `rows`.
        statements: SQL that fills its other tables.
    """
    with duckdb.connect(str(path), config={"python_enable_replacements": False}) as connection:
        connection.execute(f"CREATE TABLE rows AS {rows}")
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        for statement in statements:
            connection.execute(statement)
    return path


def checks_of(*written: Any) -> list:
    """The checks of some expectations as they are written in a suite."""
    items = [Item.model_validate(each) for each in written]
    return [item.check(item.name or f"c{n}", "test") for n, item in enumerate(items)]


def look_at(path: Path, written: Any, previous: Path | None = None) -> CheckResult:
    """Audit a snapshot with one expectation."""
    (result,) = audit(path, checks_of(written), previous)
    return result


def failing(path: Path, result: CheckResult) -> Sequence[int]:
    """The rows that a result says fail, as its query finds them in the snapshot itself."""
    if result.failing_rows_sql is None:
        return []
    with duckdb.connect(str(path), read_only=True) as connection:
        return [row for (row,) in connection.execute(result.failing_rows_sql).fetchall()]


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    """Writes snapshots."""

    def write(rows: str, *statements: str, name: str = "now") -> Path:
        return write_snapshot(tmp_path / f"{name}.duckdb", rows, *statements)

    return write
