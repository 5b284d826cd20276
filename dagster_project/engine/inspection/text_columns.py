"""Which columns hold texts or chats, and SQL that reads them."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from dagster_project.operators.process.column_kinds import kind_of, message_fields
from dagster_project.warehouse.connect import identifier


def text_columns(schema: pl.Schema) -> list[str]:
    """The columns of texts and of chat messages."""
    return [name for name, kind in schema.items() if kind_of(kind) is not None]


def has_roles(schema: pl.Schema, column: str) -> bool:
    """Whether a column holds chat messages with roles."""
    fields = message_fields(schema[column])
    return fields.get("role") == pl.String and fields.get("content") == pl.String


def characters(schema: pl.Schema, column: str) -> str:
    """SQL: the characters of a text, or of all contents of a chat; null for null."""
    name = identifier(column)
    if schema[column] == pl.String:
        return f"length({name})"
    lengths = f"list_transform({name}, lambda __m: length(__m.content))"
    return f"CASE WHEN {name} IS NOT NULL THEN coalesce(list_sum({lengths}), 0)::BIGINT END"


def total_characters(schema: pl.Schema, columns: Iterable[str]) -> str:
    """SQL: the characters of some columns together; nulls count nothing."""
    each = [f"coalesce({characters(schema, column)}, 0)" for column in columns]
    return " + ".join(each) or "0"


def content(schema: pl.Schema, column: str) -> str:
    """SQL: a text, or all contents of a chat as one text."""
    name = identifier(column)
    if schema[column] == pl.String:
        return name
    return f"array_to_string(list_transform({name}, lambda __m: __m.content), ' ')"


def roles(column: str) -> str:
    """SQL: the roles of a chat in their order, as `system,user,assistant`."""
    said = f"list_transform({identifier(column)}, lambda __m: coalesce(__m.role, '?'))"
    return f"array_to_string({said}, ',')"


def shown(schema: pl.Schema, columns: Iterable[str], width: int) -> str:
    """SQL: what a row says in some columns, on one line of at most `width` characters; the whole row
    as JSON where none of them holds text."""
    texts = [column for column in columns if kind_of(schema[column]) is not None]
    parts = []
    for column in texts:
        text = identifier(column)
        if has_roles(schema, column):
            said = "concat(coalesce(__m.role, '?'), ': ', __m.content)"
            text = f"array_to_string(list_transform({text}, lambda __m: {said}), ' | ')"
        elif schema[column] != pl.String:
            text = content(schema, column)
        parts.append(f"nullif(left({text}, {4 * width}), '')")
    if not parts:
        fields = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in schema)
        parts = [f"to_json(struct_pack({fields}))::VARCHAR"]
    line = f"trim(regexp_replace(concat_ws(' · ', {', '.join(parts)}), '\\s+', ' ', 'g'))"
    return (
        f"CASE WHEN length({line}) <= {width} THEN {line} ELSE left({line}, {width - 1}) || '…' END"
    )
