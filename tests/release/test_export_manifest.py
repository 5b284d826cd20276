"""The manifest, the folder, and the promise of the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest

from dagster_project.release.export import ExportFailed
from dagster_project.release.files import folder as export_folder
from dagster_project.release.files import shards
from dagster_project.release.files.folder import FolderRefused, put_at
from dagster_project.release.files.manifest import NotAnExport
from dagster_project.release.files.verification import verify_export
from dagster_project.release.rows import RowsRefused

ROWS = [
    {"text": "one", "part": "train"},
    {"text": "two", "part": "test"},
    {"text": None, "part": "train"},
    {"text": "four", "part": "train"},
]


def everything(folder) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def problems(folder) -> dict[str, str]:
    return {item.path: item.problem for item in verify_export(folder).differences}


def test_the_manifest_in_full(shelf):
    snapshot = shelf.publish(ROWS, phase="pretrain")
    folder = shelf.export("trl", split_by="part", shard_rows=1, row_ids=True).folder
    left_out = (
        b'{"row_id":2,"split":"train","rule":"text","reason":"found no text; wanted a text"}\n'
    )
    contents = {
        "data/test-00000-of-00001.jsonl": b'{"text":"two","row_id":1}\n',
        "data/train-00000-of-00002.jsonl": b'{"text":"one","row_id":0}\n',
        "data/train-00001-of-00002.jsonl": b'{"text":"four","row_id":3}\n',
        "left_out.jsonl": left_out,
    }
    found = json.loads((folder / "seedbed_export.json").read_text())
    seal = found.pop("sha256")
    assert list(found) == [
        "export", "tool", "version", "snapshot_id", "content_id", "recipe_id", "phase", "licence",
        "format", "options", "rows", "splits", "left_out", "sources", "files",
    ]  # fmt: skip
    assert found == {
        "export": 1,
        "tool": {"name": "seedbed", "version": found["tool"]["version"]},
        "version": "tiny/v1",
        "snapshot_id": snapshot.snapshot_id,
        "content_id": snapshot.content_id,
        "recipe_id": "r" * 64,
        "phase": "pretrain",
        "licence": "CC-BY-4.0",
        "format": "trl:language_modeling:standard",
        "options": {
            "split_by": "part",
            "columns": None,
            "shard_rows": 1,
            "compress": None,
            "row_ids": True,
        },
        "rows": {"snapshot": 4, "exported": 3, "left_out": 1},
        "splits": {"test": 1, "train": 2},
        "left_out": {"text": 1},
        "sources": [
            {
                "version": "tiny/v1",
                "snapshot_id": snapshot.snapshot_id,
                "input": "mine",
                "kind": "files",
                "reference": "data/mine.jsonl",
                "licence": "CC0-1.0",
                "content_id": "c" * 64,
                "rows": 4,
            }
        ],
        "files": [
            {
                "path": path,
                "bytes": len(content),
                "rows": 1,
                "sha256": hashlib.sha256(content).hexdigest(),
            }
            for path, content in contents.items()
        ],
    }
    body = json.dumps(found, sort_keys=True, separators=(",", ":"))
    assert seal == hashlib.sha256(body.encode()).hexdigest()
    assert {
        name: data for name, data in everything(folder).items() if "export" not in name
    } == contents


def test_the_same_snapshot_and_options_give_the_same_bytes(shelf):
    shelf.publish(ROWS, phase="pretrain")
    how = [("trl", None), ("jsonl", "gz"), ("jsonl", "zst"), ("hf", None), ("parquet", "gz")]
    for format, compress in how:
        first, second = (
            everything(shelf.export(format, name, compress=compress, split_by="part").folder)
            for name in (f"{format}-{compress}", f"{format}-{compress}-again")
        )
        assert first == second and len(first) >= 3


def test_compressed_lines_can_be_read_and_hold_no_time(shelf):
    shelf.publish(ROWS)
    line = b'{"text":"one","part":"train"}\n'
    packed = everything(shelf.export("jsonl", "gz", compress="gz").folder)[
        "data/train-00000-of-00001.jsonl.gz"
    ]
    assert packed[4:8] == bytes(4) and gzip.decompress(packed).startswith(line)
    path = (
        shelf.export("jsonl", "zst", compress="zst").folder / "data/train-00000-of-00001.jsonl.zst"
    )
    assert pa.input_stream(str(path), compression="zstd").read().startswith(line)


def test_verify_names_each_file_that_is_not_as_written(shelf):
    shelf.publish(ROWS)
    folder = shelf.export("jsonl", split_by="part").folder
    assert problems(folder) == {}
    train, test = "data/train-00000-of-00001.jsonl", "data/test-00000-of-00001.jsonl"
    changed = bytearray((folder / train).read_bytes())
    changed[3] ^= 1
    (folder / train).write_bytes(changed)
    (folder / test).unlink()
    (folder / "notes.txt").write_text("mine")
    (folder / "data/deeper").mkdir()
    (folder / "data/deeper/link").symlink_to("/etc/hostname")
    assert problems(folder) == {
        train: "changed",
        test: "missing",
        "notes.txt": "extra",
        "data/deeper/link": "extra",
    }
    manifest = folder / "seedbed_export.json"
    manifest.write_text(manifest.read_text().replace("CC0-1.0", "CC0-2.0"))
    assert problems(folder)["seedbed_export.json"] == "changed"


@pytest.mark.parametrize("text", [None, "", "[]", "{}", "[" * 100_000, "null"])
def test_verify_of_what_is_no_export(tmp_path, text):
    if text is not None:
        (tmp_path / "seedbed_export.json").write_text(text)
    with pytest.raises(NotAnExport):
        verify_export(tmp_path)


def test_verify_reads_nothing_outside_the_folder(shelf):
    shelf.publish(ROWS)
    folder = shelf.export("jsonl").folder
    manifest = folder / "seedbed_export.json"
    body = json.loads(manifest.read_text())
    body["files"][0]["path"] = "../../secret"
    manifest.write_text(json.dumps(body))
    with pytest.raises(NotAnExport):
        verify_export(folder)


def test_a_folder_that_is_there_is_only_replaced_when_all_in_it_is_an_exports(shelf):
    shelf.publish(ROWS)
    folder = shelf.export("jsonl").folder
    with pytest.raises(FolderRefused, match="is there already"):
        shelf.export("jsonl")
    shelf.export("parquet", force=True)
    assert [path.name for path in (folder / "data").iterdir()] == ["train-00000-of-00001.parquet"]
    assert [path.name for path in shelf.root.iterdir() if "out" in path.name] == ["out"]

    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(FolderRefused, match="thesis"):
        shelf.export("jsonl", force=True)
    assert (folder / "thesis.txt").read_text() == "mine"

    (shelf.root / "home").mkdir()
    with pytest.raises(FolderRefused, match="left alone"):
        shelf.export("jsonl", "home", force=True)
    (shelf.root / "link").symlink_to(folder)
    with pytest.raises(FolderRefused, match="not a folder"):
        shelf.export("jsonl", "link", force=True)
    assert (folder / "data").is_dir()


@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_export_leaves_what_was_there(shelf, monkeypatch, there):
    shelf.publish(ROWS)
    if there:
        before = everything(shelf.export("jsonl").folder)

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(shards.Shards, "finish", stop)
    with pytest.raises(KeyboardInterrupt):
        shelf.export("parquet", force=there)
    names = [path.name for path in shelf.root.iterdir() if "out" in path.name]
    assert names == (["out"] if there else [])
    if there:
        assert everything(shelf.root / "out") == before


def test_what_a_killed_export_left_is_deleted_by_the_next(shelf):
    shelf.publish(ROWS)
    left, of_another = (shelf.root / f".{name}.exporting-0123" for name in ("out", "other"))
    for folder in (left, of_another):
        (folder / "data").mkdir(parents=True)
    with put_at(shelf.root / "out", replace=False) as running:
        assert not left.exists()
        shelf.export("jsonl")
        assert running.exists(), "an export that runs is left alone"
        shutil.rmtree(shelf.root / "out")
    assert of_another.exists()


def test_a_split_column_that_is_not_used_is_told(shelf):
    shelf.publish([{"text": "one", "split": "train"}, {"text": "two", "split": "test"}])
    assert shelf.export("jsonl", "a").unused_split == "split"
    assert shelf.export("jsonl", "b", split_by="split").unused_split is None


def test_a_disk_that_fails_is_said(shelf, monkeypatch):
    shelf.publish(ROWS)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shards.Shards, "finish", full)
    with pytest.raises(ExportFailed, match="No space left"):
        shelf.export("jsonl")


@pytest.mark.parametrize("status", ["rejected", "trial"])
def test_only_published_snapshots_are_exported(shelf, status):
    shelf.publish(ROWS)
    other = shelf.publish(ROWS, status=status)
    with pytest.raises(RowsRefused, match=status):
        shelf.export("jsonl", snapshot_id=other.snapshot_id)


def test_an_older_snapshot(shelf):
    old = shelf.publish(ROWS)
    shelf.publish(ROWS[:1])
    assert shelf.export("jsonl", "new").manifest.rows.exported == 1
    found = shelf.export("jsonl", "old", snapshot_id=old.snapshot_id).manifest
    assert (found.snapshot_id, found.rows.exported) == (old.snapshot_id, 4)


def test_a_replaced_export_is_never_missing(tmp_path, monkeypatch) -> None:
    """The two change places in one step; what is renamed before that is renamed back."""
    old = tmp_path / "out"
    old.mkdir()
    (old / "a").write_text("old")
    new = tmp_path / ".out.exporting-1"
    new.mkdir()
    (new / "a").write_text("new")
    renamed = []
    monkeypatch.setattr(Path, "rename", lambda self, to: renamed.append((self, to)))
    if not export_folder._exchanged(new, old):
        pytest.skip("this system cannot exchange folders in one step")
    assert ((old / "a").read_text(), (new / "a").read_text()) == ("new", "old") and not renamed
    export_folder._put(new, old)
    assert (old / "a").read_text() == "old" and not new.exists() and not renamed
