"""Finding files and reading their bytes."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import os

import pyarrow as pa
import pytest

from dagster_project.operators.acquire.files_reader import FilesReader
from dagster_project.operators.acquire.input_error import InputError

ROWS = b'{"a": 1}\n{"a": 2}\n'


def _compressed(codec: str, data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, codec) as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


def test_files_are_read_sorted_by_name_each_once(tmp_path, read_files):
    (tmp_path / "data" / "deep").mkdir(parents=True)
    for name in (
        "data/b.jsonl",
        "data/a.jsonl",
        "data/deep/c.jsonl",
        "data/.hidden.jsonl",
        "z.jsonl",
    ):
        (tmp_path / name).write_bytes(ROWS)
    whole = read_files("z.jsonl", "data/**/*.jsonl", "data/a.jsonl")
    names = ["z.jsonl", "data/a.jsonl", "data/b.jsonl", "data/deep/c.jsonl"]
    assert [file.name for file in whole.files] == names
    assert whole.origin["file"].unique(maintain_order=True).to_list() == names
    assert whole.files[0].sha256 == hashlib.sha256(ROWS).hexdigest()
    assert whole.files[0].uri == (tmp_path / "z.jsonl").as_uri()


def test_absolute_paths_keep_their_name_outside_the_root(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out.jsonl").write_bytes(ROWS)
    reader = FilesReader(tmp_path / "in", (str(tmp_path / "out.jsonl"), "../out.jsonl"))
    assert [block.parse().origin["file"][0] for block in reader.blocks()] == [
        str(tmp_path / "out.jsonl")
    ]


def test_a_name_with_glob_characters_is_taken_as_written(read_text):
    assert read_text("a[1].jsonl", ROWS).rows.height == 2


def test_a_pattern_that_matches_nothing_says_what_is_there(tmp_path, read_files):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.jsonl").write_bytes(ROWS)
    with pytest.raises(InputError) as raised:
        read_files("data/trian.jsonl")
    assert str(raised.value) == (
        f"data/trian.jsonl: no such file; looked for 'trian.jsonl' in {tmp_path}/data; "
        "nearest there: train.jsonl"
    )
    with pytest.raises(InputError, match=r"looked for 'daat' in .*; nearest there: data"):
        read_files("daat/*.jsonl")
    with pytest.raises(InputError, match=r"data/\*.csv: no such file; .*train.jsonl"):
        read_files("data/*.csv")


def test_a_folder_suggests_a_glob(tmp_path, read_files):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_bytes(b"a\n")
    with pytest.raises(InputError, match=r"data/: is a folder; write `data/\*.csv`"):
        read_files("data/")


def test_links_lead_out_only_when_written_in_full(tmp_path, read_files):
    outside = tmp_path.parent / f"{tmp_path.name}-outside.jsonl"
    outside.write_bytes(ROWS)
    (tmp_path / "link.jsonl").symlink_to(outside)
    (tmp_path / "a.jsonl").write_bytes(ROWS)
    (tmp_path / "inner.jsonl").symlink_to("a.jsonl")
    assert read_files("link.jsonl").rows.height == 2
    with pytest.raises(InputError, match=r"link.jsonl, a symbolic link to .*outside"):
        read_files("*.jsonl")
    (tmp_path / "link.jsonl").unlink()
    assert read_files("*.jsonl").rows.height == 4


def test_what_is_not_a_regular_file_is_refused(tmp_path, read_files):
    os.mkfifo(tmp_path / "pipe.jsonl")
    with pytest.raises(InputError, match=r"pipe.jsonl: is not a regular file"):
        read_files("*.jsonl")


@pytest.mark.parametrize(
    ("suffix", "data"),
    [
        ("gz", gzip.compress(ROWS, mtime=0)),
        ("gz", gzip.compress(ROWS[:9], mtime=0) + gzip.compress(ROWS[9:], mtime=0)),
        ("bz2", bz2.compress(ROWS)),
        ("zst", _compressed("zstd", ROWS)),
        ("lz4", _compressed("lz4", ROWS)),
    ],
)
def test_compressed_files_are_opened(read_text, suffix, data, capfd):
    whole = read_text(f"a.jsonl.{suffix}", data)
    assert whole.rows["a"].to_list() == [1, 2]
    assert whole.files[0].sha256 == hashlib.sha256(data).hexdigest()
    assert whole.files[0].size == len(data)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", ["gz", "bz2", "zst", "lz4"])
def test_an_empty_file_with_a_compressed_name_has_no_rows(read_text, suffix):
    assert read_text(f"a.jsonl.{suffix}", b"").rows.height == 0


def test_damaged_compression_is_named(read_text):
    data = gzip.compress(os.urandom(1000))
    with pytest.raises(InputError, match=r"a.jsonl.gz: damaged gzip data"):
        read_text("a.jsonl.gz", data[:500])
    with pytest.raises(InputError, match=r"a.jsonl.zst: damaged zstd data"):
        read_text("a.jsonl.zst", ROWS)


@pytest.mark.parametrize("name", ["a.zip", "a.7z", "a.tar", "a.tar.gz", "a.tgz", "a.jsonl.zip"])
def test_archives_are_not_opened(read_text, name):
    with pytest.raises(InputError, match="archives are not opened; unpack it"):
        read_text(name, b"", format="jsonl")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(ROWS, mtime=0), "compressed with gzip; end its name with .gz"),
        (bz2.compress(ROWS), "compressed with bzip2"),
        (_compressed("zstd", ROWS), "compressed with zstd"),
        (b"PK\x03\x04...", "a zip archive"),
        (ROWS.decode().encode("utf-16"), "UTF-16 text; convert it to UTF-8"),
    ],
)
def test_content_that_its_name_does_not_tell_is_named(read_text, data, said):
    with pytest.raises(InputError, match=f"a.jsonl: is {said}"):
        read_text("a.jsonl", data)


def test_a_decompression_bomb_is_stopped(read_text):
    bomb = gzip.compress(b'{"a": "' + b"x" * 20_000_000 + b'"}')
    with pytest.raises(InputError, match=r"a.jsonl.gz: its [\d,]+ bytes expand to more than"):
        read_text("a.jsonl.gz", bomb, max_expansion=100, expansion_floor=1_000_000)
    assert read_text("a.jsonl.gz", bomb, max_expansion=100).rows.height == 1


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.json"])
@pytest.mark.parametrize("change", ["grown", "replaced", "removed"])
def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch, name, change):
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 64)
    monkeypatch.setattr("dagster_project.operators.acquire.text_blocks.BLOCK_BYTES", 64)
    monkeypatch.setattr("dagster_project.operators.acquire.json_document.BLOCK_BYTES", 64)
    path = tmp_path / name
    content = {"a.jsonl": ROWS * 50, "a.csv": b"a\n" + b"1\n" * 500}.get(name)
    path.write_bytes(content or b"[" + b'{"a": 1},\n' * 100 + b'{"a": 2}]')
    blocks = FilesReader(tmp_path, (name,)).blocks()
    next(blocks).parse()
    if change == "grown":
        path.write_bytes(path.read_bytes() + b" ")
    elif change == "replaced":
        os.replace(path.rename(tmp_path / "other"), tmp_path / "other2")
        path.write_bytes((tmp_path / "other2").read_bytes())
    else:
        path.unlink()
    with pytest.raises(InputError, match=r"(changed|was removed) while it was read"):
        list(blocks)


def test_formats_are_told_by_suffix_or_declared(read_text):
    with pytest.raises(InputError, match=r"a.txt: the suffix .txt tells no format; known are"):
        read_text("a.txt", ROWS)
    assert read_text("a.txt", ROWS, format="jsonl").rows["a"].to_list() == [1, 2]
    with pytest.raises(InputError, match=r"Parquet compresses its own columns"):
        read_text("a.parquet.gz", b"")
