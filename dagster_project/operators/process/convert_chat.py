"""One chat format into another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import polars as pl
from pydantic import ConfigDict, Field, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_formats import (
    FORMATS,
    FormatName,
    read_chat,
    write_chat,
)
from dagster_project.operators.process.column_kinds import require_new


class ConvertChat(RowOperator):
    """Converts rows from one chat format into another.

    | format | columns | conversations it holds |
    |---|---|---|
    | `messages` | `messages`: list of `role`, `content` | any messages of the five roles |
    | `sharegpt` | `conversations`: list of `from`, `value` | any messages of the five roles |
    | `alpaca` | `instruction`, `input`, `output`, `system` | [system] user assistant |
    | `prompt_completion` | `prompt`, `completion`: texts | user assistant |
    | `prompt_completion_messages` | the same as lists of messages | … assistant |
    | `preference` | `prompt`, `chosen`, `rejected`: texts | user, and two assistants |
    | `preference_messages` | the same as lists of messages | any messages of the five roles |
    | `preference_implicit` | `chosen`, `rejected`: lists that repeat the prompt | … and two messages |

    The first five convert into each other, and the last three; the formats and their column names
    are those of Stanford Alpaca, ShareGPT as LLaMA-Factory reads it, and TRL. Roles are `system`,
    `user` (in ShareGPT `human`), `assistant` (`gpt`, or `chatgpt` where it is read), `tool_call`
    (`function_call`) and `tool` (`observation`).

    A conversation the target cannot hold is removed by the rule `chat_shape`; nothing is cut off.
    Its measured value, which is also an annotation, is the conversation's shape: its roles in
    order, as in `system user assistant`, each with `+name` for a further field that is set and
    `-content` where the content is missing, `?` where there are none; of a preference, the shapes
    of the prompt and both answers, parted by `|`. Lists of messages keep their further fields.

    What the target holds comes back unchanged when it is converted back, but for Alpaca's `input`,
    which is put on a new line after the instruction, as LLaMA-Factory does, and stays there; an
    empty system prompt is none. Alpaca's `history` of earlier turns is read, not written. Of
    `preference_implicit`, the last message is the answer; those before it must be the same in both.

    Example:
        - convert_chat: {from: sharegpt, to: messages, names: {conversations: dialogue}}

    Raises:
        OperatorMisuse: when a column has the wrong type, or a column of the target is there
            already.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    source: FormatName = Field(alias="from", description="The format the rows have.")
    target: FormatName = Field(alias="to", description="The format they get.")
    names: dict[str, str] = Field(
        default_factory=dict,
        description="The rows' own names for columns of either format, by the format's name.",
    )
    shape_into: str = Field(
        default="chat_shape", min_length=1, description="Name of the annotation with the shape."
    )

    @model_validator(mode="after")
    def _convertible(self) -> Self:
        source, target = FORMATS[self.source], FORMATS[self.target]
        if self.source == self.target:
            raise ValueError(f"the rows are {self.source} already; there is nothing to convert")
        if source.pairs and not target.pairs:
            raise ValueError(
                f"{self.target} has no place for `rejected`; leave it out with `map_columns`, which "
                "can also rename `chosen` to `completion`"
            )
        if target.pairs and not source.pairs:
            raise ValueError(f"{self.target} needs a rejected answer, which {self.source} has not")
        known = sorted({*source.columns, *target.columns})
        for name in self.names:
            if name not in known:
                raise ValueError(
                    f"`names`: neither format has {name!r}; they have {', '.join(known)}"
                )
        return self

    def reads(self) -> Sequence[str]:
        optional = FORMATS[self.source].optional
        return [name for own, name in self._named(self.source).items() if own not in optional]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        chats = read_chat(self, schema, self.source, self._named(self.source))
        return {self.shape_into: pl.concat_str([chat.shape() for chat in chats], separator=" | ")}

    def edits(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        sources = self._named(self.source)
        for name in self._written():
            if name not in sources.values():
                require_new(self, schema, name, "names")
        written = write_chat(read_chat(self, schema, self.source, sources), self.target)
        named = self._named(self.target)
        return {named[own]: column for own, column in written.items()}

    def removes(self, schema: pl.Schema) -> Sequence[str]:
        sources = self._named(self.source).values()
        return [name for name in sources if name in schema and name not in self._written()]

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        target = FORMATS[self.target]
        shape = pl.col(self.shape_into)
        return [
            Rule(
                "chat_shape", shape.str.contains(f"^(?:{target.holds})$"), shape, target.holds_text
            )
        ]

    def _named(self, name: FormatName) -> dict[str, str]:
        """The rows' names of a format's columns by its own."""
        return {own: self.names.get(own, own) for own in FORMATS[name].columns}

    def _written(self) -> list[str]:
        named = self._named(self.target)
        return [named[own] for own in FORMATS[self.target].written]
