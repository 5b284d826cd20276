"""Lines in capitals, written as sentences."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.process.markdown_code import FENCED
from dagster_project.operators.process.text_cleaner import _TextCleaner, matches_edited, settled

LINE = rf"{FENCED}|[^\n]+"
SENTENCE = r"(?:[^.!?…]|[.!?…]+[^\s.!?…\"'”’)\]])+(?:[.!?…]+[\"'”’)\]]*)?|[.!?…]+[\"'”’)\]]*"
"""Up to a full stop, question or exclamation mark before white space."""

CODE = rf"\A(?:{FENCED})|[_={{}}<>\\]|\(\)|;[ \t\r]*\z"
"""A fenced block, or signs of which prose has none."""

WORD = r"\b\p{L}[\p{L}\p{M}'’-]*\b"
FIRST_LETTER = r"\A(?P<before>[^\p{L}\p{N}]*)(?P<letter>\p{L})(?P<after>(?s:.*))\z"


class ChangeCase(_TextCleaner):
    r"""Writes lines that are in capitals as sentences, or in lower case.

    Works on texts, and on the `content` of each message of a chat column, line by line: only lines
    with enough words, nearly all of whose letters are capitals, are changed; not fenced code, and
    no line with one of `_={}<>\` or `()` in it or `;` at its end, which is code as well.
    `sentence` writes the first letter of each sentence as a capital and the rest in lower case; a
    line starts a sentence, even if it goes on with that of the line before.
    Names and acronyms cannot be told from other words in such a line, and lose their capitals,
    but for those in `words`. Letters without case do not count.

    Adds the annotation `capital_lines`: how many lines were changed in the row. Applying it twice is
    applying it once.

    Example:
        - change_case: {columns: [text], words: [I, "I'M", NASA, USA]}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    all_caps: Literal["sentence", "lower"] = Field(
        default="sentence", description="How lines in capitals are written."
    )
    words: tuple[str, ...] = Field(
        default=("I",),
        description="Words that are written like this in the lines that are changed.",
    )
    min_share: float = Field(
        default=0.9, gt=0.5, le=1, description="Least share of capitals among a line's letters."
    )
    min_words: int = Field(default=5, ge=1, description="Fewest words of a line that is changed.")

    def _hints(self) -> Sequence[str]:
        return [r"\p{Lu}[^\p{Ll}\p{Lu}\n]*\p{Lu}"]

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        line = pl.element()
        changed = self._rewritten(line) != line
        return {
            "capital_lines": lambda text: text.str.extract_all(LINE).list.eval(changed).list.sum()
        }

    def _clean(self, text: pl.Expr) -> pl.Expr:
        return settled(text, lambda text: matches_edited(text, LINE, self._rewritten))

    def _rewritten(self, line: pl.Expr) -> pl.Expr:
        """A line as it is to be."""
        capitals = line.str.count_matches(r"\p{Lu}")
        letters = line.str.count_matches(r"[\p{Lu}\p{Ll}]")
        shouts = (capitals >= self.min_share * letters) & (
            line.str.count_matches(WORD) >= self.min_words
        )
        written = line.str.to_lowercase()
        if self.all_caps == "sentence":
            written = written.str.extract_all(SENTENCE).list.eval(_capitalised(pl.element()))
            written = written.list.join("")
        for word in self.words:
            spelled = word.replace("$", "$$")
            written = written.str.replace_all(rf"(?i)\b{re.escape(word)}\b", spelled)
        return pl.when(shouts & ~line.str.contains(CODE)).then(written).otherwise(line)


def _capitalised(sentence: pl.Expr) -> pl.Expr:
    part = sentence.str.extract_groups(FIRST_LETTER).struct
    letter = part.field("letter").str.to_uppercase()
    letter = pl.when(letter.str.len_chars() == 1).then(letter).otherwise(part.field("letter"))
    return pl.coalesce(pl.concat_str(part.field("before"), letter, part.field("after")), sentence)
