"""Keep rows whose code parses as Python."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import require_new, require_text
from dagster_project.operators.process.markdown_code import FENCED

PYTHON = r"\A[ \t]*(?:```+|~~~+)[ \t]*(?i:python3?|py3?|pycon)?[ \t]*\r?\n"
LAST_FENCE = r"\n[ \t]*(?:```+|~~~+)[ \t]*\z"

PARSED = pl.Struct({"line": pl.Int64, "error": pl.String})


class ParseCode(RowOperator):
    """Keeps rows whose code parses as Python.

    The compiler of the Python that runs this reads the code up to bytecode, in this process; nothing is
    run. So code for Python 2 does not pass, nor does code for a later version than this one. Measured:

    | annotation | is |
    |---|---|
    | `syntax_error_line` | the line of the first error, from 1; 0 for none |
    | `syntax_error` | what the compiler says; empty for nothing |

    Rule: `syntax_error`. Code that is too long, or nested too deeply for the compiler, does not parse.
    An empty text does; `filter_length` removes it. A row without text is removed.

    With `fenced`, the code is what stands in the text's fenced Markdown blocks that are marked as
    Python or not marked; a text without such a block is taken as it is. `into` keeps the code.

    Example:
        - parse_code: {column: answer, fenced: all, into: code}

    Raises:
        OperatorMisuse: when the column does not hold text, or there is a column `into` already.
    """

    column: str = Field(default="code", description="A column of code, or of Markdown with code.")
    fenced: Literal["no", "first", "all"] = Field(
        default="no",
        description="Which fenced blocks hold the code: `no` for none, the `first`, or `all`, with a "
        "blank line between.",
    )
    into: str | None = Field(
        default=None, description="A column to write the code to; default: none."
    )
    max_characters: int = Field(
        default=200_000, ge=1, description="Longest code that is looked at; it bounds memory."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_text(self, schema, self.column)
        if self.into not in (None, self.column):
            require_new(self, schema, self.into, "into")
        parsed = self._code().map_batches(self._parsed, return_dtype=PARSED, is_elementwise=True)
        return {
            f"{self.prefix}syntax_error_line": parsed.struct.field("line"),
            f"{self.prefix}syntax_error": parsed.struct.field("error"),
        }

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        return {self.into: self._code()} if self.into is not None else {}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        line, error = (pl.col(self.prefix + name) for name in ("syntax_error_line", "syntax_error"))
        return [Rule("syntax_error", line == 0, error, "no error")]

    def _code(self) -> pl.Expr:
        text = pl.col(self.column)
        if self.fenced == "no":
            return text
        block = pl.element()
        python = block.filter(block.str.contains(PYTHON))
        inside = python.str.replace(PYTHON, "\n").str.replace(LAST_FENCE, "").str.strip_prefix("\n")
        blocks = text.str.extract_all(FENCED).list.eval(inside)
        code = blocks.list.first() if self.fenced == "first" else blocks.list.join("\n\n")
        return pl.when(blocks.list.len() > 0).then(code).otherwise(text)

    def _parsed(self, texts: pl.Series) -> pl.Series:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = [self._error(text) for text in texts.to_list()]
        return pl.Series(texts.name, found, PARSED)

    def _error(self, text: str | None) -> dict[str, int | str] | None:
        if text is None:
            return None
        if len(text) > self.max_characters:
            return {"line": 1, "error": f"longer than {self.max_characters:,} characters"}
        try:
            compile(text, "<code>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return {"line": max(1, error.lineno or 1), "error": error.msg}
        except (ValueError, OverflowError, RecursionError, MemoryError) as error:
            return {"line": 1, "error": str(error) or "nested too deeply"}
        return {"line": 0, "error": ""}
