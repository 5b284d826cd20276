"""What the command prints to: people read tables, programs read `--json`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

PIPED_WIDTH = 160
"""Characters of a line where there is no terminal to tell."""

PICTURES = (
    {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
    | {127: 0x2421}
    | dict.fromkeys((*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)), 0xFFFD)
)
"""Control characters, which a terminal obeys, are shown as pictures: data may hold any."""


class _Screen(Console):
    """Shows what control characters texts hold, rather than sending them."""

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(text.translate(PICTURES), **options)


console = _Screen(
    highlight=False,
    emoji=False,
    width=None if sys.stdout.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH,
)
errors = _Screen(
    stderr=True,
    highlight=False,
    emoji=False,
    width=None if sys.stderr.isatty() or "COLUMNS" in os.environ else PIPED_WIDTH,
)


def print_json(value: Any) -> None:
    """Print a result for programs: one JSON document."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json")
    print(json.dumps(value, ensure_ascii=False, default=_plain, indent=2))


def print_table(rows: Sequence[Mapping[str, Any]], title: str | None = None) -> None:
    """Print rows as a table; numbers to the right."""
    if not rows:
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for position, name in enumerate(rows[0]):
        number = all(isinstance(row[name], int | float | None) for row in rows)
        table.add_column(
            str(name).replace("_", " "),
            justify="right" if number else "left",
            no_wrap=position == 0,
        )
    for row in rows:
        table.add_row(*(cell(value) for value in row.values()))
    console.print(table)


def cell(value: Any, width: int = 120) -> str:
    """A value as the cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}"
    text = " ".join(str(value).split())
    return escape(text if len(text) <= width else text[: width - 1] + "…")


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "to_json"):
        return value.to_json()
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
