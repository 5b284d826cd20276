"""What tests of erasures look at."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import polars as pl

from dagster_project.engine.erasure.carrying_out import erase
from dagster_project.engine.erasure.plan import PlannedErasure
from dagster_project.warehouse.erasure.notes import Erasure, alone
from dagster_project.warehouse.store import Store

REASON = "asked for by letter"


def places(root: Path, text: str) -> list[str]:
    """Where a text is in a folder, in whatever case: in the bytes of its files, and in their columns."""
    text, found = text.lower(), []
    for path in sorted(each for each in root.rglob("*") if each.is_file()):
        if text.encode() in path.read_bytes().lower():
            found.append(f"{path}: bytes")
        if path.suffix == ".parquet":
            if text in str(pl.read_parquet(path).rows()).lower():
                found.append(f"{path}: columns")
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute(
                    "SELECT table_name FROM duckdb_tables()"
                ).fetchall():
                    rows = connection.execute(
                        f'SELECT count(*) FROM "{table}" t WHERE contains(lower(t::VARCHAR), ?)',
                        [text],
                    ).fetchall()
                    if rows != [(0,)]:
                        found.append(f"{path}: table {table}")
        elif path.suffix == ".sqlite":
            with sqlite3.connect(path) as connection:
                found += [f"{path}: dump" for line in connection.iterdump() if text in line.lower()]
    return found


def carried_out(store: Store, planned: PlannedErasure) -> Erasure:
    with alone(store):
        return erase(store, planned, REASON)
