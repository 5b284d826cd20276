"""Promise 12 (files and names): broken, huge, deep, mis-encoded or malicious input gives a clear
error or a quarantined row; nothing is lost, nothing is evaluated, and the rest runs."""

from __future__ import annotations

import gzip
import json
import pickle
from pathlib import Path

import duckdb
import pytest

from dagster_project.errors import SeedbedError
from dagster_project.warehouse.connect import connect

RECIPE = "inputs:\n  rows: {{files: '{name}'}}\nlimits: {{quarantine: {limit}}}\n"


def publish(space, name: str, limit: float = 0.9):
    space.recipe("a/v1", RECIPE.format(name=name, limit=limit))
    return space.publish("a/v1")


def one(space, query: str):
    with connect(space.store) as connection:
        return connection.execute(query).fetchone()


def test_an_empty_file_is_no_rows(space) -> None:
    (space.root / "rows.jsonl").write_bytes(b"")
    assert publish(space, "rows.jsonl").manifest.rows == 0


def test_a_missing_file_is_named_with_the_nearest(space) -> None:
    space.jsonl("rows.jsonl", [{"a": 1}])
    with pytest.raises(SeedbedError, match=r"rwos\.jsonl(.|\n)*rows\.jsonl"):
        publish(space, "rwos.jsonl")


def test_a_broken_line_is_quarantined_with_its_text_and_place(space) -> None:
    good = [json.dumps({"a": index}) for index in range(5)]
    space.jsonl("rows.jsonl", [*good[:2], '{"a": ', *good[3:]])
    with pytest.raises(SeedbedError, match=r"1 of 5 records.*(.|\n)*rows\.jsonl:3"):
        publish(space, "rows.jsonl", limit=0.001)
    assert publish(space, "rows.jsonl").manifest.rows == 4
    found = one(space, 'SELECT content, error, parent_row_id FROM "a/v1".quarantine')
    assert found is not None
    assert found[0] == '{"a": '
    assert "rows.jsonl:3" in found[1]
    assert found[2] == 2


@pytest.mark.parametrize(
    ("lines", "rows", "bad"),
    [
        ([b'{"a": 1}', b'{"a": "x"}', b'{"a": [1]}', b'{"a": null}'], 4, 0),
        ([b'{"a": 1}', b'{"a": "\xff\xfe"}'], 1, 1),
        ([b'{"a": 1}', b'{"a": 1, "a": 2}'], 1, 1),
        ([b'{"a": 1}', b'{"a": "\\ud800"}'], 1, 1),
        ([b'{"a": 1}', b'{"a": 1e999}'], 1, 1),
        ([b'{"a": 1}', b"[1]", b"7", b'"x"'], 1, 3),
        ([b'{"a": 1}', b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"], 1, 1),
        ([b'{"a": 1}', b'{"a": NaN}', b"{'a': 2}"], 1, 2),
    ],
    ids=["mixed", "utf8", "keys", "surrogate", "huge number", "not objects", "deep", "not json"],
)
def test_bad_records_are_kept_and_good_ones_pass(space, lines, rows: int, bad: int) -> None:
    (space.root / "rows.jsonl").write_bytes(b"".join(line + b"\n" for line in lines))
    assert publish(space, "rows.jsonl").manifest.rows == rows
    assert one(space, 'SELECT count(*) FROM "a/v1".quarantine') == (bad,)
    kept = one(space, 'SELECT count(*) FROM "a/v1".quarantine WHERE content IS NULL')
    assert kept == (0,)


def test_a_long_line_passes_and_a_longer_one_is_refused(space) -> None:
    (space.root / "rows.jsonl").write_text(json.dumps({"a": "x" * 20_000_000}) + "\n")
    assert publish(space, "rows.jsonl").manifest.rows == 1
    (space.root / "long.jsonl").write_text(json.dumps({"a": "y" * 2_000_000}) + "\n")
    space.recipe(
        "a/v1",
        RECIPE.format(name="long.jsonl", limit=0).replace(
            "{quarantine: 0", "{max_line_bytes: 1000000, quarantine: 0"
        ),
    )
    with pytest.raises(SeedbedError, match=r"long\.jsonl"):
        space.publish("a/v1")


def test_a_gzip_bomb_is_refused(space, monkeypatch) -> None:
    from dagster_project.operators.acquire import source_files

    limits = source_files.ReadLimits
    monkeypatch.setattr(
        "dagster_project.engine.inputs.ReadLimits",
        lambda **given: limits(**given, expansion_floor=1_000_000),
    )
    (space.root / "rows.jsonl.gz").write_bytes(gzip.compress(b"\n" * 30_000_000))
    space.recipe(
        "a/v1",
        RECIPE.format(name="rows.jsonl.gz", limit=0.9).replace(
            "{quarantine", "{max_expansion: 20, quarantine"
        ),
    )
    with pytest.raises(SeedbedError, match=r"rows\.jsonl\.gz"):
        space.publish("a/v1")


@pytest.mark.parametrize("name", ["rows.zip", "rows.pkl", "rows.txt", "rows.parquet", "rows.json"])
def test_files_of_no_known_or_a_broken_format_are_named(space, name: str) -> None:
    (space.root / name).write_bytes(b"PK\x03\x04 nonsense")
    with pytest.raises(SeedbedError, match=name.replace(".", r"\.")):
        publish(space, name)


def test_nothing_is_unpickled(space) -> None:
    flag = space.root / "flag"

    class Evil:
        def __reduce__(self):
            return (Path.touch, (flag,))

    (space.root / "rows.parquet").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(SeedbedError):
        publish(space, "rows.parquet")
    assert not flag.exists()


HOSTILE = [
    'a"; DROP TABLE rows; --',
    "a'b",
    "../../x",
    "$(touch x)",
    "{{ 7 * 7 }}",
    "a\nb",
    "漢",
    " ",
]


def test_hostile_column_names_and_values_are_only_data(space) -> None:
    row = {name: name for name in HOSTILE}
    space.jsonl("rows.jsonl", [row])
    assert publish(space, "rows.jsonl").manifest.rows == 1
    with connect(space.store) as connection:
        (found,) = connection.sql("SELECT * EXCLUDE (row_id) FROM a.v1").pl().to_dicts()
    assert found == row


def test_a_reader_reaches_no_other_file(space) -> None:
    space.jsonl("rows.jsonl", [{"a": 1}])
    publish(space, "rows.jsonl")
    with connect(space.store) as connection:
        for query in (
            f"SELECT * FROM read_text('{space.root}/rows.jsonl')",
            f"COPY (SELECT 1) TO '{space.root}/out.csv'",
            f"ATTACH '{space.root}/new.duckdb'",
            "INSTALL httpfs",
            "SET enable_external_access = true",
            'DELETE FROM "a/v1".rows',
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(query)
    assert not (space.root / "out.csv").exists()


def test_a_file_put_in_the_place_of_a_snapshot_is_refused(space) -> None:
    space.jsonl("rows.jsonl", [{"a": 1}])
    manifest = publish(space, "rows.jsonl").manifest
    path = space.store.root / "snapshots/a/v1" / f"{manifest.snapshot_id}.duckdb"
    path.unlink()
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE rows AS SELECT 666 AS row_id")
    with pytest.warns(UserWarning, match="a/v1"):
        connection = connect(space.store)
    with connection, pytest.raises(duckdb.Error):
        connection.execute("SELECT * FROM a.v1")
