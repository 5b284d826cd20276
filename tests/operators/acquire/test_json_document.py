"""Files that hold one JSON document."""

from __future__ import annotations

import json

import pytest

from dagster_project.operators.acquire import json_document
from dagster_project.operators.acquire.input_error import InputError

PRETTY = """[
  {
    "a": 1,
    "b": "x\\ny"
  },
  {"a":  2.50, "b": null}
]
"""


def test_the_objects_of_a_list_are_rows_with_their_exact_text(read_text):
    whole = read_text("a.json", PRETTY)
    assert whole.rows.rows() == [(1.0, "x\ny"), (2.5, None)]
    assert whole.origin["line"].to_list() == [1, 2]
    assert whole.origin["raw"].to_list() == [
        '{\n    "a": 1,\n    "b": "x\\ny"\n  }', '{"a":  2.50, "b": null}',
    ]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b" \n", b"[]", b"\xef\xbb\xbf[\n]\n"])
def test_documents_without_rows(read_text, content):
    assert read_text("a.json", content).rows.height == 0


def test_a_bad_element_is_kept_with_its_error(read_text):
    whole = read_text("a.json", '[{"a": 1}, 5, {"a": 1, "a": 2}, {"a": NaN}, {"a": "\\ud800"}, []]')
    assert whole.rows["a"].to_list() == [1, None, None, None, None, None]
    assert whole.errors() == {
        2: "a number, where an object is expected",
        3: "field `a` appears twice",
        4: "not valid JSON: NaN is no number",
        5: "half a surrogate pair, \\ud800, at character 8",
        6: "a list, where an object is expected",
    }
    assert whole.origin["raw"].to_list()[1:3] == ["5", '{"a": 1, "a": 2}']


def test_one_object_is_one_row(read_text):
    whole = read_text("a.json", '{"a": 1, "tags": ["x"], "none": [], "o": {"p": 1}}')
    assert whole.rows.to_dicts() == [{"a": 1, "tags": ["x"], "none": [], "o": {"p": 1}}]


def test_an_object_that_is_only_a_list_of_objects_is_its_rows(read_text):
    whole = read_text("a.json", '{"data": [{"a": 1}, {"a": 2}]}')
    assert whole.rows["a"].to_list() == [1, 2]
    assert whole.origin["raw"].to_list() == ['{"a": 1}', '{"a": 2}']


def test_an_object_with_more_fields_is_one_row_with_all_of_them(read_text):
    whole = read_text("a.json", '{"id": "1", "turns": [{"a": 1}, {"a": 2}]}')
    assert whole.rows.to_dicts() == [{"id": "1", "turns": [{"a": 1}, {"a": 2}]}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[\n{"a": 1},\n {"a" 2}]', r"a.json:3:7: not valid JSON: expecting ':' delimiter"),
        ('[{"a": 1}\n{"a": 2}]', r"a.json:2:1: not valid JSON: '\]' is expected"),
        ('[{"a": 1},]', r"a.json:1:11: not valid JSON: expecting value"),
        ('[{"a": 1}', r"a.json:1:10: not valid JSON: '\]' is expected"),
        ('[{"a": "x', r"a.json:1:8: not valid JSON: unterminated string"),
        ('[{"a": 1}]\n\n{"a": 2}', r"a.json:3:1: .*more text after the end"),
        ('{"a": 1}\n{"a": 2}', r"a.json:2:1: .*more text after the end"),
        ("7", r"a.json:1:1: .*a list or an object is expected"),
        ("[" * 100_000, r"a.json:1:2: .*nested too deeply"),
        (b'[{"a": 1},\n{"a": "\xff"}]', r"a.json:2:8: .*not UTF-8"),
    ],
)
@pytest.mark.parametrize("chunk", [7, 4 * 2**20])
def test_a_broken_document_names_line_and_column(read_text, monkeypatch, content, said, chunk):
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", chunk)
    with pytest.raises(InputError, match=said):
        read_text("a.json", content)


def test_a_document_is_read_in_pieces(read_text, monkeypatch):
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 11)
    monkeypatch.setattr(json_document, "BLOCK_BYTES", 300)
    rows = [{"a": number, "b": "é😀" * (number % 7), "c": [number] * 3} for number in range(100)]
    whole = read_text("a.json", json.dumps(rows, indent=1, ensure_ascii=False))
    assert whole.rows.to_dicts() == rows
    assert len(whole.keys) > 5
    assert whole.origin["line"].to_list() == list(range(1, 101))


def test_a_value_that_is_too_long(read_text):
    with pytest.raises(InputError, match=r"a.json:1:12: .*longer than 50 bytes"):
        read_text("a.json", '[{"a": 1}, {"a": "' + "x" * 60 + '"}]', max_line_bytes=50)
