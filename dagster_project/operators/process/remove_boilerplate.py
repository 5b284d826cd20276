"""Lines of web pages, forums and mails that are no part of the text, removed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import polars as pl
from polars.exceptions import PolarsError
from pydantic import Field, field_validator, model_validator

from dagster_project.operators.process.boilerplate_lines import (
    KINDS,
    MAIL_HEADERS,
    SIGNATURE,
    KindName,
)
from dagster_project.operators.process.markdown_code import FENCED
from dagster_project.operators.process.text_cleaner import (
    _TextCleaner,
    characters_removed,
    settled,
)


class RemoveBoilerplate(_TextCleaner):
    """Removes lines that web pages, forums and mail programs put around their texts.

    Works on texts, and on the `content` of each message of a chat column. Only whole lines go, not
    longer than `max_line`, and none of fenced code. The kinds, with examples:

    | kind | lines such as |
    |---|---|
    | `cookies` | "We use cookies to improve …", "Accept all cookies", "Privacy policy" |
    | `newsletter` | "Subscribe to our newsletter", "Enter your email address" |
    | `sharing` | "Share on Facebook", "Facebook Twitter LinkedIn", "Follow us on Twitter" |
    | `copyright` | "© 2019 Example Ltd", "All rights reserved", "Powered by WordPress" |
    | `links` | "Click here to …", "Read more", "Back to top", "Leave a comment", "Related posts" |
    | `navigation` | "Home \\| About \\| Contact": at least two common names of pages among them |
    | `byline` | "Posted by Ann on May 5, 2019", "12 comments", "Filed under: x", "Reply Quote Report" |
    | `mail` | "On May 5, 2019, Ann wrote:", "Sent from my iPhone", headers after "Original Message", a \
signature after "-- " |

    The patterns are English, this project's own, and listed in `boilerplate_lines.py`. That lines on
    cookies and terms of use are to go is from C4 (Raffel et al. 2020, arXiv 1910.10683), which looks
    for a few words in any line: see `filter_c4`. Trafilatura and jusText find boilerplate
    by the structure of HTML; where there is HTML, they do better. A text that would lose more than
    `max_share` of its characters stays as it is: it may be about these very things.

    Adds two annotations: `boilerplate_characters`, how many code points went in the row, and
    `boilerplate_left`, how many texts or messages stayed as they are by `max_share`. Applying it
    twice is applying it once. Use it before `normalize_text`, which trims the "-- " of signatures.

    Example:
        - remove_boilerplate: {columns: [text], kinds: [cookies, sharing], patterns: ["ad closed"]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    kinds: tuple[KindName, ...] = Field(
        default=tuple(KINDS),
        description="What is removed; default: all.",
    )
    patterns: tuple[str, ...] = Field(
        default=(),
        description="More lines, as Rust regular expressions of the whole line without white space "
        "around it and punctuation after it, in any case.",
    )
    max_line: int = Field(default=200, ge=1, description="Most code points of a line that goes.")
    max_share: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="Greatest share of its characters that a text may lose.",
    )

    @field_validator("patterns")
    @classmethod
    def _regular(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in value:
            try:
                pl.Series([""]).str.contains(pattern)
            except PolarsError as error:
                what = str(error).split("\n\nThis error occurred")[0].strip()
                raise ValueError(f"{pattern!r} is not a regular expression: {what}") from error
        return value

    @model_validator(mode="after")
    def _something(self) -> RemoveBoilerplate:
        if not self.kinds and not self.patterns:
            raise ValueError("nothing is removed; name kinds or give patterns")
        return self

    def _hints(self) -> Sequence[str]:
        lines = [rf"(?m:^){line}(?m:$)" for line in self._lines()]
        return [*lines, MAIL_HEADERS, SIGNATURE] if "mail" in self.kinds else lines

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        return {
            "boilerplate_characters": characters_removed(self._clean),
            "boilerplate_left": lambda text: ~self._few(text, self._without_lines(text)),
        }

    def _clean(self, text: pl.Expr) -> pl.Expr:
        without = self._without_lines(text)
        return pl.when(self._few(text, without)).then(without).otherwise(text)

    def _few(self, text: pl.Expr, without: pl.Expr) -> pl.Expr:
        length = text.str.len_chars()
        return length - without.str.len_chars() <= self.max_share * length

    def _without_lines(self, text: pl.Expr) -> pl.Expr:
        return settled(text, self._pass)

    def _pass(self, text: pl.Expr) -> pl.Expr:
        if "mail" in self.kinds:
            blocks = rf"(?P<code>{FENCED})|{MAIL_HEADERS}|{SIGNATURE}"
            text = text.str.replace_all(blocks, "${code}")
        line = pl.element()
        whole = line.str.strip_chars_end("\r\n")
        known = pl.any_horizontal(whole.str.contains(rf"\A{each}\z") for each in self._lines())
        goes = known & (whole.str.len_chars() <= self.max_line)
        pieces = text.str.extract_all(rf"{FENCED}\n?|[^\n]*\n|[^\n]+")
        return pieces.list.eval(pl.when(~goes).then(line).otherwise(pl.lit(""))).list.join("")

    def _lines(self) -> list[str]:
        """Whole lines of boilerplate, by kind."""
        kinds = ["|".join(f"(?:{line})" for line in KINDS[kind]) for kind in self.kinds]
        either = [kind.replace("'", "['’‘]?") for kind in kinds] + list(self.patterns)
        mark = r"(?:[*•▪►»›«‹+-][ \t]+)?"
        return [rf"(?i:[ \t]*{mark}(?:{each})[ \t]*[.:;,!…»›>→]*[ \t\r]*)" for each in either]
