"""CSV and TSV."""

from __future__ import annotations

import csv
import io

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.operators.acquire import csv_rows, text_blocks
from dagster_project.operators.acquire.input_error import InputError

TEXT = 'id,text\r\n1,"a ""quoted"" field,\nover two lines"\r\n\r\n2, 5" wide \n03,\n'


def test_fields_are_text_and_records_have_their_line_and_text(read_text):
    whole = read_text("a.csv", TEXT)
    assert whole.rows.rows() == [
        ("1", 'a "quoted" field,\nover two lines'), ("2", ' 5" wide '), ("03", ""),
    ]  # fmt: skip
    assert whole.origin["line"].to_list() == [2, 5, 6]
    assert whole.origin["raw"].to_list() == [
        '1,"a ""quoted"" field,\nover two lines"', '2, 5" wide ', "03,",
    ]  # fmt: skip


def test_tab_separated(read_text):
    whole = read_text("a.tsv", b"\xef\xbb\xbfa\tb\n1\tx,y\n\t\n")
    assert whole.rows.rows() == [("1", "x,y"), ("", "")]


@pytest.mark.parametrize("content", ["", "\n", "a,b", "a,b\n"])
def test_files_without_rows(read_text, content):
    assert read_text("a.csv", content).rows.height == 0


def test_records_with_a_wrong_number_of_fields_are_kept_in_order(read_text):
    whole = read_text("a.csv", 'a,b\n1,2\n3\n4,5,"6\n"\n7,8\n')
    assert whole.rows.rows() == [("1", "2"), (None, None), (None, None), ("7", "8")]
    assert whole.errors() == {
        3: "number of fields: 1, in the header: 2",
        4: "number of fields: 3, in the header: 2",
    }
    assert whole.origin["raw"].to_list() == ["1,2", "3", '4,5,"6\n"', "7,8"]


def test_records_that_are_not_utf8_are_kept_as_bytes(read_text):
    whole = read_text("a.csv", b"a,b\n1,\xe9\n2,\xc3\xa9\n")
    assert whole.errors() == {2: "not UTF-8 text: byte 0xe9 at byte 3"}
    assert whole.origin["raw_bytes"].to_list() == [b"1,\xe9", None]
    assert whole.rows.rows() == [(None, None), ("2", "é")]


def test_declared_types(read_text):
    schema = {"n": "int", "x": "float", "ok": "bool", "j": "json", "l": "list[text]", "z": "text"}
    lines = [
        "n,x,ok,j,l",
        ' 5 ,1e3,TRUE,{},"[""a"", 1]"',
        "5.5,1,0,1,[]",
        "5,nan,0,1,[]",
        "5,1,yes,1,[]",
        "5,1,0,{,[]",
        "5,1,0,1,{}",
        ",,,,",
    ]
    whole = read_text("a.csv", "\n".join(lines), schema=schema)
    assert whole.rows.row(0) == (5, 1000.0, True, "{}", ["a", "1"], None)
    assert whole.rows.row(6) == (None,) * 6
    assert whole.rows.schema["z"] == pl.String
    assert whole.errors() == {
        3: "field `n`: found text, '5.5', declared int",
        4: "field `x`: found text, 'nan', declared float",
        5: "field `ok`: found text, 'yes', declared bool",
        6: "field `j`: found text, '{', declared json",
        7: "field `l`: found text, '{}', declared list[text]",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b,a\n1,2,3\n", r"a.csv:1: the header names a more than once"),
        (b"a,\xff\n1,2\n", r"a.csv:1: the header is not UTF-8"),
        ('a,"b\n1,2\n', r"a.csv:1: a quote in the header is never closed"),
        ("a,b\n" + "1,2\n" * 9 + "3," + "4" * 90, r"a.csv:11: the line has 92 bytes; at most 50"),
        ('a,b\n1,2\n3,"4\n5,6\n', r"a.csv:3: a quote is opened in this record and never closed"),
    ],
)
def test_files_that_cannot_be_told_apart(read_text, content, said):
    with pytest.raises(InputError, match=said):
        read_text("a.csv", content, max_line_bytes=50)


def test_a_column_without_a_name_gets_one(read_text):
    assert read_text("a.csv", ",x\n0,1\n").rows.columns == ["column_1", "x"]


def test_large_files_are_read_in_blocks(read_text, monkeypatch):
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 64)
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 256)
    rows = [(str(number), f'line\n"{number}"' if number % 3 else "x") for number in range(100)]
    out = io.StringIO()
    csv.writer(out).writerows([("a", "b"), *rows])
    whole = read_text("a.csv", out.getvalue())
    assert whole.rows.rows() == rows
    assert len(whole.keys) > 5
    lines = out.getvalue().split("\n")
    assert [lines[line - 1].split(",")[0] for line in whole.origin["line"]] == [a for a, _ in rows]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.sampled_from(['"', '"', ",", "\n", "a", "é", "\r\n", "\r", " "]), max_size=24))
def test_records_are_split_as_by_the_standard_library(read_text, monkeypatch, parts):
    body = "".join(parts)
    try:
        whole = read_text("a.csv", "h,i\n" + body)
    except InputError:
        assert body.count('"')  # that is never closed
        return
    monkeypatch.setattr(csv_rows, "_split_fast", lambda *_: None)
    assert read_text("a.csv", "h,i\n" + body).rows.equals(whole.rows)
    if "\r" in body.replace("\r\n", ""):
        return  # the standard library refuses a return that ends no line
    expected = [tuple(row) for row in csv.reader(io.StringIO(body, newline="")) if row]
    assert whole.rows.rows() == [row if len(row) == 2 else (None, None) for row in expected]
