"""Every row goes somewhere, once, and comes back as it was; names do no harm."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer import Typer
from typer.testing import CliRunner

from dagster_project.cli.export import add_to
from dagster_project.release import rows as rows_module
from dagster_project.release.export import ExportFailed
from dagster_project.release.rows import RowsRefused

texts = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        ["\u2028", "a\nb", '","x":null', "\x00", "\\", '"', "{", "\u0085", ",", ":null"]
    ),
)
roles = st.sampled_from(["user", "assistant", "system", "tool", "tool_call", "", "a b|c", None])
messages = st.lists(
    st.fixed_dictionaries({"role": roles, "content": texts, "name": texts}), max_size=3
)
records = st.lists(
    st.fixed_dictionaries(
        {
            "text": texts,
            "n": st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
            "x": st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
            "tags": st.one_of(st.none(), st.lists(texts, max_size=3)),
            "meta": st.one_of(st.none(), st.fixed_dictionaries({"k": texts, "-x": texts})),
            "messages": st.one_of(st.none(), messages),
            "split": st.sampled_from(["train", "test", "a.b_1"]),
        }
    ),
    min_size=1,
    max_size=16,
)
SCHEMA = {
    "text": pl.String,
    "n": pl.Int64,
    "x": pl.Float64,
    "tags": pl.List(pl.String),
    "meta": pl.Struct({"k": pl.String, "-x": pl.String}),
    "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String, "name": pl.String})),
    "split": pl.String,
}
CHAT = [{"role": role, "content": "x", "name": None} for role in ("user", "assistant")]
few = settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])


def exported_rows(folder: Path) -> list[dict]:
    """All rows, in the order of their ids."""
    found = [
        json.loads(line)
        for path in sorted((folder / "data").iterdir())
        for line in path.read_text("utf-8").splitlines()
    ]
    return sorted(found, key=lambda row: row["row_id"])


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr(rows_module, "PAGE_ROWS", 5)


@given(records=records, shard_rows=st.sampled_from([None, 1, 3]))
@few
def test_rows_come_back_as_they_were(shelf, small_pages, records, shard_rows):
    frame = pl.DataFrame(records, schema=SCHEMA)
    snapshot = shelf.publish(frame)
    with tempfile.TemporaryDirectory(dir=shelf.root) as place:
        how = {"split_by": "split", "shard_rows": shard_rows, "row_ids": True}
        found = shelf.export("jsonl", f"{place}/lines", **how)
        back = exported_rows(found.folder)
        assert [{k: v for k, v in row.items() if k != "row_id"} for row in back] == records
        assert [row["row_id"] for row in back] == list(range(len(records)))
        assert sum(found.manifest.splits.values()) == snapshot.rows
        found = shelf.export("parquet", f"{place}/columns", **how)
        read = pl.concat(pl.read_parquet(path) for path in (found.folder / "data").iterdir())
        assert read.sort("row_id").drop("row_id").to_dicts() == records


@given(records=records)
@few
def test_every_row_is_exported_or_left_out(shelf, small_pages, records):
    held = {**records[0], "messages": CHAT}
    records = [held, *records]
    shelf.publish(pl.DataFrame(records, schema=SCHEMA))
    with tempfile.TemporaryDirectory(dir=shelf.root) as place:
        for format in ("trl:prompt_completion", "axolotl", "sharegpt", "alpaca"):
            found = shelf.export(format, f"{place}/{format}", row_ids=True, split_by="split")
            there = [row["row_id"] for row in exported_rows(found.folder)]
            path = found.folder / "left_out.jsonl"
            out = (
                [json.loads(line)["row_id"] for line in path.read_text().splitlines()]
                if path.exists()
                else []
            )
            assert sorted(there + out) == list(range(len(records)))
            assert found.manifest.rows.left_out == len(out)


@given(records=records)
@few
def test_no_null_is_written_and_nothing_else_is_lost(shelf, records):
    records = [{**records[0], "messages": CHAT}, *records]
    shelf.publish(pl.DataFrame(records, schema=SCHEMA))

    def sparse(value):
        if isinstance(value, dict):
            return {key: sparse(item) for key, item in value.items() if item is not None}
        return [sparse(item) for item in value] if isinstance(value, list) else value

    with tempfile.TemporaryDirectory(dir=shelf.root) as place:
        columns = [name for name in SCHEMA if name not in ("messages", "meta")]
        found = shelf.export("trl", f"{place}/out", columns=columns, row_ids=True)
        for row in exported_rows(found.folder):
            wanted = records[row.pop("row_id")]
            assert row == sparse({name: wanted[name] for name in ("messages", *columns)})


def test_a_value_that_cannot_name_files_is_refused(shelf):
    values = ("../x", "/etc", "a/b", "", ".", "..", "a b", "a-b", "x" * 65, "all", "a\x00", "naïve")
    shelf.publish([{f"c{number}": value for number, value in enumerate(values)}])
    for number in range(len(values)):
        with pytest.raises(RowsRefused, match=rf"tiny/v1@.*:0: c{number} is"):
            shelf.export("jsonl", split_by=f"c{number}")
    assert not (shelf.root / "out").exists()


def test_rows_in_no_split_and_splits_that_differ_in_case_are_refused(shelf):
    shelf.publish([{"part": "train"}, {"part": None}])
    with pytest.raises(RowsRefused, match=":1 has no part"):
        shelf.export("jsonl", split_by="part")
    shelf.publish([{"part": "train"}, {"part": "Train"}])
    with pytest.raises(RowsRefused, match="in case"):
        shelf.export("jsonl", split_by="part")
    shelf.publish([{"part": number} for number in range(101)])
    with pytest.raises(RowsRefused, match="more than 100"):
        shelf.export("jsonl", split_by="part")


def test_columns_with_odd_names(shelf):
    row = {'a"b': 1, "é 'x'": "y", " ": 2, "split": "z", "rule": 3, "line": 4, "v": [{"v": None}]}
    shelf.publish([row])
    (back,) = exported_rows(shelf.export("jsonl", row_ids=True).folder)
    assert back == {**row, "row_id": 0}


def test_columns_that_are_not_there_or_taken(shelf):
    shelf.publish([{"messages": [{"role": "user", "content": "q"}], "prompt": 1}])
    with pytest.raises(RowsRefused, match="did you mean 'messages'"):
        shelf.export("jsonl", columns=["message"])
    with pytest.raises(RowsRefused, match="field 'messages' of its own"):
        shelf.export("trl:language_modeling", columns=["messages"])
    with pytest.raises(RowsRefused, match="0 rows"):
        shelf.export("jsonl", shard_rows=0)
    (back,) = exported_rows(shelf.export("trl", columns=["prompt"], row_ids=True).folder)
    assert back["prompt"] == 1


def test_the_command(shelf, monkeypatch):
    (shelf.root / "assets").mkdir()
    monkeypatch.setenv("SEEDBED_WORKSPACE", str(shelf.root))
    shelf.publish([{"prompt": "p", "completion": "c"}, {"prompt": "p", "completion": None}])
    app = Typer()
    add_to(app)
    app.command()(lambda: None)

    def run(*words: str):
        return CliRunner().invoke(app, ["export", *words])

    assert "trl:prompt_completion:standard" in run("tiny/v1").output
    out = shelf.root / "out"
    said = run("tiny/v1", "--to", str(out), "--format", "trl", "--row-ids").output
    assert "1 of 2 rows of tiny/v1 as trl:prompt_completion:standard" in said
    assert "row 1, chat_shape: found user assistant-content; wanted user assistant" in said
    assert exported_rows(out) == [{"prompt": "p", "completion": "c", "row_id": 0}]
    assert run("--verify", str(out)).exit_code == 0
    (out / "extra").touch()
    verified = run("--verify", str(out), "--json")
    assert verified.exit_code == 1
    assert json.loads(verified.output)["differences"] == [{"path": "extra", "problem": "extra"}]


def test_a_format_that_no_row_can_take_is_refused_with_the_reason(shelf):
    shelf.publish([{"messages": [{"role": "user", "content": "q"}]}])
    with pytest.raises(ExportFailed, match="none of the 1 rows") as refused:
        shelf.export("alpaca")
    assert "row 0, chat_shape: found user; wanted [system] user assistant" in str(refused.value)
