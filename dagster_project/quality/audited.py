"""The snapshot under audit, as expectations see it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import no_such
from dagster_project.warehouse.connect import LOCKDOWN, identifier, literal
from dagster_project.warehouse.snapshot import MEMORY_LIMIT

EXAMPLES = 5
EXAMPLE_LENGTH = 200

SUBSET = "subset"
"""What queries call the rows of a table that a check looks at, when those are not all."""

SAFE = re.compile(r"((?:Binder|Catalog|Parser|Syntax|Permission|Not implemented) Error: .*)", re.S)
UNSAFE = re.compile(r"\b([A-Z][A-Za-z ]+ Error): ")


class CannotCheck(SeedbedError):
    """An expectation that does not fit the snapshot, with what to do about it."""


@dataclass(frozen=True)
class Subject:
    """The rows that a check looks at.

    Attributes:
        table: a table of the snapshot. Of `scores`, only rows that are in the snapshot.
        where: an SQL condition on them; None for all.
    """

    table: str = "rows"
    where: str | None = None

    @property
    def select(self) -> str:
        """A query that gives them."""
        conditions = [f"(\n{self.where}\n)"] if self.where else []
        if self.table == "scores":
            conditions.insert(0, "row_id IS NOT NULL")
        filtered = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        return f"SELECT * FROM {identifier(self.table)}{filtered}"

    @property
    def relation(self) -> str:
        """The name under which a query that starts with `prefix` knows them."""
        return SUBSET if self.where or self.table == "scores" else self.table

    @property
    def prefix(self) -> str:
        """The start of a query over `relation`."""
        return f"WITH {SUBSET} AS ({self.select}) " if self.relation == SUBSET else ""


class Audited:
    """A snapshot, and the one before it, in a connection that can read these files alone.

    The snapshot's tables have their own names; those of the one before it are `previous.main.rows`
    and so on.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, has_previous: bool, damage: str | None
    ) -> None:
        self.connection = connection
        self._has_previous, self._damage = has_previous, damage

    def has_previous(self) -> bool:
        """Whether there is a snapshot before this one.

        Raises:
            CannotCheck: when there is, but it cannot be opened.
        """
        if self._damage:
            raise CannotCheck(f"the previous snapshot cannot be opened: {self._damage}")
        return self._has_previous

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...]:
        """The first row of a query."""
        found = self.connection.execute(sql, list(parameters)).fetchone()
        assert found is not None
        return found

    def columns(self, table: str, database: str = "audited") -> dict[str, str]:
        """Column names and their DuckDB types.

        Raises:
            CannotCheck: when there is no such table.
        """
        described = self.connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE database_name = ? AND table_name = ? ORDER BY column_index",
            [database, table],
        ).fetchall()
        if not described:
            raise CannotCheck(no_such("table", table, _tables(self.connection, database)))
        return dict(described)

    def require(self, table: str, columns: Sequence[str], database: str = "audited") -> None:
        """Refuse what is not there.

        Raises:
            CannotCheck: naming the table or column, and the nearest one.
        """
        known = self.columns(table, database)
        for column in columns:
            if column not in known:
                where = f" in `{table}`" + (" of the previous one" if database != "audited" else "")
                raise CannotCheck(no_such("column", column, known, where))

    def examples(self, failing_rows_sql: str, shown_sql: str) -> list[dict[str, Any]]:
        """The first failing rows with their values, cut.

        Args:
            failing_rows_sql: gives `row_id` of failing rows.
            shown_sql: gives `row_id` and the columns to show.
        """
        cursor = self.connection.execute(
            f"SELECT row_id, left(COLUMNS(* EXCLUDE (row_id))::VARCHAR, {EXAMPLE_LENGTH}) "
            f"FROM (\n{shown_sql}\n) WHERE row_id IN (SELECT DISTINCT row_id FROM "
            f"(\n{failing_rows_sql}\n) ORDER BY row_id LIMIT {EXAMPLES}) "
            f"ORDER BY ALL LIMIT {EXAMPLES}"
        )
        names = [column[0] for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def open_audited(snapshot: Path, previous: Path | None) -> Iterator[Audited]:
    """Open a snapshot, and the one before it if given, read-only and locked down.

    Raises:
        duckdb.Error: when the snapshot cannot be opened.
    """
    damage = None
    connection = duckdb.connect(
        config={
            "python_enable_replacements": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "memory_limit": MEMORY_LIMIT,
            "temp_directory": str(snapshot.parent / f".audit-{snapshot.name}"),
        }
    )
    with connection:
        connection.execute(f"ATTACH {literal(str(snapshot))} AS audited (READ_ONLY)")
        if previous is not None:
            try:
                connection.execute(f"ATTACH {literal(str(previous))} AS previous (READ_ONLY)")
            except duckdb.Error as error:
                damage = told(error)
        for table in _tables(connection, "audited"):
            name = identifier(table)
            connection.execute(f"CREATE VIEW {name} AS FROM audited.main.{name}")
        connection.execute(LOCKDOWN)
        yield Audited(connection, previous is not None, damage)


def one_select(sql: str) -> str:
    """`sql` without its final semicolon, if it is one query without parameters.

    Raises:
        ValueError: when it is not.
    """
    query = sql.strip().rstrip(";")
    for text in (query, f"SELECT * FROM (\n{query}\n)"):
        try:
            statements = duckdb.extract_statements(text)
        except duckdb.Error as error:
            raise ValueError(f"is not a SELECT: {told(error)}") from error
        kinds = [statement.type for statement in statements]
        if kinds != [duckdb.StatementType.SELECT] or statements[0].named_parameters:
            raise ValueError("must be one SELECT, without parameters")
    return query


def told(error: BaseException | str) -> str:
    """What an error says, in a line, without SQL text and without anything that may be of a row."""
    text = str(error)
    mistake = SAFE.search(text)
    if mistake:
        text = re.split(r"\n\s*LINE \d+:|\n\[SQL:|\n\s*Candidate functions:", mistake[1])[0]
    else:
        unsafe = UNSAFE.search(text)
        if unsafe:
            return f"{unsafe[1]} in a value; the value is not shown"
        text = text.split("\n[SQL:")[0]
    return " ".join(text.split())[:400] or type(error).__name__


def _tables(connection: duckdb.DuckDBPyConnection, database: str) -> list[str]:
    found = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = ? ORDER BY ALL", [database]
    )
    return [name for (name,) in found.fetchall()]
