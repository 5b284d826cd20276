"""HTML to plain text, without harm to code."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from html.entities import html5

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator
from dagster_project.operators.process.column_kinds import edited
from dagster_project.operators.process.markdown_code import FENCED, INLINE

ATTRIBUTE = (
    r"""(?:\s+(?:[A-Za-z_:@][\w:.@-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`][^\s"'<>`]*)"""
    "|(?i:allowfullscreen|async|autofocus|autoplay|checked|controls|default|defer|disabled|hidden"
    "|loop|multiple|muted|nomodule|noshade|novalidate|nowrap|open|readonly|required|reversed"
    "|selected)))"
)
"""One attribute with its value, or a known one without."""


def _tag(names: str, types: str, letters: str) -> str:
    """A tag of one of the elements, in lower or upper case.

    Args:
        names: of elements, parted by `|`.
        types: those whose names are also names of types; a bare opening tag of one, directly after
            a letter or digit, is `List<object>` and no tag.
        letters: those of one letter, which are types in upper case.
    """
    plain = f"{names}|{names.upper()}|{letters}"
    generic = f"{types}|{types.upper()}|{letters.upper()}"
    return (
        rf"</?(?:{plain}|{generic})(?:{ATTRIBUTE}+\s*/?|\s*/)>|</(?:{plain}|{generic})\s*>"
        rf"|<(?:{plain})\s*>|\b{{start-half}}<(?:{generic})\s*>"
    )


BLOCK = _tag(
    "aside|blockquote|br|caption|dd|div|dl|dt|fieldset|figcaption|frameset|h[1-6]|hgroup|hr|html|li"
    "|nav|noframes|ol|optgroup|pre|tbody|tfoot|thead|tr|ul",
    "address|article|body|center|details|dialog|dir|figure|footer|form|head|header|legend|main|menu"
    "|option|search|section|select|summary|table|title",
    "p",
)
INLINE_ELEMENT = _tag(
    "abbr|acronym|area|basefont|bdi|bdo|big|cite|colgroup|datalist|del|dfn|em|iframe|img|ins|kbd"
    "|nobr|noscript|rp|rt|ruby|samp|script|small|span|strike|strong|sub|sup|svg|textarea|tt|wbr",
    "audio|base|button|canvas|code|col|data|embed|font|frame|input|label|link|map|mark|meta|meter"
    "|object|output|param|picture|progress|slot|source|style|template|time|track|var|video",
    "[abiqsu]",
)
CELL = r"</?(?:td|th|TD|TH)(?:" + ATTRIBUTE + r")*\s*/?>"
REMOVED = (
    (r"(?s:<!--.*?-->)|(?i:<!doctype\s[^<>]*>)", ""),
    (rf"(?is:<script{ATTRIBUTE}*\s*>.*?</script\s*>)", ""),
    (rf"(?is:<style{ATTRIBUTE}*\s*>.*?</style\s*>)", ""),
    (CELL, "\t"),
    (BLOCK, "\n"),
    (INLINE_ELEMENT, ""),
)
"""What goes, in order, and what stands there instead."""

ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"
CODE_OR_ENTITY = re.compile(f"{FENCED}|{INLINE}|{ENTITY}".replace(r"\z", r"\Z"))


class StripHtml(RowOperator):
    """Removes HTML: tags, comments, scripts and styles with their contents; decodes entities.

    Works on texts, and on the `content` of each message of a chat column. Tags of block elements
    (`p`, `div`, `li`, `br`, …) become line breaks, those of cells (`td`, `th`) tabs, other tags go
    without a trace. `normalize_text` afterwards tidies the white space.

    It is careful with text that is not HTML. Only elements of the HTML standard (and obsolete ones)
    count, in lower or upper case, and only with attributes written `name=value` or known without a
    value: `a < b and c > d`, `List<int>`, `Vec<T>`, `<me@example.org>` and `<Button>` stay. A bare
    opening tag directly after a letter or digit stays when its name is also a type's, as in
    `List<object>`. Entities are decoded once, and only with their semicolon: `&amp;lt;` becomes
    `&lt;`, and `?a=1&copy=2` stays.

    Example:
        - strip_html: {columns: [text]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages.
    """

    columns: tuple[str, ...] = Field(min_length=1, description="Columns of text or chat messages.")
    keep_code: bool = Field(
        default=True,
        description="Leave Markdown code alone: fenced blocks and code spans in backticks.",
    )

    def reads(self) -> Sequence[str]:
        return self.columns

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {name: edited(self, schema, name, self._stripped) for name in self.columns}

    def _stripped(self, text: pl.Expr) -> pl.Expr:
        kept = f"({FENCED}|{INLINE})|" if self.keep_code else "()"
        for pattern, replacement in REMOVED:
            text = text.str.replace_all(f"{kept}(?:{pattern})", f"${{1}}{replacement}")
        return text.map_batches(self._decoded, return_dtype=pl.String, is_elementwise=True)

    def _decoded(self, texts: pl.Series) -> pl.Series:
        found = texts.filter(texts.str.contains(ENTITY)).unique()
        pattern = CODE_OR_ENTITY if self.keep_code else re.compile(ENTITY)
        decoded = [pattern.sub(_character, text) for text in found]
        return texts.replace(found, pl.Series(decoded, dtype=pl.String))


def _character(match: re.Match[str]) -> str:
    """The character an entity stands for; what is no entity as it is."""
    found = match[0]
    if found.startswith("&#"):
        return html.unescape(found)
    return html5.get(found[1:], found) if found.startswith("&") else found
