"""Rows as Parquet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


class Parquet:
    """A Parquet file: one row group for each batch. The same batches give the same bytes.

    Args:
        path: of the file.
        schema: of the rows.
        compression: `zstd` or `gzip`; zstd by default.
    """

    def __init__(self, path: Path, schema: pa.Schema, compression: str | None) -> None:
        self.schema = schema
        self.writer = pq.ParquetWriter(
            str(path),
            schema,
            compression=compression or "zstd",
            version="2.6",
            data_page_version="1.0",
            use_dictionary=True,
            write_statistics=True,
            store_schema=False,
        )

    def write(self, rows: pa.Table) -> int:
        """Write a batch. Returns its size as Arrow, bytes."""
        if len(rows):
            self.writer.write_table(rows.cast(self.schema), row_group_size=len(rows))
        return rows.nbytes

    def close(self) -> None:
        """Finish the file."""
        self.writer.close()
