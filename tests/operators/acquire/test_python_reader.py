"""Rows made by a user's function."""

from __future__ import annotations

import datetime
import sys
from textwrap import dedent

import polars as pl
import pytest

from dagster_project.operators.acquire import python_reader
from dagster_project.operators.acquire.input_error import InputError
from dagster_project.operators.acquire.python_reader import PythonReader


@pytest.fixture
def run(tmp_path, read_reader):
    """Runs the function `rows` of a file with the given code."""

    def run(code: str, function: str = "rows", **params):
        path = tmp_path / "source.py"
        path.write_text(dedent(code))
        return read_reader(PythonReader(path, function, params, "source.py:rows"))

    return run


def test_dicts_become_rows_with_their_types(run):
    whole = run(
        """
        import datetime, dataclasses

        @dataclasses.dataclass
        class Row:
            a: int

        def rows(count):
            for number in range(count):
                row = Row(number)
                yield {"a": row.a, "when": datetime.date(2020, 1, 1), "b": b"\\xff",
                       "chat": [{"role": "user"}], "late": "x" if number else None}
        """,
        count=2,
    )
    day = datetime.date(2020, 1, 1)
    chat = [{"role": "user"}]
    assert whole.rows.to_dicts() == [
        {"a": 0, "when": day, "b": b"\xff", "chat": chat, "late": None},
        {"a": 1, "when": day, "b": b"\xff", "chat": chat, "late": "x"},
    ]
    assert whole.origin.rows() == [
        ("source.py:rows", 1, None, None, None), ("source.py:rows", 2, None, None, None),
    ]  # fmt: skip
    assert [file.name for file in whole.files] == ["source.py"]


def test_frames_become_rows(run):
    whole = run(
        """
        import polars as pl, pyarrow as pa

        def rows():
            yield pl.DataFrame({"a": [1, 2]}, schema={"a": pl.Int8})
            yield {"a": 3.5}
            yield pa.table({"a": pa.array(["x"]).dictionary_encode()})
            yield pl.DataFrame({"a": [2**70]}, schema={"a": pl.Int128})
        """
    )
    assert whole.rows["a"].to_list() == ["1", "2", "3.5", "x", str(2**70)]
    assert whole.origin["line"].to_list() == [1, 2, 3, 4, 5]


def test_reserved_fields_say_where_rows_come_from(run):
    whole = run(
        """
        def rows():
            yield {"a": 1, "_file": "book.txt", "_line": 7}
            yield {"a": 2}
        """
    )
    assert whole.rows.columns == ["a"]
    assert whole.origin.select("file", "line").rows() == [("book.txt", 7), ("source.py:rows", 2)]
    with pytest.raises(InputError, match=r"`_line` must be a whole number, not String"):
        run("def rows():\n    yield {'a': 1, '_line': 'x'}")


def test_rows_come_in_bounded_blocks_with_keys_of_their_content(run, monkeypatch):
    monkeypatch.setattr(python_reader, "BLOCK_ROWS", 10)
    code = "def rows(n):\n    for i in range(n):\n        yield {'a': i, 'b': [i] * (i % 3)}"
    whole = run(code, n=25)
    assert whole.rows["a"].to_list() == list(range(25))
    assert len(whole.keys) == 3
    assert run(code, n=25).keys == whole.keys
    assert run(code, n=24).keys[:2] == whole.keys[:2]
    frames = "import polars as pl\ndef rows():\n    yield pl.DataFrame({'a': list(range(25))})"
    assert [len(run(frames).keys), len(set(run(frames).keys))] == [3, 3]
    monkeypatch.setattr(python_reader, "BLOCK_BYTES", 100)
    assert len(run("def rows():\n    yield {'a': 'x' * 150}\n    yield {'a': 'y'}").keys) == 2


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "def rows():\n    yield {'a': 1}\n    raise KeyError('k')",
            r"rows\(\), line 3: KeyError: 'k'",
        ),
        (
            "def rows():\n    import json\n    json.loads('x')",
            r"line 3: JSONDecodeError: Expecting",
        ),
        ("import nothing_like_it\ndef rows(): ...", r"line 1: ModuleNotFoundError"),
        ("def rows(:\n    yield 1", r"line 1: SyntaxError"),
        ("import sys\ndef rows():\n    sys.exit(3)", r"line 3: SystemExit: 3"),
        (
            "def rows(n):\n    yield {}",
            r"TypeError: rows\(\) missing 1 required positional argument",
        ),
        ("def rows():\n    return 5", r"TypeError: 'int' object is not iterable"),
        ("def rows():\n    yield 5", r"yields builtins.int; yield a dict for each row"),
        ("def rows():\n    yield {1: 2}", r"a row has the field 1; names must be text"),
        ("def rows():\n    yield {'a': {1: 2}}", r"an object with the field 1; names must be text"),
        ("def rows():\n    yield {'': 1}", r"a field is called ''; give it a name"),
        (
            "import polars as pl\ndef rows():\n    yield pl.DataFrame({'a': [[{'b\\0': 1}]]})",
            r"a field is called 'b\\x00'",
        ),
        ("def rows():\n    a = []\n    a.append(a)\n    yield {'a': a}", r"rows\(\): .*recursion"),
        ("def rows():\n    yield {'a': object()}", r"a value of type builtins.object"),
        ("def rows():\n    yield {'a': '\\ud800'}", r"half a surrogate pair in field `a`"),
        ("def row():\n    yield {}", r"has no function `rows`; did you mean `row`\?"),
    ],
)
def test_errors_name_file_function_line_and_message(run, code, said):
    with pytest.raises(InputError, match=said) as raised:
        run(code)
    assert "source.py" in str(raised.value)


def test_a_missing_file_is_named(tmp_path):
    reader = PythonReader(tmp_path / "no.py", "rows", {}, "no.py:rows")
    with pytest.raises(InputError, match=r"no.py:rows: .*no.py cannot be read"):
        list(reader.blocks())


def test_the_module_is_fresh_and_has_a_name_of_its_own(run, tmp_path):
    code = "seen = []\ndef rows():\n    seen.append(1)\n    yield {'n': len(seen), 'm': __name__}"
    first, second = run(code), run(code)
    assert first.rows["n"].to_list() == second.rows["n"].to_list() == [1]
    assert first.rows["m"][0].startswith("seedbed_input_")
    assert "source" not in sys.modules
    assert not (tmp_path / "__pycache__").exists()


def test_a_file_may_yield_nothing(run):
    assert run("def rows():\n    yield from ()").rows.equals(pl.DataFrame())
