"""Fenced code blocks, closed, named alike, or taken out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.process.text_cleaner import _TextCleaner, matches_edited

SHORTEST, LONGEST = 3, 6
OPENINGS = [
    rf"(?m:^)[ \t]*{mark * length}(?:[^{mark}\n][^`\n]*)?(?m:$)"
    for length in range(SHORTEST, LONGEST + 1)
    for mark in "`~"
]
CLOSINGS = [
    rf"\n[ \t]*{mark}{{{length},}}[ \t\r]*(?m:$)"
    for length in range(SHORTEST, LONGEST + 1)
    for mark in "`~"
]
CLOSED = "|".join(
    rf"{opening}(?:\n(?s:.*?))??{closing}"
    for opening, closing in zip(OPENINGS, CLOSINGS, strict=True)
)
UNCLOSED = rf"(?:{'|'.join(OPENINGS)})(?:\n(?s:.*))?\z"
BLOCK = f"{CLOSED}|{UNCLOSED}"
FENCE = r"[ \t]*(?:`+|~+)"
LANGUAGE = rf"\A(?P<fence>{FENCE})[ \t]*(?P<language>[^\s{{]*)(?P<rest>(?s:.*))\z"


class CleanCodeFences(_TextCleaner):
    """Closes fenced code blocks, names their languages alike, or takes the blocks or the rest out.

    Works on texts, and on the `content` of each message of a chat column. A block is fenced by three
    to six backticks or tildes, and closed by as many or more of the same, on lines of their own;
    one that nothing closes runs to the end, as in CommonMark, and is closed there. So a closing
    fence whose opening was lost makes code of what follows; `unclosed_fences` tells the rows.

    Adds the annotation `unclosed_fences`: how many texts or messages in the row had an unclosed
    block. Applying it twice is applying it once.

    Example:
        - clean_code_fences: {columns: [messages], roles: [assistant], language: lower}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    code: Literal["keep", "drop", "only"] = Field(
        default="keep",
        description="Blocks: `keep` them, `drop` them, or leave `only` them, with a blank line "
        "between; a text without blocks is then empty.",
    )
    language: Literal["keep", "lower", "drop"] = Field(
        default="keep",
        description="The word after an opening fence: `keep` it, write it in `lower` case, or `drop` "
        "it and what follows it on the line.",
    )
    close: bool = Field(default=True, description="Whether an unclosed block is closed.")

    def _hints(self) -> Sequence[str]:
        return [""] if self.code == "only" else [r"(?m)^[ \t]*(?:```|~~~)"]

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        return {"unclosed_fences": lambda text: _unclosed(text.str.extract_all(BLOCK).list.last())}

    def _clean(self, text: pl.Expr) -> pl.Expr:
        if self.code == "only":
            blocks = text.str.extract_all(BLOCK)
            return blocks.list.eval(self._block(pl.element())).list.join("\n\n")
        if self.code == "drop":
            return text.str.replace_all(rf"(?:{BLOCK})\n?", "")
        return matches_edited(text, BLOCK, self._block)

    def _block(self, block: pl.Expr) -> pl.Expr:
        if self.close:
            fence = block.str.extract(rf"\A({FENCE})", 1)
            line = pl.when(block.str.ends_with("\n")).then(pl.lit("")).otherwise(pl.lit("\n"))
            closed = pl.concat_str(block, line, fence)
            block = pl.when(_unclosed(block)).then(closed).otherwise(block)
        if self.language == "keep":
            return block
        if self.language == "drop":
            return block.str.replace(rf"\A({FENCE})[^\n]*", "${1}")
        part = block.str.extract_groups(LANGUAGE).struct
        return pl.concat_str(
            part.field("fence"), part.field("language").str.to_lowercase(), part.field("rest")
        )


def _unclosed(block: pl.Expr) -> pl.Expr:
    return ~block.str.contains(rf"\A(?:{CLOSED})\z").fill_null(True)
