"""Web addresses, removed from texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.process.markdown_code import FENCED, INLINE
from dagster_project.operators.process.text_cleaner import _TextCleaner, matches_edited, settled

LETTER = r"A-Za-z0-9\u00c0-\u1fff"
"""In a class. Up to Greek Extended: Chinese, Japanese and Korean write no space after an address.
Ranges, not classes of Unicode, as the states of the whole would not fit into the engine's cache."""

LABEL = rf"[{LETTER}](?:[{LETTER}_-]*[{LETTER}])?"
PORT = r"(?::[0-9]{1,5})?"
INSIDE = rf"[{LETTER}._~%/?#@!$&'*+,;:=-]"
LAST = rf"[{LETTER}~%/#@$&+=-]"
GROUP = r"(?:\([^\s()<>]*\)|\[[^\s\[\]<>]*\])"
REST = rf"(?:[/?#](?:(?:{INSIDE}|{GROUP})*(?:{LAST}|{GROUP}))?)"
"""Path, query and fragment, without the punctuation that follows; brackets come in pairs."""

SCHEME = r"(?i:https?|ftps?)://(?:[^\s/@<>()\[\]]+@)?"
HOST = rf"(?:{LABEL}(?:\.{LABEL})*|\[[0-9a-fA-F:.]+\])"
WITH_SCHEME = rf"{SCHEME}{HOST}{PORT}{REST}?"
NATIONAL = (
    "ac|ai|at|au|be|br|ca|ch|cn|co|de|dk|es|eu|fi|fr|gl|ie|in|io|it|jp|ly|me|nl|no|nz|pl|se|tv|uk"
    "|us"
)
WITHOUT_SCHEME = (
    rf"\b(?i:www)[0-9]?(?:\.{LABEL})+{PORT}{REST}?"
    rf"|\b(?:{LABEL}\.)+(?i:net|info|biz|{NATIONAL}){PORT}{REST}"
    rf"|\b(?:{LABEL}\.)+(?i:com|org|edu|gov)(?:\.(?i:{NATIONAL}))?\b{PORT}{REST}?"
)
"""`asp.net` and `log.info` are addresses only with a path."""

OTHER = rf"[{LETTER}._%+-]+@[{LETTER}.-]+|[@/\\][{LETTER}._/\\-]+"
"""E-mail addresses, handles and file paths: hosts within them are no addresses."""

LINK = r"!?\[((?:[^\[\]]|!\[[^\[\]]*\]\([^()\s]*\))*)\]\(\s*<?"
"""A link or image up to its target; its text, in which there may be an image."""

LINK_END = r""">?(?:\s+(?:"[^"\n]*"|'[^'\n]*'))?\s*\)"""


class RemoveUrls(_TextCleaner):
    """Removes web addresses, or replaces them by something else.

    Works on texts, and on the `content` of each message of a chat column. Addresses are found with a
    scheme (`https://…`, `http`, `ftp`) and without: `www.…`, hosts under `com`, `org`, `edu` and
    `gov`, and under some more domains if a path follows (`youtu.be/x`). Punctuation after an address
    stays; brackets are part of it in pairs. Of Markdown links and images whose target is an
    address the text stays: `[text](https://…)` becomes `text`. Angle brackets around an address go
    with it. E-mail addresses and file paths stay; `redact_pii` is for the former.

    Adds the annotation `urls`: how many addresses were found in the row, without those that stay by
    `keep_hosts`. Applying it twice is applying it once.

    Example:
        - remove_urls: {columns: [text], replacement: "<URL>", keep_hosts: [wikipedia.org]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    replacement: str = Field(default="", description="What is written instead of an address.")
    keep_hosts: tuple[str, ...] = Field(
        default=(),
        description="Hosts whose addresses stay, with their subdomains: `wikipedia.org` also keeps "
        "`en.wikipedia.org`.",
    )
    without_scheme: bool = Field(
        default=True, description="Also look for addresses without `https://`."
    )
    keep_code: bool = Field(
        default=True,
        description="Leave Markdown code alone: fenced blocks and code spans in backticks.",
    )

    @field_validator("replacement")
    @classmethod
    def _no_address(cls, value: str) -> str:
        if pl.Series([value]).str.contains(f"{WITH_SCHEME}|{WITHOUT_SCHEME}").item():
            raise ValueError(f"{value!r} is an address itself, and would be replaced again")
        return value

    def _hints(self) -> Sequence[str]:
        without = r"(?i:www)|\.(?i:com|org|edu|gov)|\.[A-Za-z]{2,4}(?::[0-9]+)?[/?#]"
        return ["://", without] if self.without_scheme else ["://"]

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        goes = self._goes(pl.element())
        return {
            "urls": lambda text: text.str.extract_all(self._places()).list.eval(goes).list.sum()
        }

    def _clean(self, text: pl.Expr) -> pl.Expr:
        return settled(text, lambda text: matches_edited(text, self._places(), self._edited_match))

    def _places(self) -> str:
        """Addresses, links to them, and where none are to be looked for."""
        url = f"{WITH_SCHEME}|{WITHOUT_SCHEME}" if self.without_scheme else WITH_SCHEME
        return f"{self._other()}|{LINK}(?:{url}){LINK_END}|<(?:{url})>|{url}"

    def _other(self) -> str:
        return f"{FENCED}|{INLINE}|{OTHER}" if self.keep_code else OTHER

    def _edited_match(self, match: pl.Expr) -> pl.Expr:
        written = pl.coalesce(match.str.extract(rf"\A{LINK}", 1), pl.lit(self.replacement))
        return pl.when(self._goes(match)).then(written).otherwise(match)

    def _goes(self, match: pl.Expr) -> pl.Expr:
        address = ~match.str.contains(rf"\A(?:{self._other()})")
        if not self.keep_hosts:
            return address
        host = match.str.extract(rf"\A(?:{LINK})?<?(?:{SCHEME})?({HOST})", 2).str.to_lowercase()
        kept = "|".join(re.escape(host.lower().strip(".")) for host in self.keep_hosts)
        return address & ~host.str.contains(rf"(?:^|\.)(?:{kept})$").fill_null(False)
