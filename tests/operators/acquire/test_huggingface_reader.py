"""Hugging Face datasets, from local folders."""

from __future__ import annotations

import sys

import pytest

from dagster_project.operators.acquire.huggingface_reader import HuggingFaceReader
from dagster_project.operators.acquire.input_error import InputError


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InputError, match=r'needs `pip install "seedbed\[huggingface\]"`'):
        list(HuggingFaceReader("squad").blocks())


def test_a_saved_dataset_and_a_folder_of_files(tmp_path, read_reader):
    datasets = pytest.importorskip("datasets")
    chat = [[{"role": "user", "content": "x"}], []]
    rows = datasets.Dataset.from_dict({"a": [1, 2], "chat": chat})
    datasets.DatasetDict({"train": rows}).save_to_disk(str(tmp_path / "saved"))
    whole = read_reader(HuggingFaceReader(str(tmp_path / "saved")))
    assert whole.rows.to_dicts() == [{"a": 1, "chat": chat[0]}, {"a": 2, "chat": []}]
    assert whole.origin["line"].to_list() == [1, 2]
    assert read_reader(HuggingFaceReader(str(tmp_path / "saved"))).keys == whole.keys
    with pytest.raises(InputError, match=r"has no split 'test'; it has train"):
        list(HuggingFaceReader(str(tmp_path / "saved"), split="test").blocks())
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "train.jsonl").write_text('{"a": 1}\n')
    assert read_reader(HuggingFaceReader(str(tmp_path / "files"))).rows["a"].to_list() == [1]
    with pytest.raises(InputError, match="Bad split"):
        list(HuggingFaceReader(str(tmp_path / "files"), split="test").blocks())
