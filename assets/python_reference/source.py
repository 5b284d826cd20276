"""Rows of the language reference that ships inside Python (`pydoc_data/topics.py`, PSF-2.0).

The file is parsed, never imported, so no code of it runs.
"""

from __future__ import annotations

import ast
import sysconfig
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

TOPICS_FILE = "pydoc_data/topics.py"
UNDERLINES = '*=-~"+`'


def read(root: str | None = None) -> Iterator[dict[str, Any]]:
    """Yield one row per topic of `help()`, sorted by topic.

    Args:
        root: a standard library folder; default: that of the running Python.

    Yields:
        topic: the name `help()` knows it by.
        title: its first heading; null when it has none.
        text: as shipped, headings included.
        _file, _line: where it begins, the file relative to `root`.

    Raises:
        FileNotFoundError: this Python was installed without its topics.
        SyntaxError, ValueError: the topics are not a dictionary of plain values.
    """
    path = Path(root or sysconfig.get_path("stdlib"), TOPICS_FILE)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; install Python with its help topics")
    rows = [
        {
            "topic": ast.literal_eval(key),
            "title": _title(ast.literal_eval(value)),
            "text": ast.literal_eval(value),
            "_file": TOPICS_FILE,
            "_line": key.lineno,
        }
        for key, value in _topics(path)
    ]
    yield from sorted(rows, key=lambda row: row["topic"])


def _topics(path: Path) -> list[tuple[ast.expr, ast.expr]]:
    """Keys and values of the dictionary literal called `topics`."""
    for node in ast.parse(path.read_bytes(), str(path)).body:
        match node:
            case ast.Assign([ast.Name("topics")], ast.Dict(keys, values)) if all(keys):
                return [(key, value) for key, value in zip(keys, values, strict=True) if key]
    raise ValueError(f"{path}: no dictionary `topics`; give `root` a standard library folder")


def _title(text: str) -> str | None:
    """The first line that the next one underlines in full."""
    for line, underline in pairwise(text.split("\n")):
        if line and any(underline == mark * len(line) for mark in UNDERLINES):
            return line
    return None
