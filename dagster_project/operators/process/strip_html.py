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

BLOCKS = (
    "aside|blockquote|br|caption|dd|div|dl|dt|fieldset|figcaption|frameset|h[1-6]|hgroup|hr|html|li"
    "|nav|noframes|ol|optgroup|pre|tbody|tfoot|thead|tr|ul"
)
BLOCKS_AND_TYPES = (
    "address|article|body|center|details|dialog|dir|figure|footer|form|head|header|legend|main|menu"
    "|option|search|section|select|summary|table|title"
)
OTHERS = (
    "abbr|acronym|area|basefont|bdi|bdo|big|cite|colgroup|datalist|del|dfn|em|iframe|img|ins|kbd"
    "|nobr|noscript|rp|rt|ruby|samp|script|small|span|strike|strong|style|sub|sup|svg|td|textarea"
    "|th|tt|wbr"
)
OTHERS_AND_TYPES = (
    "audio|base|button|canvas|code|col|data|embed|font|frame|input|label|link|map|mark|meta|meter"
    "|object|output|param|picture|progress|slot|source|template|time|track|var|video"
)
"""Elements by name. Those of `_AND_TYPES` share their names with types of programs."""

ATTRIBUTE = (
    r"""(?:\s+(?:[A-Za-z_:@][\w:.@-]*\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'=<>`][^\s"'<>`]*)"""
    "|(?i:allowfullscreen|async|autofocus|autoplay|checked|controls|default|defer|disabled|hidden"
    "|loop|multiple|muted|nomodule|noshade|novalidate|nowrap|open|readonly|required|reversed"
    "|selected)))"
)
ELEMENT = f"{BLOCKS}|{OTHERS}|{BLOCKS.upper()}|{OTHERS.upper()}|[abipqsu]"
GENERIC = (
    f"{BLOCKS_AND_TYPES}|{OTHERS_AND_TYPES}|{BLOCKS_AND_TYPES.upper()}|{OTHERS_AND_TYPES.upper()}"
    "|[ABIPQSU]"
)
MARKUP = (
    r"<!--(?s:.*?)-->|<!(?i:doctype)\s[^<>]*>"
    rf"|<(?i:script){ATTRIBUTE}*\s*>(?s:.*?)</(?i:script)\s*>"
    rf"|<(?i:style){ATTRIBUTE}*\s*>(?s:.*?)</(?i:style)\s*>"
    rf"|</?(?:{ELEMENT}|{GENERIC})(?:{ATTRIBUTE}+\s*/?|\s*/)>|</(?:{ELEMENT}|{GENERIC})\s*>"
    rf"|<(?:{ELEMENT})\s*>|(?-u:\b{{start-half}})<(?:{GENERIC})\s*>"
)
CODE = f"{FENCED}|{INLINE}"
PLAIN = r"[^<`~\n]*\n|[^<`~\n]+|[<`~]"
ENTITY = r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});"


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
        """Cut into markup, code and plain pieces, edit each, and join them again."""
        cut = f"{CODE}|{MARKUP}|{PLAIN}" if self.keep_code else f"{MARKUP}|{PLAIN}"
        piece = pl.element()
        name = piece.str.extract("^</?([A-Za-z][A-Za-z0-9]*)", 1).str.to_lowercase()
        edit = (
            pl.when(name.is_in(["td", "th"]))
            .then(pl.lit("\t"))
            .when(name.str.contains(f"^(?:{BLOCKS}|{BLOCKS_AND_TYPES}|p)$"))
            .then(pl.lit("\n"))
            .when(name.is_not_null() | piece.str.starts_with("<!"))
            .then(pl.lit(""))
            .otherwise(piece.map_batches(_decoded, return_dtype=pl.String, is_elementwise=True))
        )
        return text.str.extract_all(cut).list.eval(edit).list.join("")


def _decoded(pieces: pl.Series) -> pl.Series:
    """Pieces with their entities decoded; those of code, which hold a backtick or tilde, as is."""
    has_entity = pieces.str.contains(ENTITY) & ~pieces.str.contains("[`~]")
    found = pieces.filter(has_entity).unique()
    decoded = [re.sub(ENTITY, _character, text) for text in found]
    return pieces.replace(found, pl.Series(decoded, dtype=pl.String))


def _character(entity: re.Match[str]) -> str:
    text = entity[0]
    return html.unescape(text) if text.startswith("&#") else html5.get(text[1:], text)
