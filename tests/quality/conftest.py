"""Snapshots to audit, and audits of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dagster_project.quality.audit import audit
from dagster_project.quality.result import CheckResult
from dagster_project.quality.suite import Check, Item
from dagster_project.warehouse.schema import TABLES


def _write(path: Path, rows: str, *statements: str) -> Path:
    with duckdb.connect(str(path), config={"python_enable_replacements": False}) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} ({columns})")
        connection.execute(f"CREATE TABLE rows AS {rows}")
        for statement in statements:
            connection.execute(statement)
    return path


def _checks(*written: Any) -> list[Check]:
    items = [Item.model_validate(each) for each in written]
    return [item.check(item.name or f"c{number}", "test") for number, item in enumerate(items)]


def _look(path: Path, written: Any, previous: Path | None = None) -> CheckResult:
    (result,) = audit(path, _checks(written), previous)
    return result


def _failing(path: Path, result: CheckResult) -> Sequence[int]:
    if result.failing_rows_sql is None:
        return []
    with duckdb.connect(str(path), read_only=True) as connection:
        return sorted(row for (row,) in connection.execute(result.failing_rows_sql).fetchall())


@pytest.fixture(scope="session")
def write_snapshot() -> Callable[..., Path]:
    """`write_snapshot(path, rows, *statements)`: `rows` is the query of the table `rows`."""
    return _write


@pytest.fixture(scope="session")
def checks() -> Callable[..., list[Check]]:
    """The checks of expectations as they are written in a suite."""
    return _checks


@pytest.fixture(scope="session")
def look() -> Callable[..., CheckResult]:
    """`look(path, expectation, previous=None)`: the result of one."""
    return _look


@pytest.fixture(scope="session")
def failing() -> Callable[..., Sequence[int]]:
    """`failing(path, result)`: the rows it says fail, as its SQL finds them in the snapshot."""
    return _failing
