"""Rows as they are: JSON lines, Parquet, and a folder for Hugging Face's `datasets`."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pyarrow.parquet as pq
import pytest
import yaml

from dagster_project.release.rows import RowsRefused
from dagster_project.release.shapes.dataset_card import size_category

TRAIN = "data/train-00000-of-00001"

ROWS = pl.DataFrame(
    {
        "text": ['a\u2028b\u2029\u0085\n\x00"\\', "", None, "{}"],
        "big": pl.Series([2**64 - 1, 0, None, 1], dtype=pl.UInt64),
        "ratio": [0.1, float("nan"), float("inf"), None],
        "tags": [["x", None], [], None, ["y,", ":null"]],
        "meta": [
            {"a": {"b": 1}, "c": None},
            {"a": None, "c": "z"},
            None,
            {"a": {"b": None}, "c": ""},
        ],
    }
)


def test_jsonl(shelf, lines):
    shelf.publish(ROWS)
    assert shelf.written("jsonl", row_ids=True) == {
        f"{TRAIN}.jsonl": lines(
            '{"text":"a\\u2028b\\u2029\\u0085\\n\\u0000\\"\\\\","big":18446744073709551615,"ratio":0.1,'
            '"tags":["x",null],"meta":{"a":{"b":1},"c":null},"row_id":0}',
            '{"text":"","big":0,"ratio":null,"tags":[],"meta":{"a":null,"c":"z"},"row_id":1}',
            '{"text":null,"big":null,"ratio":null,"tags":null,"meta":null,"row_id":2}',
            '{"text":"{}","big":1,"ratio":null,"tags":["y,",":null"],'
            '"meta":{"a":{"b":null},"c":""},"row_id":3}',
        )
    }


def test_jsonl_of_times_and_decimals(shelf, lines):
    moment = datetime(2020, 1, 2, 3, 4, 5)
    shelf.publish(
        pl.DataFrame(
            {
                "d": [date(2020, 1, 2)],
                "t": [moment],
                "z": [moment.replace(tzinfo=UTC)],
                "n": [Decimal("12345678901234567890.10")],
            }
        )
    )
    assert shelf.written("jsonl") == {
        f"{TRAIN}.jsonl": lines(
            '{"d":"2020-01-02","t":"2020-01-02 03:04:05",'
            '"z":"2020-01-02T03:04:05+00:00","n":"12345678901234567890.10"}'
        )
    }


def test_jsonl_of_some_columns_in_the_order_asked_for(shelf, lines):
    shelf.publish(ROWS)
    assert shelf.written("jsonl", columns=["big", "text"])[f"{TRAIN}.jsonl"] == lines(
        '{"big":18446744073709551615,"text":"a\\u2028b\\u2029\\u0085\\n\\u0000\\"\\\\"}',
        '{"big":0,"text":""}',
        '{"big":null,"text":null}',
        '{"big":1,"text":"{}"}',
    )


def test_parquet_holds_the_same_rows(shelf):
    shelf.publish(ROWS)
    exported = shelf.export("parquet", row_ids=True)
    read = pl.read_parquet(exported.folder / f"{TRAIN}.parquet")
    assert read.drop("row_id").equals(ROWS)
    assert read["row_id"].to_list() == [0, 1, 2, 3]
    metadata = pq.read_metadata(exported.folder / f"{TRAIN}.parquet")
    assert metadata.row_group(0).column(0).compression == "ZSTD"


def test_a_folder_for_datasets(shelf):
    shelf.publish(ROWS.with_columns(split=pl.Series(["train", "test", "train", "train"])))
    exported = shelf.export("hf", split_by="split", shard_rows=2)
    data = exported.folder / "data"
    assert sorted(path.name for path in data.iterdir()) == [
        "test-00000-of-00001.parquet",
        "train-00000-of-00002.parquet",
        "train-00001-of-00002.parquet",
    ]
    assert pl.read_parquet(data / "train-*.parquet").drop("split").equals(ROWS[[0, 2, 3]])
    size = sum(path.stat().st_size for path in data.iterdir())
    found = (exported.folder / "README.md").read_text()
    memory = [item["num_bytes"] for item in card(found)["dataset_info"]["splits"]]
    assert all(count > 0 for count in memory)
    assert (
        found
        == f"""---
license: cc-by-4.0
size_categories:
- n<1K
configs:
- config_name: default
  data_files:
  - split: test
    path: data/test-*
  - split: train
    path: data/train-*
dataset_info:
  features:
  - name: text
    dtype: string
  - name: big
    dtype: uint64
  - name: ratio
    dtype: float64
  - name: tags
    list: string
  - name: meta
    struct:
    - name: a
      struct:
      - name: b
        dtype: int64
    - name: c
      dtype: string
  - name: split
    dtype: string
  splits:
  - name: test
    num_bytes: {memory[0]}
    num_examples: 1
  - name: train
    num_bytes: {memory[1]}
    num_examples: 3
  download_size: {size}
  dataset_size: {sum(memory)}
---

# tiny/v1

Rows to test.

| split | rows |
|---|---|
| test | 1 |
| train | 3 |

Exported by Seedbed from snapshot `{exported.manifest.snapshot_id}`, content \
`{exported.manifest.content_id}`.
`seedbed_export.json` lists its sources with their licences, and the sha256 of each file.
"""
    )


def card(text: str) -> dict:
    return yaml.safe_load(text.split("---\n")[1])


@pytest.mark.parametrize(
    ("licence", "said"),
    [
        ("Apache-2.0", {"license": "apache-2.0"}),
        ("PSF-2.0", {"license": "other", "license_name": "psf-2.0"}),
        (None, {"license": "unknown"}),
    ],
)
def test_licences_by_the_hubs_names(shelf, licence, said):
    shelf.publish(ROWS, licence=licence)
    found = card((shelf.export("hf", columns=["text"]).folder / "README.md").read_text())
    assert {key: value for key, value in found.items() if key.startswith("license")} == said


def test_size_categories():
    assert [size_category(rows) for rows in (0, 999, 1000, 999_999, 10**6, 10**12)] == [
        "n<1K", "n<1K", "1K<n<10K", "100K<n<1M", "1M<n<10M", "n>1T",
    ]  # fmt: skip


def test_datasets_loads_it(shelf):
    datasets = pytest.importorskip("datasets")
    shelf.publish(ROWS.with_columns(split=pl.Series(["train", "test", "train", "train"])))
    exported = shelf.export("hf", split_by="split", shard_rows=2)
    cache = shelf.root / "cache"
    loaded = datasets.load_dataset(str(exported.folder), cache_dir=str(cache))
    assert loaded["train"]["text"] == ROWS[[0, 2, 3]]["text"].to_list()
    shelf.export("trl:language_modeling", folder="lines", split_by="split")
    loaded = datasets.load_dataset(str(shelf.root / "lines"), cache_dir=str(cache))
    assert loaded["test"]["text"] == [""]


@pytest.mark.parametrize("format", ["parquet", "jsonl", "hf"])
def test_no_rows_make_a_file_without_any(shelf, format):
    shelf.publish(ROWS.clear())
    exported = shelf.export(format)
    assert exported.manifest.splits == {"train": 0}
    (path,) = (exported.folder / "data").iterdir()
    if format == "jsonl":
        assert path.read_text() == ""
    else:
        assert pl.read_parquet(path).columns == ROWS.columns


def test_bytes_are_refused_where_they_have_no_word(shelf):
    shelf.publish(pl.DataFrame({"raw": [b"\xff"], "n": [1]}))
    with pytest.raises(RowsRefused, match="'raw' holds bytes"):
        shelf.export("jsonl")
    assert json.loads(shelf.written("jsonl", columns=["n"])[f"{TRAIN}.jsonl"]) == {"n": 1}
    assert pl.read_parquet(shelf.export("parquet").folder / "data")["raw"].to_list() == [b"\xff"]


def test_durations_are_refused(shelf):
    shelf.publish(pl.DataFrame({"took": [timedelta(seconds=1)]}))
    with pytest.raises(RowsRefused, match="'took' holds durations"):
        shelf.export("parquet")
