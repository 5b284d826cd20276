"""One connection reads every version, and nothing else."""

from __future__ import annotations

import os
import shutil
import warnings
from datetime import UTC, datetime

import duckdb
import pytest

from dagster_project.warehouse.connect import (
    NotPublished,
    catalogue_sql,
    connect,
    open_snapshot,
    write_catalogue,
)
from dagster_project.warehouse.manifest import head_path
from dagster_project.warehouse.verified import SnapshotDamaged
from dagster_project.workspace import NameRefused, VersionName

TUTOR, OTHER = VersionName("tutor", "v2"), VersionName("other", "1.0")


def two_versions(warehouse, make):
    source = warehouse.land({"a.jsonl": make.lines("a", "b")})
    first = warehouse.publish("tutor/v2", {"found": source})
    warehouse.publish("other/1.0", {"tutor": "tutor/v2"})
    return first


@pytest.fixture
def two(copy_of):
    return copy_of(two_versions)


def rows(connection, query: str):
    with connection:
        return connection.execute(query).fetchall()


def test_versions_are_views_and_provenance_is_beside_them(two):
    store = two[0].store
    assert rows(connect(store), "SELECT text FROM tutor.v2 ORDER BY row_id") == [("a",), ("b",)]
    assert rows(connect(store), 'SELECT count(*) FROM other."1.0"') == [(2,)]
    assert rows(connect(store), 'SELECT count(*) FROM "tutor/v2".lineage') == [(2,)]


def test_nothing_else_is_reachable(two, tmp_path):
    store = two[0].store
    (tmp_path / "secret.csv").write_text("a\n1\n")
    refused = (
        f"SELECT * FROM read_csv('{tmp_path}/secret.csv')",
        f"SELECT * FROM '{tmp_path}/secret.csv'",
        f"ATTACH '{tmp_path}/new.duckdb'",
        f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "SET lock_configuration = false",
        "RESET lock_configuration",
        "SELECT * FROM warnings",
        'DELETE FROM "tutor/v2".rows',
        'DROP TABLE "tutor/v2".lineage',
    )
    for opened in (connect(store), open_snapshot(store, TUTOR)):
        with opened as connection:
            for query in refused:
                with pytest.raises(duckdb.Error):
                    connection.execute(query).fetchall()
    assert not (tmp_path / "out.csv").exists()


def test_as_of_and_pinned_snapshots(two, make):
    warehouse, first = two
    store = warehouse.store
    between = datetime.now(UTC)
    warehouse.publish("tutor/v2", {"found": warehouse.land({"a.jsonl": make.lines("new")})})
    query = "SELECT text FROM tutor.v2 ORDER BY row_id"
    assert rows(connect(store), query) == [("new",)]
    assert rows(connect(store, as_of=between), query) == [("a",), ("b",)]
    assert rows(connect(store, as_of=between.replace(tzinfo=None)), query) == [("a",), ("b",)]
    pinned = connect(store, snapshots={"tutor/v2": first.snapshot_id})
    assert rows(pinned, query) == [("a",), ("b",)]
    long_ago = datetime(2020, 1, 1)
    assert rows(connect(store, as_of=long_ago), "SHOW ALL TABLES") == []
    with pytest.raises(NotPublished, match="tutor/v2 has no published snapshot at 2020-01-01"):
        connect(store, as_of=long_ago, only=[TUTOR])
    with pytest.raises(NotPublished):
        open_snapshot(store, VersionName("tutor", "v3"))


def test_only(two):
    with connect(two[0].store, only=[OTHER]) as connection:
        assert connection.execute('SELECT count(*) FROM other."1.0"').fetchone() == (2,)
        with pytest.raises(duckdb.Error):
            connection.execute("SELECT * FROM tutor.v2")
    assert rows(connect(two[0].store, only=[]), "SHOW ALL TABLES") == []


def test_rejected_snapshots_are_seen_by_id_alone(two, make):
    warehouse, _ = two
    source = warehouse.land({"a.jsonl": make.lines("bad")})
    bad = warehouse.publish("tutor/v2", {"found": source}, status="rejected")
    assert rows(connect(warehouse.store), "SELECT count(*) FROM tutor.v2") == [(2,)]
    opened = open_snapshot(warehouse.store, TUTOR, bad.snapshot_id)
    assert rows(opened, "SELECT text FROM snapshot.rows") == [("bad",)]


@pytest.mark.parametrize("how", ["flip", "truncate", "replace", "delete", "quiet flip"])
def test_a_file_that_is_not_as_it_was_written_is_not_opened(two, how, tmp_path):
    warehouse, first = two
    store = warehouse.store
    connect(store).close()  # remembered as verified
    path = store.version_folder(TUTOR) / f"{first.snapshot_id}.duckdb"
    before = path.stat()
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    if how == "delete":
        path.unlink()
    elif how == "replace":
        evil = tmp_path / "evil.duckdb"
        with duckdb.connect(str(evil)) as connection:
            connection.execute("CREATE TABLE rows AS SELECT 0 AS row_id, 'evil' AS text")
        shutil.copy(evil, path)
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content[:-1] if how == "truncate" else content)
        if how == "quiet flip":
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    named = rf"{first.snapshot_id}\.duckdb of tutor/v2"
    with pytest.raises(SnapshotDamaged, match=named):
        connect(store, only=[TUTOR])
    with pytest.raises(SnapshotDamaged, match=named):
        connect(store, snapshots={"tutor/v2": first.snapshot_id})
    with pytest.raises(SnapshotDamaged):
        open_snapshot(store, TUTOR)
    with pytest.warns(UserWarning, match="tutor/v2 is left out"):
        connection = connect(store)
    assert rows(connection, 'SELECT count(*) FROM other."1.0"') == [(2,)]


def test_a_damaged_head_is_left_out_or_refused(two):
    warehouse, _ = two
    path = head_path(warehouse.store, TUTOR)
    path.write_bytes(path.read_bytes().replace(b"tutor", b"tutar"))
    with pytest.warns(UserWarning, match=r"tutor/v2 is left out: .*head\.json was altered"):
        connect(warehouse.store).close()


def test_the_memory_of_what_was_verified_may_be_garbage(two):
    store = two[0].store
    for garbage in (b"", b"[1]", b'{"snapshots/tutor/v2/x.duckdb": 3}', b"\xff"):
        store.cache.mkdir(exist_ok=True)
        (store.cache / "verified.json").write_bytes(garbage)
        assert rows(connect(store), "SELECT count(*) FROM tutor.v2") == [(2,)]


def test_names_cannot_inject(two):
    store = two[0].store
    hostile = ('tutor/v2"; DROP SCHEMA other; --', "tutor/../../etc", "a b/v1", "main/v1", "t/v;1")
    for text in hostile:
        with pytest.raises(NameRefused):
            VersionName.parse(text)
        with pytest.raises(NameRefused):
            connect(store, snapshots={text: "x"})
    with pytest.raises(NameRefused):
        connect(store, only=[VersionName("tutor", 'v2"; DROP SCHEMA other; --')])
    (store.root / "snapshots" / "tutor" / 'x"; DROP SCHEMA other; --').mkdir()
    with pytest.warns(UserWarning, match="cannot be a version's name"):
        connection = connect(store)
    assert rows(connection, 'SELECT count(*) FROM other."1.0"') == [(2,)]
    assert "DROP" not in catalogue_sql(store).replace("--", "").split("CREATE SCHEMA")[1]


def test_names_that_sql_cannot_tell_apart(two):
    warehouse, _ = two
    warehouse.publish("Tutor/V2", {"tutor": "tutor/v2"})
    with pytest.warns(UserWarning, match="differ in case alone"):
        connect(warehouse.store).close()
    warnings.simplefilter("error")
    with connect(warehouse.store, only=[TUTOR]) as connection:
        assert connection.execute("SELECT count(*) FROM tutor.v2").fetchone() == (2,)


def test_the_shell_reads_the_same_views(two):
    store = two[0].store
    path = write_catalogue(store)
    with duckdb.connect() as connection:
        connection.execute(path.read_text())
        assert connection.execute("SELECT count(*) FROM tutor.v2").fetchone() == (2,)
        assert connection.execute('SELECT count(*) FROM "other/1.0".steps').fetchone() == (0,)
        with pytest.raises(duckdb.Error):
            connection.execute('DELETE FROM "tutor/v2".rows')
