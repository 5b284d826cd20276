"""Markdown to plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.column_kinds import edited
from dagster_project.operators.process.markdown_code import FENCED, INLINE

MATH = r"\$\$(?s:.*?)\$\$|\$[^$\s](?:[^$\n]*[^$\s])?\$"
DUNDER = r"__[a-z0-9]+(?:_[a-z0-9]+)*__"
KEPT = rf"{FENCED}|{INLINE}|{MATH}|{DUNDER}|\\[!-/:-@\[-`{{-~]"
"""Code, formulas, `__names__` and escaped punctuation: what looks like Markdown there is none."""

EDGE = r"(?-u:\b{start-half})"
"""Not after a letter or digit of ASCII; Chinese and Japanese write no space before a mark."""

EDGE_AFTER = r"(?-u:\b{end-half})"
TARGET = (
    r"\(\s*(?:<[^<>\n]*>|[^\s()<>]*(?:\([^\s()]*\)[^\s()]*)*)"
    r"""(?:\s+(?:"[^"]*"|'[^']*'))?\s*\)"""
)
MARKUP = (
    # quotes; `>>>` is an interactive Python session
    (r"(?m:^)(?: {0,3}>{1,2}(?:[ \t]|(?m:$)))+",),
    (rf"!\[(?P<text>[^\[\]]*)\]{TARGET}",),
    (
        rf"{EDGE}\[(?P<text>[^\[\]]*)\]{TARGET}",
        r"<(?P<text>(?:https?|ftp|mailto):[^\s<>]+)>",
    ),
    # headings, underlined headings, thematic breaks
    (
        r"(?m:^) {0,3}#{1,6}(?:[ \t]+(?P<text>[^\n]*?))?(?:[ \t]+#+)?[ \t]*(?m:$)",
        r"(?m:^) {0,3}(?P<text>[^\s>|#-][^\n]*)\n {0,3}(?:={2,}|-{2,})[ \t]*(?m:$)",
        r"(?m:^) {0,3}(?:(?:-[ \t]*){3,}|(?:\*[ \t]*){3,}|(?:_[ \t]*){3,})(?:\n|\z)",
    ),
    # emphasis, the strongest first
    (rf"{EDGE}\*\*\*(?P<text>[^\s*](?:[^*\n]*[^\s*])?)\*\*\*{EDGE_AFTER}",),
    (
        rf"{EDGE}\*\*(?P<text>[^\s*](?:[^\n]*?[^\s*])?)\*\*{EDGE_AFTER}",
        rf"{EDGE}__(?P<text>[^\s_](?:[^\n]*?[^\s_])?)__{EDGE_AFTER}",
        r"~~(?P<text>[^\s~](?:[^~\n]*[^\s~])?)~~",
    ),
    (
        r"(?P<text>\*\*+)",
        rf"{EDGE}\*(?P<text>[^\s*](?:[^*\n]*[^\s*])?)\*{EDGE_AFTER}",
        rf"{EDGE}_(?P<text>[^\s_](?:[^_\n]*[^\s_])?)_{EDGE_AFTER}",
    ),
)
"""Markup, pass by pass. Of each match, `text` stays."""

DEFINITION = r"(?m:^) {0,3}\[[^\[\]\n]+\]:[ \t]+\S+[^\n]*(?:\n|\z)"
REFERENCE = rf"{EDGE}!?\[(?P<text>[^\[\]]*)\]\[[^\[\]]*\]"
TABLE_RULE = r"(?m:^)[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|[ \t:|-]*(?:\n|\z)"
TABLE_ROW = r"^[ \t]*\|[^\n]*\|[ \t]*\n?$"
LINES = rf"{FENCED}|[^\n]*\n|[^\n]+"


class StripMarkdown(RowOperator):
    """Removes Markdown and leaves its text.

    Works on texts, and on the `content` of each message of a chat column. Headings, emphasis,
    quote marks and thematic breaks lose their marks; links and images become their text; cells of
    tables are parted by tabs; code spans lose their backticks. Lists stay as they are: they read
    well as text. Fenced code, formulas in dollars and escaped punctuation are left alone.

    It is careful with text that is not Markdown: marks of emphasis count only at the edges of
    words (`snake_case`, `__init__`, `2*3*4` and `f(*args, **kwargs)` stay), a bracket directly
    after a word is an index, not a link, and `>>>` starts a Python session, not a quote. Code that
    is not fenced can still be mistaken: a Python comment at the start of a line is a heading in
    Markdown.

    Example:
        - strip_markdown: {columns: [text], code: drop}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    code: Literal["keep", "drop"] = Field(
        default="keep", description="Fenced blocks: `keep` them with their fences, or `drop` them."
    )

    def reads(self) -> Sequence[str]:
        return self.columns

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {name: edited(self, schema, name, self._stripped) for name in self.columns}

    def _stripped(self, text: pl.Expr) -> pl.Expr:
        if self.code == "drop":
            text = text.str.replace_all(rf"{FENCED}\n?", "")
        text = _without_references(_without_tables(text))
        for patterns in MARKUP:
            text = _plain(text, *patterns)
        code_span = r"``[ ]?(?P<double>[^\n]+?)[ ]?``|`(?P<single>[^`\n]+)`"
        return text.str.replace_all(f"(?P<kept>{FENCED})|{code_span}", "${kept}${double}${single}")


def _plain(text: pl.Expr, *patterns: str) -> pl.Expr:
    """Every match of a pattern replaced by its group `text`."""
    numbered = [
        pattern.replace("(?P<text>", f"(?P<text{number}>")
        for number, pattern in enumerate(patterns)
    ]
    stays = "".join(f"${{text{number}}}" for number in range(len(patterns)))
    return text.str.replace_all(f"(?P<kept>{KEPT})|{'|'.join(numbered)}", f"${{kept}}{stays}")


def _without_tables(text: pl.Expr) -> pl.Expr:
    """Rows of tables as cells parted by tabs, in texts that have the rule under a table's head."""
    line = pl.element()
    cells = line.str.replace_all(r"^[ \t]*\|[ \t]*|[ \t]*\|[ \t]*(?P<end>\n?)$", "${end}")
    edit = (
        pl.when(line.str.contains(rf"^(?:{TABLE_RULE})$"))
        .then(pl.lit(""))
        .when(line.str.contains(TABLE_ROW))
        .then(cells.str.replace_all(r"[ \t]*\|[ \t]*", "\t"))
        .otherwise(line)
    )
    table = text.str.extract_all(LINES).list.eval(edit).list.join("")
    return pl.when(text.str.contains(TABLE_RULE)).then(table).otherwise(text)


def _without_references(text: pl.Expr) -> pl.Expr:
    """`[text][name]` as its text and no definitions, in texts that define link targets."""
    plain = _plain(text, REFERENCE, DEFINITION)
    return pl.when(text.str.contains(DEFINITION)).then(plain).otherwise(text)
