"""Parquet files."""

from __future__ import annotations

import json

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dagster_project.operators.acquire import parquet
from dagster_project.operators.acquire.files_reader import FilesReader
from dagster_project.operators.acquire.input_error import InputError


@pytest.fixture
def table() -> pa.Table:
    rows = range(1000)
    return pa.table(
        {
            "n": pa.array(rows, pa.int32()),
            "text": pa.array([f"é{row % 5}" for row in rows]).dictionary_encode(),
            "chat": [[{"role": "user", "n": row}] if row % 2 else None for row in rows],
            "map": pa.array([[("k", row)] for row in rows], pa.map_(pa.string(), pa.int64())),
        }
    )


def test_rows_are_typed_and_numbered(tmp_path, read_files, table, monkeypatch):
    monkeypatch.setattr(parquet, "BLOCK_ROWS", 90)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 64)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=400)
    whole = read_files("a.parquet")
    assert whole.rows.schema["text"] == pl.String
    assert whole.rows.schema["map"] == pl.List(pl.Struct({"key": pl.String, "value": pl.Int64}))
    assert whole.rows["n"].to_list() == list(range(1000))
    assert whole.rows["chat"][1].to_list() == [{"role": "user", "n": 1}]
    assert whole.origin["line"].to_list() == list(range(1, 1001))
    assert whole.origin["raw"].null_count() == 1000
    assert len(whole.keys) == len(set(whole.keys)) == 13


def test_blocks_may_be_passed_over(tmp_path, table, monkeypatch):
    monkeypatch.setattr(parquet, "BLOCK_ROWS", 90)
    monkeypatch.setattr(parquet, "BATCH_ROWS", 64)
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=400)
    reader = FilesReader(tmp_path, ("a.parquet",))
    parsed = [block.parse() for number, block in enumerate(reader.blocks()) if number in (2, 6, 7)]
    assert [records.parsed["n"][0] for records in parsed] == [180, 490, 580]
    assert [records.origin["line"][0] for records in parsed] == [181, 491, 581]
    assert len(reader.files()) == 1


def test_declared_types(tmp_path, read_files):
    pq.write_table(
        pa.table({"a": [1.0, 2.5, None], "b": [["x"], [], None]}), tmp_path / "a.parquet"
    )
    whole = read_files("a.parquet", schema={"a": "int", "b": "json"})
    assert whole.rows.rows() == [(1, '["x"]'), (None, None), (None, None)]
    assert whole.errors() == {2: "field `a`: found a number, '2.5', declared int"}
    assert json.loads(whole.origin["raw"][1]) == {"a": 2.5, "b": []}


def test_an_empty_file_has_no_rows(tmp_path, read_files):
    (tmp_path / "a.parquet").write_bytes(b"")
    pq.write_table(pa.table({"a": pa.array([], pa.int64())}), tmp_path / "b.parquet")
    assert read_files("*.parquet").rows.height == 0


def test_broken_files_are_named(tmp_path, read_text, table):
    with pytest.raises(InputError, match=r"a.parquet: is no Parquet file"):
        read_text("a.parquet", b"PAR1 not really PAR1")
    pq.write_table(table, tmp_path / "b.parquet", compression="none")
    data = bytearray((tmp_path / "b.parquet").read_bytes())
    data[4:600] = bytes(596)
    with pytest.raises(InputError, match=r"b.parquet: is no Parquet file"):
        read_text("b.parquet", bytes(data))


def test_text_that_is_not_utf8_is_refused(tmp_path, read_files):
    text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"\xff"]).buffers())
    pq.write_table(pa.table({"a": text}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: is broken: .*UTF8"):
        read_files("a.parquet")


def test_values_that_unpack_to_too_much_are_refused(tmp_path, read_files):
    pq.write_table(pa.table({"a": ["x" * 10_000] * 2000}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: rows from 1 on take more than"):
        read_files("a.parquet", expansion_floor=5_000_000)


def test_types_that_cannot_be_held_are_named(tmp_path, read_files):
    wide = pa.array([1], pa.decimal256(60, 0))
    pq.write_table(pa.table({"ok": [1], "big": wide}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a.parquet: column `big` has the type decimal256"):
        read_files("a.parquet")


def test_only_fields_need_names_not_the_items_of_lists(tmp_path, read_files):
    nameless = pa.field("", pa.int64())
    pq.write_table(pa.table({"l": pa.array([[1, 2]], pa.list_(nameless))}), tmp_path / "a.parquet")
    assert read_files("a.parquet").rows["l"].to_list() == [[1, 2]]
    pq.write_table(pa.table({"s": pa.array([{"": 1}])}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b.parquet: a field is called ''"):
        read_files("b.parquet")
