"""Texts that were decoded with the wrong encoding, repaired."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import polars as pl
from pydantic import Field

from dagster_project.operators.base import Rule
from dagster_project.operators.process.text_cleaner import _TextCleaner

LOST = "\ufffd"
LEFT = "replacement_characters"
LONGEST_LINE = 2**31

READ_AS = ("sloppy-windows-1251", "macroman")
"""Encodings whose mistakes ftfy mostly passes over, since their signs are Cyrillic letters and dashes."""

NO_TEXT = ("Cc", "Cn", "Co", "Cs")
"""Categories of control characters and of what is no character."""


class FixMojibake(_TextCleaner):
    """Repairs texts that were decoded with the wrong encoding: `Itâ€™s` becomes `It’s`.

    Works on texts, and on the `content` of each message of a chat column, line by line. The repair
    is that of the library ftfy, restricted to encodings: UTF-8 read as Latin-1, Windows code pages,
    Mac Roman or code page 437, also more than once, also where bytes were lost or became spaces, and
    control characters that were meant as Windows-1252. Besides, a line that was read as Windows-1251
    or Mac Roman is repaired where all of it, read again as UTF-8, makes words of one script each, and
    one of them shows it: three letters beyond ASCII in a row, or an accented Latin one beside a plain
    one. Quotes, entities, ligatures, line ends and
    Unicode forms stay. Texts in which neither ftfy's pattern of unlikely neighbours nor such a line is
    found are not given to it; they come out of it unchanged anyway.

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
        return [LOST, _suspicious(), *map(_misread, READ_AS)]

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


@cache
def _misread(encoding: str) -> str:
    """A line that is UTF-8 beyond ASCII, read in an encoding of single bytes; as a Rust regular
    expression."""
    import ftfy.bad_codecs  # noqa: F401  (registers the sloppy encodings)

    def read(first: int, last: int) -> str:
        return f"[{re.escape(bytes(range(first, last + 1)).decode(encoding))}]"

    after = read(0x80, 0xBF)
    longer = "|".join(
        [
            read(0xC2, 0xDF) + after,
            read(0xE0, 0xEF) + after + after,
            read(0xF0, 0xF4) + after + after + after,
        ]
    )
    return rf"(?m:^)[\x00-\x7f]*(?:(?:{longer})[\x00-\x7f]*)+(?m:$)"


def _repaired(texts: pl.Series) -> pl.Series:
    return pl.Series(texts.name, [text and _repair(text) for text in texts], dtype=pl.String)


def _repair(text: str) -> str:
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
    before = None
    while text != before:
        before = text
        text = fix_text("\n".join(map(_reread, text.split("\n"))), config)
    return text


def _reread(line: str) -> str:
    """A line that was read as one of the encodings, read as UTF-8; any other as it is."""
    for encoding in () if line.isascii() else READ_AS:
        try:
            reread = line.encode(encoding).decode()
        except UnicodeError:
            continue
        if _is_likely(reread):
            return reread
    return line


def _is_likely(text: str) -> bool:
    """Whether all words are of one script, and one of them shows that they were meant."""
    if any(unicodedata.category(each) in NO_TEXT for each in text if each > "\x7f"):
        return False
    words = [word for word in re.findall(r"[^\W\d_]+", text) if not word.isascii()]
    return all(len(set(map(_script, word))) == 1 for word in words) and any(
        re.search(r"[^\x00-\x7f]{3}|[a-zA-Z][^\x00-\x7f]|[^\x00-\x7f][a-zA-Z]", word)
        for word in words
    )


@cache
def _script(letter: str) -> str:
    """The first word of a letter's name, such as `LATIN`; `CJK` for all of Japanese."""
    script = unicodedata.name(letter, "").partition(" ")[0]
    return "CJK" if script.startswith(("HIRAGANA", "KATAKANA")) else script
