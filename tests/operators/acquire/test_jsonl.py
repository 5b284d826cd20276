"""JSON Lines: which rows come out, where they are from, and what is said of those that do not."""

from __future__ import annotations

import json

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dagster_project.operators.acquire import column_types, json_rows, text_blocks
from dagster_project.operators.acquire.column_types import conform, storable, unify_schemas
from dagster_project.operators.acquire.input_error import InputError

CHAT = '{"id": 1, "messages": [{"role": "user", "content": "héllo 😀"}], "score": 0.5}'


def test_rows_keep_types_text_and_place(read_text):
    whole = read_text("a.jsonl", CHAT + "\r\n\n  \n" + CHAT.replace("1", "2") + "\n")
    assert whole.rows.schema == {
        "id": pl.Int64,
        "messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String})),
        "score": pl.Float64,
    }
    assert whole.rows["id"].to_list() == [1, 2]
    assert whole.rows["messages"][0].to_list() == [{"role": "user", "content": "héllo 😀"}]
    assert whole.origin["line"].to_list() == [1, 4]
    assert whole.origin["file"].to_list() == ["a.jsonl", "a.jsonl"]
    assert whole.origin["raw"].to_list() == [CHAT, CHAT.replace("1", "2")]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf", b" \r\n"])
def test_a_file_without_rows_is_fine(read_text, content):
    whole = read_text("a.jsonl", content)
    assert whole.rows.height == 0
    assert [file.size for file in whole.files] == [len(content)]


def test_a_byte_order_mark_and_a_missing_last_line_feed(read_text):
    whole = read_text("a.jsonl", b'\xef\xbb\xbf{"a": 1}\n{"a": 2}')
    assert whole.rows["a"].to_list() == [1, 2]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": 1,}', "not valid JSON: expecting property name enclosed in double quotes at"),
        ('{"a": 1 "b": 2}', "not valid JSON: expecting ',' delimiter at character 9"),
        ("not json", "not valid JSON: expecting value at character 1"),
        ('{"a": "x', "not valid JSON: unterminated string starting at character 7"),
        ('{"a": 1} {"a": 2}', "not valid JSON: extra data at character 10"),
        ('{"a": 1}\r{"a": 2}', "not valid JSON: extra data at character 10"),
        ('{"a": 1},', "not valid JSON: extra data at character 9"),
        ('{"a": "\t"}', "not valid JSON: invalid control character at character 8"),
        ("[1, 2]", "a list, where an object is expected"),
        ('"text"', "text, where an object is expected"),
        ("3", "a number, where an object is expected"),
        ("null", "null, where an object is expected"),
        ('{"a": 1} null', "not valid JSON: extra data at character 10"),
        ('{"a": 1, "a": 2}', "field `a` appears twice"),
        ('{"a": null, "\\u0061": 2}', "field `a` appears twice"),
        ('{"": 1}', "a field has no name"),
        ('{"a": {"b\\u0000": 1}}', "a field has no name, or a NUL character in it"),
        ('{"a": 1, "b": [{"c": 1, "c": 2}]}', "field `c` appears twice"),
        ('{"a": "\\ud800"}', "half a surrogate pair, \\ud800, at character 8"),
        ('{"a": "\\udc00\\ud800"}', "half a surrogate pair, \\udc00, at character 8"),
        ('{"a": "\\ud83d\\ud83d\\ude00"}', "half a surrogate pair, \\ud83d, at character 8"),
        ('{"a": 1e400}', "the number 1e400 is too large"),
        ('{"a": NaN}', "not valid JSON: NaN is no number"),
        ('{"a": -Infinity}', "not valid JSON: -Infinity is no number"),
        ('{"a": ' + "9" * 5000 + "}", "holds an integer of more than 4,300 digits"),
        ('{"a": ' + "[" * 600 + "]" * 600 + "}", "nested more than 512 levels deep"),
        ('{"a": ' + "[" * 100_000, "nested more than 512 levels deep"),
        ('{"a": ' * 100_000 + "1" + "}" * 100_000, "nested more than 512 levels deep"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_a_bad_row_is_kept_with_its_error_and_spares_the_others(read_text, line, said, first):
    good = '{"a": 7}'
    lines = [line, good] if first else [good, good, line, good]
    whole = read_text("a.jsonl", "\n".join(lines))
    number = lines.index(line)
    assert list(whole.errors()) == [number + 1]
    assert whole.errors()[number + 1].startswith(said)
    assert whole.origin["raw"].to_list() == lines
    assert whole.rows["a"].drop_nulls().to_list() == [7] * (len(lines) - 1)


def test_surrogate_pairs_and_escaped_backslashes_are_fine(read_text):
    whole = read_text("a.jsonl", '{"a": "\\ud83d\\ude00"}\n{"a": "\\\\ud800", "b": "\\u0000"}\n')
    assert whole.rows.rows() == [("😀", None), ("\\ud800", "\x00")]


def test_bytes_that_are_not_utf8_are_kept_as_bytes(read_text):
    bad = b'{"a": "\xff"}'
    whole = read_text("a.jsonl", b'{"a": "x"}\n' + bad + b"\r\n" + b'{"a": "y"}\n')
    assert whole.errors() == {2: "not UTF-8 text: byte 0xff at byte 8"}
    assert whole.origin["raw"].to_list() == ['{"a": "x"}', None, '{"a": "y"}']
    assert whole.origin["raw_bytes"].to_list() == [None, bad, None]
    assert whole.rows["a"].to_list() == ["x", None, "y"]


def test_values_of_several_types_become_text(read_text):
    values = ["1", "true", '"x"', "1.50", '{"x": [1, null], "y": null}', '["é"]', "null", "1e2"]
    whole = read_text("a.jsonl", "\n".join(f'{{"a": {value}}}' for value in values))
    assert whole.rows["a"].to_list() == [
        "1", "true", "x", "1.5", '{"x":[1,null]}', '["é"]', None, "100",
    ]  # fmt: skip


def test_integers_keep_their_digits(read_text):
    big = 2**64 + 1
    whole = read_text("a.jsonl", f'{{"a": {2**53 + 1}, "b": {big}}}\n{{"a": 1, "b": 1}}\n')
    assert whole.rows.rows() == [(2**53 + 1, str(big)), (1, "1")]


@pytest.mark.parametrize("apart", [True, False])
def test_fractions_beside_integers_that_a_float_would_round(read_text, monkeypatch, apart):
    if apart:
        monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 8)
        monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 8)
    text = '{"a": 0.5}\n' * 3 + '{"a": 9007199254740993}\n'
    with pytest.raises(InputError, match=r"field `a`.*9007199254740993.*Declare its type"):
        read_text("a.jsonl", text)
    assert read_text("a.jsonl", text, schema={"a": "text"}).rows["a"][3] == "9007199254740993"
    assert read_text("a.jsonl", text, schema={"a": "float"}).rows["a"][3] == 2.0**53


def test_an_object_with_very_many_fields_is_text(read_text):
    wide = {"votes": {f"user{number}": number for number in range(300)}}
    whole = read_text("a.jsonl", json.dumps({"votes": {"a": 1}}) + "\n" + json.dumps(wide))
    assert json.loads(whole.rows["votes"][1]) == wide["votes"]


def test_rows_that_share_no_fields_do_not_fill_memory(read_text, monkeypatch):
    with pytest.raises(InputError, match=r"a.jsonl:1-5000: .*more than 2,048 different fields"):
        read_text("a.jsonl", "\n".join(f'{{"k{number}": 1}}' for number in range(5000)))
    monkeypatch.setattr(column_types, "MAX_CELLS", 100_000)
    empty = ",".join(["{}"] * 1_000)
    full = ",".join(f'"k{number}":1' for number in range(200))
    for apart in (", ", ']}\n{"a": ['):
        with pytest.raises(InputError, match=r"200,\d+ cells, most of them empty.*`json`"):
            read_text("a.jsonl", f'{{"a": [{empty}{apart}{{{full}}}]}}')
    assert read_text("a.jsonl", f'{{"a": [{empty}]}}\n{{"b": [{{{full}}}]}}\n').rows.height == 2


def test_a_line_that_is_too_long(read_text):
    text = '{"a": 1}\n{"a": "' + "x" * 200 + '"}\n'
    with pytest.raises(InputError, match=r"a.jsonl:2: the line has 209 bytes; at most 100"):
        read_text("a.jsonl", text, max_line_bytes=100)
    assert read_text("a.jsonl", text, max_line_bytes=209).rows.height == 2


def test_a_long_line_is_refused_before_it_is_read_whole(read_text, monkeypatch):
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 64)
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 16)
    with pytest.raises(InputError, match=r"a.jsonl:2: the line has more than (1\d\d) bytes"):
        read_text("a.jsonl", '{"a": 1}\n{"a": "' + "x" * 10_000 + '"}\n', max_line_bytes=100)


def test_declared_types(read_text):
    lines = ['{"a": "5", "b": 1}', '{"a": 5.0}', '{"a": [1]}', '{"a": "x"}', '{"a": null}']
    whole = read_text("a.jsonl", "\n".join(lines), schema={"a": "int", "b": "text", "c": "float"})
    assert whole.rows.schema == {"a": pl.Int64, "b": pl.String, "c": pl.Float64}
    assert whole.rows.rows() == [
        (5, "1", None), (5, None, None), (None,) * 3, (None,) * 3, (None,) * 3,
    ]  # fmt: skip
    assert whole.errors() == {
        3: "field `a`: found a list, '[1]', declared int",
        4: "field `a`: found text, 'x', declared int",
    }


def test_objects_without_fields_can_be_landed_and_joined(read_text, tmp_path):
    empty = read_text("a.jsonl", '{"a": {}, "b": [{}]}\n{"a": null}\n' * 3).rows
    empty.write_parquet(tmp_path / "a.parquet")
    empty = pl.read_parquet(tmp_path / "a.parquet")
    full = read_text("a.jsonl", '{"a": {"x": 1}, "b": [{}, {"y": 1}]}').rows
    union = unify_schemas([empty.schema, full.schema])
    assert union == full.schema
    assert conform(empty, union).rows()[:2] == [({"x": None}, [{"y": None}]), (None, None)]
    assert conform(empty, storable(empty.schema)).rows()[:2] == [("{}", ["{}"]), (None, None)]


def test_a_field_declared_json_keeps_any_value(read_text):
    values = ['{"b":null,"a":1.0}', '"x"', "[1,2]", "null", "true"]
    lines = [f'{{"a": {value}}}' for value in values]
    whole = read_text("a.jsonl", "\n".join(lines), schema={"a": "json"})
    assert whole.rows["a"].to_list() == [None if value == "null" else value for value in values]


def test_small_files_share_a_block_and_keep_their_lines(tmp_path, read_files):
    (tmp_path / "b.jsonl").write_text('{"a": 3}')
    (tmp_path / "a.jsonl").write_text('\n{"a": 1}\n{"a": bad}')
    (tmp_path / "c.jsonl").write_text('{"a": 4}\n\n{"b": "x"}\n')
    whole = read_files("*.jsonl")
    assert len(whole.keys) == 1
    assert whole.origin.select("file", "line").rows() == [
        ("a.jsonl", 2), ("a.jsonl", 3), ("b.jsonl", 1), ("c.jsonl", 1), ("c.jsonl", 3),
    ]  # fmt: skip
    assert whole.rows.rows() == [(1, None), (None, None), (3, None), (4, None), (None, "x")]
    assert [file.name for file in whole.files] == ["a.jsonl", "b.jsonl", "c.jsonl"]


def test_keys_of_a_file_that_grew_stay(tmp_path, read_files, monkeypatch):
    monkeypatch.setattr(text_blocks, "BLOCK_BYTES", 1000)
    monkeypatch.setattr("dagster_project.operators.acquire.source_files.CHUNK", 256)
    rows = [json.dumps({"a": number, "text": "x" * (number % 50)}) for number in range(200)]
    (tmp_path / "b.jsonl").write_text("\n".join(rows) + "\n")
    before = read_files("*.jsonl")
    assert before.rows["a"].to_list() == list(range(200))
    assert before.origin["line"].to_list() == list(range(1, 201))
    assert before.origin["raw"].to_list() == rows
    assert len(before.keys) > 5
    (tmp_path / "b.jsonl").write_text("\n".join([*rows, '{"a": 200}']) + "\n")
    (tmp_path / "a.jsonl").write_text('{"a": -1}\n')
    after = read_files("*.jsonl")
    assert set(before.keys[:-1]) < set(after.keys)
    assert len(set(after.keys) - set(before.keys)) == 2


def test_the_key_tells_files_lines_and_declared_types_apart(tmp_path, read_files):
    for name in ("a", "b"):
        (tmp_path / f"{name}.jsonl").write_text('{"a": 1}\n')
    (tmp_path / "c.jsonl").write_text('\n{"a": 1}\n')
    keys = [
        read_files("a.jsonl").keys,
        read_files("b.jsonl").keys,
        read_files("c.jsonl").keys,
        read_files("a.jsonl", schema={"a": "text"}).keys,
    ]
    assert len({key for (key,) in keys}) == 4
    assert read_files("a.jsonl").keys == keys[0]


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(codec="utf-8"), max_size=4)
    | st.sampled_from(["null", "}null", '{"a":1}', "2020-01-01", '\\"']),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3)
    ),
    max_leaves=6,
)
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), min_size=1, max_size=8)
DAMAGE = st.sampled_from(
    [
        None,
        None,
        None,
        "{",
        "}",
        '"',
        ",",
        "null",
        " null",
        "NaN",
        "\\ud800",
        "1e999",
        "\r",
        '"a":1,',
    ]
)


@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=ROWS, damages=st.lists(st.tuples(DAMAGE, st.floats(0, 1)), min_size=8, max_size=8))
def test_fast_and_careful_parsing_agree_and_nothing_is_lost(read_text, monkeypatch, rows, damages):
    lines = []
    for row, (damage, place) in zip(rows * 3, damages * 3, strict=False):
        line = json.dumps(row, ensure_ascii=place < 0.5)
        at = int(place * len(line))
        lines.append(line[:at] + damage + line[at:] if damage else line)
    text = "\n".join(lines)
    monkeypatch.setattr(json_rows, "PIECE", 8)
    monkeypatch.setattr(json_rows, "SMALL_PIECE", 8)
    fast = read_text("a.jsonl", text)
    monkeypatch.setattr(json_rows._Rows, "_parse_expected", lambda *_: None)
    careful = read_text("a.jsonl", text)
    assert fast.errors() == careful.errors()
    assert fast.rows.schema == careful.rows.schema
    assert fast.origin.equals(careful.origin)
    for found, other, line, error in zip(
        fast.rows.to_dicts(), careful.rows.to_dicts(), lines, fast.origin["error"], strict=True
    ):
        assert _meaning(found) == _meaning(other)
        assert error or _meaning(found) == _meaning(json.loads(line))


def _meaning(value):
    """A value whatever it was written as: text that holds JSON is that JSON, nulls do not count."""
    if isinstance(value, str):
        try:
            decoded = json.loads(value)
        except ValueError:
            return value
        return value if decoded == value else _meaning(decoded)
    if isinstance(value, dict):
        return {name: _meaning(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return value
