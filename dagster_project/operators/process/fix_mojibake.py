"""Texts that were decoded with the wrong encoding, repaired."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Rule
from dagster_project.operators.process.text_cleaner import _TextCleaner

LOST = "\ufffd"
LEFT = "replacement_characters"
LONGEST_LINE = 2**31


class FixMojibake(_TextCleaner):
    """Repairs texts that were decoded with the wrong encoding: `Itâ€™s` becomes `It’s`.

    Works on texts, and on the `content` of each message of a chat column, line by line. The repair
    is that of the library ftfy, restricted to encodings: UTF-8 read as Latin-1, Windows code pages,
    Mac Roman or code page 437, also more than once, also where bytes were lost or became spaces, and
    control characters that were meant as Windows-1252. Quotes, entities, ligatures, line ends and
    Unicode forms stay. Texts in which ftfy's pattern of unlikely neighbours is nowhere are not given
    to it; they come out of it unchanged anyway.

    Adds two annotations: `mojibake`, how many texts or messages were repaired in the row, and
    `replacement_characters`, how many U+FFFD (�) are left after that: characters that nobody can
    bring back. Rule `replacement_characters`, if `max_left` is given: rows with more go.

    Applying it twice is applying it once.

    Example:
        - fix_mojibake: {columns: [text], max_left: 0}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    libraries = ("ftfy",)

    max_left: int | None = Field(
        default=None, ge=0, description="Most U+FFFD left in a row; rows with more are removed."
    )

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.max_left is None:
            return []
        left = pl.col(f"{self.prefix}{LEFT}")
        return [Rule(LEFT, left <= self.max_left, left, f"<= {self.max_left}")]

    def _hints(self) -> Sequence[str]:
        return [LOST, _suspicious()]

    def _clean(self, text: pl.Expr) -> pl.Expr:
        return text.map_batches(_repaired, return_dtype=pl.String, is_elementwise=True)

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        return {
            "mojibake": lambda text: self._clean(text) != text,
            LEFT: lambda text: self._clean(text).str.count_matches(LOST, literal=True),
        }


@cache
def _suspicious() -> str:
    """ftfy's pattern of what may be mojibake, as a Rust regular expression that matches no less."""
    from ftfy.badness import BADNESS_RE

    tokens = re.compile(r"(\[(?:\\.|[^\]\\])*\]|\\.)|\s+|#[^\n]*")  # the pattern is verbose
    plain = tokens.sub(lambda token: token[1] or "", BADNESS_RE.pattern)
    # Python counts more characters as white space and as letters or digits than Rust does.
    return (
        plain.replace(r"\s", r"[\s\x1c-\x1f]").replace(r"\w", r"[\w\p{N}]").replace("^", "(?m:^)")
    )


def _repaired(texts: pl.Series) -> pl.Series:
    from ftfy import TextFixerConfig, fix_text

    config = TextFixerConfig(
        unescape_html=False,
        remove_terminal_escapes=False,
        fix_latin_ligatures=False,
        fix_character_width=False,
        uncurl_quotes=False,
        fix_line_breaks=False,
        fix_surrogates=False,
        remove_control_chars=False,
        normalization=None,
        max_decode_length=LONGEST_LINE,
        explain=False,
    )
    return pl.Series(
        texts.name, [text and fix_text(text, config) for text in texts], dtype=pl.String
    )
