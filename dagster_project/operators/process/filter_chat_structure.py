"""Keep chats whose turns are in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import polars as pl
from pydantic import Field, model_validator

from dagster_project.operators.base import RowOperator, Rule
from dagster_project.operators.process.chat_turns import require_roles
from dagster_project.operators.process.column_kinds import message_fields

OUT_OF_ORDER = (
    "user user",
    "user tool",
    "assistant assistant",
    "system assistant",
    "system tool",
    "system tool_call",
    "tool user",
    "tool_call user",
    "tool_call assistant",
)
"""What no message may be followed by, as the roles of both."""

CALLS = ("tool_calls", "function_call")
"""Fields of a message that may be set instead of its content."""

VISIBLE = r"[^\s\p{Cc}\p{Default_Ignorable_Code_Point}\u{2800}]"
"""A character that shows: no white space, control or zero-width character, or filler."""


class FilterChatStructure(RowOperator):
    """Keeps chats whose turns are in order.

    | rule | removes a chat | measured, as an annotation |
    |---|---|---|
    | `empty_turns` | with a message that says nothing: no content, or none that shows | `empty_turns` |
    | `unknown_roles` | with a role that is not in `roles`, or none | `chat_roles` |
    | `system_first` | with a system message anywhere but at the beginning | `chat_roles` |
    | `starts_with_user` | whose first message, the system's aside, is not the user's | `chat_roles` |
    | `ends_with_assistant` | whose last message is not the assistant's | `chat_roles` |
    | `turns_out_of_order` | in which user or assistant speak twice in a row, or a tool unasked | \
`turns_out_of_order` |
    | `min_turns`, `max_turns` | with too few or too many messages, the system's aside | `turns` |

    `chat_roles` are the roles in order, as in `system user assistant`. A message with tool calls
    needs no content, nor does a tool's answer. Between two turns of the assistant there may be
    tool calls and their answers, several in a row. A chat that is null is removed.

    Example:
        - filter_chat_structure: {column: messages, max_turns: 20, ends_with_assistant: false}

    Raises:
        OperatorMisuse: when the column does not hold chat messages with roles.
    """

    column: str = Field(default="messages", description="A column of chat messages.")
    empty_turns: bool = Field(default=True, description="Whether messages must say something.")
    roles: tuple[str, ...] | None = Field(
        default=("system", "user", "assistant", "tool_call", "tool"),
        description="The roles there may be; null allows any.",
    )
    system_first: bool = Field(
        default=True, description="Whether a system message must be the first, and the only one."
    )
    starts_with_user: bool = Field(default=True, description="Whether the user must begin.")
    ends_with_assistant: bool = Field(
        default=True, description="Whether the assistant must have the last word."
    )
    alternate: bool = Field(
        default=True, description="Whether turns must alternate (rule `turns_out_of_order`)."
    )
    min_turns: int | None = Field(
        default=2, ge=0, description="Fewest messages, the system's aside; null for no bound."
    )
    max_turns: int | None = Field(
        default=None, ge=0, description="Most messages, the system's aside; null for no bound."
    )
    prefix: str = Field(default="", description="Put before the names of the annotations.")

    @model_validator(mode="after")
    def _bounds(self) -> Self:
        least, most = self.min_turns, self.max_turns
        if least is not None and most is not None and least > most:
            raise ValueError(f"no chat has at least {least} and at most {most} turns")
        return self

    def reads(self) -> Sequence[str]:
        return [self.column]

    def annotations(self, schema: pl.Schema) -> Mapping[str, pl.Expr]:
        require_roles(self, schema, self.column)
        fields = message_fields(schema[self.column])
        message = pl.element().struct
        role, content = message.field("role"), message.field("content")
        says = content.str.contains(VISIBLE).fill_null(False) | (role == "tool").fill_null(False)
        says |= calls_tools(fields)
        named = role.str.replace_all(r"\s+", "?").fill_null("?")
        pairs = pl.concat_str([named.shift(1), named], separator=" ").is_in(OUT_OF_ORDER)
        chat = pl.col(self.column)
        return {
            f"{self.prefix}chat_roles": chat.list.eval(named).list.join(" "),
            f"{self.prefix}turns": _count(chat.list.eval(named != "system")),
            f"{self.prefix}empty_turns": _count(chat.list.eval(~says)),
            f"{self.prefix}turns_out_of_order": _count(chat.list.eval(pairs.fill_null(False))),
        }

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        order, turns, empty, disorder = (
            pl.col(self.prefix + name)
            for name in ("chat_roles", "turns", "empty_turns", "turns_out_of_order")
        )
        rules = []
        if self.empty_turns:
            rules.append(Rule("empty_turns", empty == 0, empty, "= 0"))
        if self.roles is not None:
            known = order.str.split(" ").list.eval(pl.element().is_in(self.roles)).list.all()
            known |= order == ""
            rules.append(Rule("unknown_roles", known, order, f"in {', '.join(self.roles)}"))
        if self.system_first:
            first = ~order.str.contains(r" system(?: |$)")
            rules.append(Rule("system_first", first, order, "system only first"))
        if self.starts_with_user:
            starts = order.str.contains(r"^(?:system )*user(?: |$)")
            rules.append(Rule("starts_with_user", starts, order, "[system] user …"))
        if self.ends_with_assistant:
            ends = order.str.contains(r"(?:^| )assistant$")
            rules.append(Rule("ends_with_assistant", ends, order, "… assistant"))
        if self.alternate:
            rules.append(Rule("turns_out_of_order", disorder == 0, disorder, "= 0"))
        if self.min_turns is not None:
            rules.append(Rule("min_turns", turns >= self.min_turns, turns, f">= {self.min_turns}"))
        if self.max_turns is not None:
            rules.append(Rule("max_turns", turns <= self.max_turns, turns, f"<= {self.max_turns}"))
        return rules


def calls_tools(fields: Mapping[str, pl.DataType]) -> pl.Expr:
    """Whether a message, the element of a list, has tool calls in a field of its own.

    Args:
        fields: of the messages.
    """
    calls = pl.lit(False)
    for name in CALLS:
        if name in fields:
            call = pl.element().struct.field(name)
            is_list = isinstance(fields[name], pl.List)
            calls |= (call.list.len() > 0).fill_null(False) if is_list else call.is_not_null()
    return calls


def _count(found: pl.Expr) -> pl.Expr:
    """How many items of a list are true; null for null."""
    return found.list.sum().cast(pl.Int64)
