"""Answers of queries as the Dagster UI shows them."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
import duckdb


def records(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """The rows of a query, by column."""
    cursor = connection.execute(query)
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def one(connection: duckdb.DuckDBPyConnection, query: str) -> Any:
    """The first value of a query; 0 where it has no row."""
    found = connection.execute(query).fetchall()
    return found[0][0] if found else 0


def table(rows: Sequence[dict[str, Any]]) -> dg.MetadataValue | None:
    """Rows as a table; None where there are none."""
    return dg.MetadataValue.table([dg.TableRecord(row) for row in rows]) if rows else None
