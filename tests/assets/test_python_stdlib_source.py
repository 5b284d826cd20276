from __future__ import annotations

import ast
import inspect
import json
import textwrap
from pathlib import Path
from typing import Any

import pytest

from assets.python_stdlib.source import read

KEYS = [
    "module",
    "qualified_name",
    "kind",
    "signature",
    "docstring",
    "source",
    "doctests",
    "is_public",
    "error",
    "_file",
    "_line",
]


@pytest.fixture(scope="module")
def library() -> list[dict[str, Any]]:
    return list(read())


def row_of(rows: list[dict[str, Any]], module: str, qualified_name: str) -> dict[str, Any]:
    [row] = [
        row for row in rows if (row["module"], row["qualified_name"]) == (module, qualified_name)
    ]
    return row


def write(folder: Path, file: str, text: str | bytes) -> None:
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())


def test_standard_library_is_large_documented_and_parses(library: list[dict[str, Any]]) -> None:
    assert len(library) > 5_000
    assert len({row["module"] for row in library}) > 350
    assert sum(bool(row["doctests"]) for row in library) > 200
    docstrings = [row["docstring"] for row in library]
    assert all(docstrings)
    assert len(docstrings) - len(set(docstrings)) > 100
    assert {row["kind"] for row in library} == {"module", "class", "function", "method"}
    assert not any(row["error"] for row in library)


def test_rows_share_keys_are_json_and_have_a_place_of_their_own(
    library: list[dict[str, Any]],
) -> None:
    assert all(list(row) == KEYS for row in library)
    json.dumps(library, ensure_ascii=False).encode("utf-8")
    places = [(row["_file"], row["_line"]) for row in library]
    assert places == sorted(set(places))
    root = Path(textwrap.__file__).parent
    for file in {file for file, _ in places}:
        assert not Path(file).is_absolute()
        assert (root / file).is_file()
        assert {"site-packages", "test", "tests"}.isdisjoint(Path(file).parts)


def test_modules_written_for_one_machine_are_left_out(tmp_path: Path) -> None:
    for file in ("_sysconfigdata__linux_x86_64.py", "sitecustomize.py", "kept.py"):
        write(tmp_path, file, '"""Doc."""\n')
    for folder in ("site-packages", "config-3.11-x86_64", "__pycache__"):
        write(tmp_path, f"{folder}/module.py", '"""Doc."""\n')
    assert [row["_file"] for row in read(root=str(tmp_path))] == ["kept.py"]


def test_known_function_agrees_with_the_imported_one(library: list[dict[str, Any]]) -> None:
    row = row_of(library, "textwrap", "dedent")
    lines, first = inspect.getsourcelines(textwrap.dedent)
    assert row == {
        "module": "textwrap",
        "qualified_name": "dedent",
        "kind": "function",
        "signature": "(text)",
        "docstring": inspect.getdoc(textwrap.dedent),
        "source": "".join(lines),
        "doctests": [],
        "is_public": True,
        "error": None,
        "_file": "textwrap.py",
        "_line": first,
    }


def test_source_of_a_definition_is_a_definition_of_that_name(
    library: list[dict[str, Any]],
) -> None:
    for row in library[::17]:
        if row["kind"] != "module":
            indented = row["source"][0] == " " or row["source"][0] == "\t"
            tree = ast.parse(f"if 1:\n{row['source']}" if indented else row["source"])
            node: Any = tree.body[0]
            [node] = node.body if indented else tree.body
            assert node.name == row["qualified_name"].rsplit(".", 1)[-1]


def test_second_read_gives_the_same_rows_in_the_same_order(library: list[dict[str, Any]]) -> None:
    assert list(read(include_private=False)) == [row for row in library if row["is_public"]]


def test_names_kinds_and_signatures(tmp_path: Path) -> None:
    write(
        tmp_path,
        "pack/__init__.py",
        '''\
        """Package.

        >>> 1 + 1
        2
        """
        import abc
        try:
            class Shape(abc.ABC, metaclass=abc.ABCMeta):
                """A shape."""
                @property
                @abc.abstractmethod
                def area(self) -> float:
                    """Area."""
                def __init__(self, sides=4, /, *rest: int, name: str = "s", **more):
                    """Start."""
                    def check(): "Local."
                def _hidden(self): "Hidden."
                class Inner: "Nested."
        except ImportError:
            async def fetch(): """   """
            async def late(): """>>> x\\n  bad\\n >>>y"""
        ''',
    )
    rows = list(read(root=str(tmp_path)))
    found = [(row["qualified_name"], row["kind"], row["signature"], row["_line"]) for row in rows]
    assert found == [
        ("pack", "module", None, 1),
        ("Shape", "class", "(abc.ABC, metaclass=abc.ABCMeta)", 8),
        ("Shape.area", "method", "(self) -> float", 10),
        ("Shape.__init__", "method", "(self, sides=4, /, *rest: int, name: str='s', **more)", 14),
        ("Shape.__init__.<locals>.check", "function", "()", 16),
        ("Shape._hidden", "method", "(self)", 17),
        ("Shape.Inner", "class", "()", 18),
        ("late", "function", "()", 21),
    ]
    assert {row["module"] for row in rows} == {"pack"}
    assert rows[0]["doctests"] == [{"source": "1 + 1\n", "want": "2\n"}]
    assert rows[2]["source"].startswith("        @property\n        @abc.abstractmethod\n")
    assert rows[-1]["doctests"] == []
    hidden = [row["qualified_name"] for row in rows if not row["is_public"]]
    assert hidden == ["Shape.__init__.<locals>.check", "Shape._hidden"]


def test_lines_are_those_of_python_not_of_unicode(tmp_path: Path) -> None:
    text = '# coding: latin-1\r\nx = "\x0c\x85"\r\n\x0cdef f():\r\n    "D\u00e9."\r\n    return 1'
    write(tmp_path, "old.py", text.encode("latin-1"))
    [row] = read(root=str(tmp_path))
    assert (row["_line"], row["docstring"]) == (3, "D\u00e9.")
    assert row["source"] == '\x0cdef f():\n    "D\u00e9."\n    return 1\n'


def test_tests_and_private_names_on_request(tmp_path: Path) -> None:
    for file in ("a.py", "_b.py", "__main__.py", "test/c.py", "p/_q/d.py"):
        write(tmp_path, file, '"""Doc."""\n')

    def modules(**options: bool) -> list[str]:
        return [row["module"] for row in read(root=str(tmp_path), **options)]

    assert modules() == ["__main__", "_b", "a", "p._q.d"]
    assert modules(include_private=False) == ["__main__", "a"]
    assert modules(include_tests=True, include_private=False) == ["__main__", "a", "test.c"]


@pytest.mark.parametrize(
    ("content", "line", "error"),
    [
        (b"x = 1\ndef broken(:\n", 2, "SyntaxError: "),
        (b"# coding: nonsense\n", 1, "SyntaxError: unknown encoding: nonsense"),
        (b"# coding: rot13\n", 1, "LookupError: 'rot13' is not a text encoding"),
        (b"1\n2\n'\xff'\n", 1, "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff"),
        (b"x = 1\0\n", 1, ""),
    ],
)
def test_broken_file_is_a_row_with_its_error(
    tmp_path: Path, content: bytes, line: int, error: str
) -> None:
    write(tmp_path, "pack/broken.py", content)
    write(tmp_path, "whole.py", '"""Doc."""\n')
    broken, whole = read(root=str(tmp_path))
    assert list(broken) == list(whole) == KEYS
    assert broken["error"].startswith(error)
    assert str(tmp_path) not in broken["error"]
    assert broken | {"error": ""} == {
        "module": "pack.broken",
        "qualified_name": "pack.broken",
        "kind": "module",
        "signature": None,
        "docstring": None,
        "source": None,
        "doctests": [],
        "is_public": True,
        "error": "",
        "_file": "pack/broken.py",
        "_line": line,
    }
    assert (whole["docstring"], whole["error"]) == ("Doc.", None)


def test_missing_root_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError, match="give `root` a folder"):
        list(read(root=str(tmp_path / "nowhere")))
