"""Chat messages from columns."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.column_kinds import column_type, misuse, require_new

PART = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<column>[^{}]+)\}|(?P<stray>[{}])")


class ToMessages(RowOperator):
    """Makes chat messages from columns: a list of objects with `role` and `content`.

    A template is text with `{column}` where a column's value goes; a brace is written twice. The
    messages are `system`, if one is given, then `user`, then `assistant`. Numbers, truth values
    and dates are written as Polars writes them. The columns stay; leave them out with
    `map_columns`.

    Example:
        - to_messages: {user: "What is {topic}?", assistant: "{text}"}

    Raises:
        OperatorMisuse: when a column in a template is a list, an object or binary, or when `into`
            is there already.
    """

    user: str = Field(description="Template of the user's message.")
    assistant: str = Field(description="Template of the assistant's message.")
    system: str | None = Field(default=None, description="Template of a system message.")
    into: str = Field(default="messages", min_length=1, description="Name of the new column.")
    on_null: Literal["remove", "empty"] = Field(
        default="remove",
        description="A null in a template: `remove` the row by the rule `missing_value`, or put an "
        "`empty` text.",
    )

    @field_validator("user", "assistant", "system")
    @classmethod
    def _template(cls, value: str | None) -> str | None:
        for part in PART.finditer(value or ""):
            if part["stray"]:
                raise ValueError(
                    f"a single `{part['stray']}` at character {part.start() + 1}; write `{{column}}` "
                    f"for a column and `{part['stray'] * 2}` for a brace"
                )
        return value

    def reads(self) -> Sequence[str]:
        found = [
            part for template in self._templates().values() for part in PART.finditer(template)
        ]
        return list(dict.fromkeys(part["column"] for part in found if part["column"]))

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_new(self, schema, self.into, "into")
        for column in self.reads():
            found = column_type(self, schema, column)
            if found.is_nested() or found == pl.Binary:
                raise misuse(
                    self, column, found, "text, a number or a date; `map_columns` casts it"
                )
        messages = pl.concat_list(
            pl.struct(pl.lit(role).alias("role"), self._filled(template).alias("content"))
            for role, template in self._templates().items()
        )
        return {self.into: pl.when(self._complete()).then(messages)}

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        if self.on_null == "empty" or not self.reads():
            return ()
        missing = pl.concat_str(
            [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in self.reads()],
            separator=", ",
            ignore_nulls=True,
        )
        return [Rule("missing_value", self._complete(), missing, "no null in a template's columns")]

    def _templates(self) -> dict[str, str]:
        templates = {"system": self.system, "user": self.user, "assistant": self.assistant}
        return {role: template for role, template in templates.items() if template is not None}

    def _complete(self) -> pl.Expr:
        """Whether all columns of the templates have values."""
        if self.on_null == "empty" or not self.reads():
            return pl.lit(True)
        return pl.all_horizontal(pl.col(name).is_not_null() for name in self.reads())

    def _filled(self, template: str) -> pl.Expr:
        return pl.concat_str(list(_parts(template)) or [pl.lit("")])


def _parts(template: str) -> Iterator[pl.Expr]:
    """The texts and columns of a template, in order; a null is empty."""
    start = 0
    for part in PART.finditer(template):
        yield pl.lit(template[start : part.start()] + (part["brace"] or "")[:1])
        if part["column"]:
            yield pl.col(part["column"]).cast(pl.String).fill_null("")
        start = part.end()
    yield pl.lit(template[start:])
