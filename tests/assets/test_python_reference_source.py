from __future__ import annotations

import sysconfig
from pathlib import Path
from pydoc_data.topics import topics

import pytest

from assets.python_reference.source import TOPICS_FILE, read


def write(root: Path, text: str) -> str:
    path = root / TOPICS_FILE
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return str(root)


def test_topics_are_those_python_ships() -> None:
    rows = list(read())
    assert len(rows) > 60
    assert {row["topic"]: row["text"] for row in rows} == topics
    assert [row["topic"] for row in rows] == sorted(topics)
    assert rows == list(read())


def test_titles_and_places() -> None:
    rows = {row["topic"]: row for row in read()}
    assert rows["assert"]["title"] == 'The "assert" statement'
    assert rows["typesmapping"]["title"] == 'Mapping Types — "dict"'
    assert all(row["title"] for row in rows.values())
    lines = Path(sysconfig.get_path("stdlib"), TOPICS_FILE).read_text("utf-8").split("\n")
    for topic, row in rows.items():
        assert row["_file"] == TOPICS_FILE
        assert f"'{topic}':" in lines[row["_line"] - 1]


def test_title_needs_a_full_underline(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        "topics = {\n"
        "    'b': r'''Plain\n***\n\n''',\n"
        "    'a': 'Some text\\n'\n"
        "         '\\nHead\\n====\\n'}\n",
    )
    assert list(read(root)) == [
        {
            "topic": "a",
            "title": "Head",
            "text": "Some text\n\nHead\n====\n",
            "_file": TOPICS_FILE,
            "_line": 6,
        },
        {
            "topic": "b",
            "title": None,
            "text": "Plain\n***\n\n",
            "_file": TOPICS_FILE,
            "_line": 2,
        },
    ]


def test_missing_or_foreign_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="install Python with its help topics"):
        list(read(str(tmp_path)))
    root = write(tmp_path, "topics = dict(a='b')\n")
    with pytest.raises(ValueError, match="no dictionary `topics`"):
        list(read(root))
