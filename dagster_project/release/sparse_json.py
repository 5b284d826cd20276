"""JSON without the keys whose value is null.

Rows of one table have one type, so an object has each field that any row's object has, and null
where its own row had none. Trainers take a key for a value that is there: a tool gets parameters
that are another tool's, a message a call it does not make.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import polars as pl

from dagster_project.operators.process.column_kinds import json_text


def sparse_json(value: pl.Expr, kind: Any) -> pl.Expr:
    """A value as JSON, without keys that are null at any depth; null for null.

    Nulls in lists stay, and so do keys that begin with no letter, digit or underscore.

    Plain replacement is safe: a key's opening quote follows `,` or `{`, and in JSON a quote that
    ends a text is never followed by a letter, digit or underscore, with which these keys begin,
    while one inside a text follows a backslash. So what is matched is a key.

    Args:
        value: any, without binary.
        kind: its type.
    """
    text = json_text(value)
    names = sorted(name for name in _keys(kind) if name[:1].isalnum() or name[:1] == "_")
    if not names:
        return text
    nulls = [f"{json_key(name)}null" for name in names]
    later = {f",{null}": "" for null in nulls}
    first = {f"{{{null},": "{" for null in nulls} | {f"{{{null}}}": "{}" for null in nulls}
    for replaced in (later, first):
        text = text.str.replace_many(list(replaced), list(replaced.values()))
    return text


def json_key(name: str) -> str:
    """A key as JSON, with its colon."""
    return f"{json.dumps(name, ensure_ascii=False)}:"


def _keys(kind: Any) -> Iterator[str]:
    """The names of all fields of objects in a type."""
    if isinstance(kind, pl.List | pl.Array):
        yield from _keys(kind.inner)
    elif isinstance(kind, pl.Struct):
        for field in kind.fields:
            yield field.name
            yield from _keys(field.dtype)
