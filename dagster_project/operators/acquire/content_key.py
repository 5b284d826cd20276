"""The key of rows that are made, not read: a digest of the rows themselves."""

from __future__ import annotations

import hashlib

import pyarrow as pa

from dagster_project.operators.acquire.block import Records


def content_key(kind: str, records: Records) -> str:
    """sha256 (hex) over `kind`, and values and types of the rows and their origin."""
    key = hashlib.sha256(kind.encode())
    for frame in (records.parsed, records.origin):
        table = frame.rechunk().to_arrow()
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        key.update(frame.height.to_bytes(8, "little"))
        key.update(sink.getvalue())
    return key.hexdigest()
