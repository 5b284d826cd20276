"""The warehouse as a Dagster resource, for custom Python assets."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
from dagster_duckdb import DuckDBResource

from dagster_project.warehouse.connect import connect
from dagster_project.warehouse.store import Store
from dagster_project.workspace import Workspace


class Warehouse(DuckDBResource):
    """Read access to all published versions: `SELECT * FROM dataset.version`.

    Used as any `DuckDBResource`::

        @dg.asset(deps=[["python_tutor", "v2"]])
        def longest_answer(warehouse: Warehouse) -> None:
            with warehouse.get_connection() as connection:
                connection.sql("SELECT max(length(messages::VARCHAR)) FROM python_tutor.v2")
    """

    workspace: str
    """The workspace's root folder."""

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """One read-only connection over the current snapshots."""
        connection = connect(Store(Workspace(Path(self.workspace)).store))
        try:
            yield connection
        finally:
            connection.close()
