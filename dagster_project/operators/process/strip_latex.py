"""LaTeX documents to text, with their formulas."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.process.latex_markup import (
    CODE_SPAN,
    COMMAND,
    COMMENT,
    ESCAPED,
    FOOTNOTE,
    FORMULA,
    KNOWN,
    LINE_BREAK,
    LINKED,
    MATH_COMMAND,
    NAMED,
    OUTSIDE_DOCUMENT,
    URL,
    VERBATIM,
    WITHOUT_TEXT,
)
from dagster_project.operators.process.markdown_code import FENCED
from dagster_project.operators.process.text_cleaner import (
    _TextCleaner,
    characters_removed,
    matches_edited,
    settled,
)

INTACT = f"{VERBATIM}|{FORMULA}|{MATH_COMMAND}"
"""What no command is looked for in."""


class StripLatex(_TextCleaner):
    r"""Removes LaTeX and leaves its text and, by default, its formulas.

    Works on texts, and on the `content` of each message of a chat column. A text counts as LaTeX if
    a well-known command with its brace is in it outside of formulas and code, such as `\section{`,
    `\textbf{`, `\cite{` or `\begin{`. Other texts stay, but for formulas that are to go. In LaTeX,

    - what is before `\begin{document}` and after `\end{document}` goes, and so do comments, but a
      percent sign after a digit starts none;
    - commands on layout, labels and files go with what they are given (`\usepackage`, `\label`,
      `\includegraphics`, …), as do citations, references, pictures in TikZ, and definitions of
      commands, which are not expanded;
    - other commands become their last argument: `\textbf{x}`, `\section{x}`, `\href{…}{x}` become
      `x`, a footnote `(x)`;
    - environments lose their `\begin{…}` and `\end{…}`, verbatim ones stay whole, `\item` becomes
      `-`, `\\` a line end, `~` a space, and `\%`, `\&`, `\_`, `\#` the sign itself. `\$` stays.

    Formulas are `$…$`, `$$…$$`, `\(…\)`, `\[…\]` and environments such as `equation` and `align`.
    Commands without braces that are not known, such as `\alpha`, stay, and so do tables' `&`. Where
    braces do not match, their command stays, and with it all escaped signs of the text.
    `normalize_text` afterwards tidies the white space.

    Adds the annotation `latex_characters`: how many code points shorter the row's texts became.
    Applying it twice is applying it once.

    Example:
        - strip_latex: {columns: [text], math: replace, placeholder: "[formula]"}

    Raises:
        OperatorMisuse: for a column that holds neither text nor chat messages, or chat messages
            without roles when `roles` are given.
    """

    math: Literal["keep", "drop", "replace"] = Field(
        default="keep", description="Formulas: `keep` them, `drop` them, or write `placeholder`."
    )
    placeholder: str = Field(default="<MATH>", description="Written for a formula by `replace`.")
    keep_code: bool = Field(
        default=True,
        description="Leave Markdown code alone: fenced blocks and code spans in backticks.",
    )

    def _hints(self) -> Sequence[str]:
        return [KNOWN] if self.math == "keep" else [KNOWN, r"\$|\\[(\[]"]

    def _measures(self) -> Mapping[str, Callable[[pl.Expr], pl.Expr]]:
        return {"latex_characters": characters_removed(self._clean)}

    def _clean(self, text: pl.Expr) -> pl.Expr:
        return text.map_batches(self._plain, return_dtype=pl.String, is_elementwise=True)

    def _plain(self, texts: pl.Series) -> pl.Series:
        """Escaped signs become plain ones only if nothing is then left that counts as LaTeX or as a
        formula to go: a plain percent sign must not become a comment when it is run again."""
        text, bare, plain = pl.col("text"), pl.col("bare"), pl.col("plain")
        unescaped = self._replaced(bare, rf"{INTACT}|\\[\\$]", ESCAPED, "${text}${sign}")
        final = self._is_latex(text) & ~self._is_latex(plain) & (self._pass(plain) == plain)
        return (
            texts.to_frame("text")
            .with_columns(settled(text, self._pass).alias("bare"))
            .with_columns(unescaped.alias("plain"))
            .select(pl.when(final).then(plain).otherwise(bare).alias(texts.name))
            .to_series()
        )

    def _pass(self, text: pl.Expr) -> pl.Expr:
        if self.math != "keep":
            written = "" if self.math == "drop" else self.placeholder.replace("$", "$$")
            text = self._replaced(text, rf"{VERBATIM}|\\[\\$]", FORMULA, written)
        return pl.when(self._is_latex(text)).then(self._without_markup(text)).otherwise(text)

    def _is_latex(self, text: pl.Expr) -> pl.Expr:
        stays = rf"{self._code()}{VERBATIM}|\\[\\$]|{FORMULA}"
        return text.str.replace_all(stays, "").str.contains(KNOWN)

    def _without_markup(self, text: pl.Expr) -> pl.Expr:
        text = self._replaced(text, rf"{VERBATIM}|{URL}|{LINKED}|\\[^\n]|[0-9] ?%", COMMENT, "")
        text = self._replaced(text, VERBATIM, OUTSIDE_DOCUMENT, "")
        intact = rf"{INTACT}|{URL}|\\[^A-Za-z\\]"
        text = self._replaced(text, intact, LINE_BREAK, "\n")
        text = self._replaced(text, intact, WITHOUT_TEXT, "")
        text = self._replaced(text, intact, FOOTNOTE, " (${text})")
        text = self._replaced(text, intact, COMMAND, "${text}")
        for pattern, written in NAMED:
            text = self._replaced(text, intact, pattern, written)
        return text

    def _replaced(self, text: pl.Expr, stays: str, pattern: str, written: str) -> pl.Expr:
        """What matches a pattern rewritten, but not in what stays or in Markdown code."""
        stays = f"{self._code()}{stays}"
        if not re.sub(r"\$\{\w+\}", "", written):
            return text.str.replace_all(f"(?P<stays>{stays})|{pattern}", f"${{stays}}{written}")

        def edited(match: pl.Expr) -> pl.Expr:
            rewritten = match.str.replace_all(pattern, written)
            return pl.when(match.str.contains(rf"\A(?:{stays})")).then(match).otherwise(rewritten)

        return matches_edited(text, f"{stays}|{pattern}", edited)

    def _code(self) -> str:
        return f"{FENCED}|{CODE_SPAN}|" if self.keep_code else ""
