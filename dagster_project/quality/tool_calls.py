"""The expectation that calls of tools in chats are valid, and answered."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import Field

from dagster_project.operators.synthesize.asking.tool_definitions import (
    UNKNOWN_TOOL,
    Tools,
    ToolsBroken,
    wrong_call,
)
from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation
from dagster_project.quality.row_rules import broken_rules, fields_of, one_of
from dagster_project.warehouse.connect import identifier, literal

NOT_A_LIST = "calls that are no list"
NOT_THE_ASSISTANT = "a call by another than the assistant"
NO_JSON = "arguments that are no JSON object"
UNDECLARED = "a tool that is not declared"
WRONG_ARGUMENTS = "arguments against the schema"
BROKEN_TOOLS = "tools that are no definitions"
SAME_ID = "two calls with one id"
ORPHAN = "a result without a call"
UNANSWERED = "a call without one result"

CALLS = """
{prefix}, chats AS (
    SELECT row_id, {column} AS chat, {tools} AS tools FROM {relation} WHERE {column} IS NOT NULL
), messages AS (
    SELECT row_id, tools, i, to_json(chat[i]) AS message
    FROM (SELECT row_id, tools, chat, unnest(range(1, len(chat) + 1)) AS i FROM chats)
), turns AS (
    SELECT row_id, tools, i, message->>'$.role' AS role, message->>'$.tool_call_id' AS answers,
        {calls} AS calls, max(i) OVER (PARTITION BY row_id) AS last,
        max(CASE WHEN role = 'tool' THEN 0 ELSE i END) OVER (PARTITION BY row_id ORDER BY i) AS head
    FROM messages
), calls AS (
    SELECT row_id, tools, i, role, last, call->>'$.id' AS id,
        coalesce(call->>'$.function.name', call->>'$.name') AS name,
        coalesce(call->'$.function.arguments', call->'$.arguments') AS given,
        CASE json_type(given) WHEN 'VARCHAR' THEN given->>'$' ELSE given::VARCHAR END AS arguments,
        CASE WHEN json_valid(arguments) THEN json_type(arguments) = 'OBJECT' END AS readable
    FROM (SELECT *, unnest(json_extract(calls, '$[*]')) AS call FROM turns
        WHERE json_type(calls) = 'ARRAY')
), results AS (SELECT row_id, head, answers FROM turns WHERE role = 'tool'
), blocks AS (
    SELECT row_id, i AS head, count(*) AS asked, list(id) AS ids, any_value(last) AS last
    FROM calls GROUP BY ALL
), answered AS (
    SELECT row_id, head, count(*) AS results, list(answers) FILTER (answers IS NOT NULL) AS named
    FROM results GROUP BY ALL
)
"""
"""The turns of each chat, the calls in them, and the results that follow a turn: its block."""

FAULTS = f"""
    SELECT row_id, {literal(NOT_A_LIST)} AS fault FROM turns
    WHERE json_type(calls) NOT IN ('ARRAY', 'NULL')
    UNION ALL SELECT row_id, {literal(NOT_THE_ASSISTANT)} FROM calls
    WHERE role IS DISTINCT FROM 'assistant'
    UNION ALL SELECT row_id, {literal(NO_JSON)} FROM calls
    WHERE readable IS NOT TRUE
    UNION ALL SELECT row_id, {literal(SAME_ID)} FROM blocks
    WHERE len(list_filter(ids, lambda x: x IS NOT NULL))
        <> len(list_distinct(list_filter(ids, lambda x: x IS NOT NULL)))
    UNION ALL SELECT row_id, {literal(ORPHAN)} FROM results LEFT JOIN blocks USING (row_id, head)
    WHERE asked IS NULL OR (answers IS NOT NULL AND NOT list_contains(ids, answers))
"""

UNANSWERED_CALLS = f"""
    UNION ALL SELECT row_id, {literal(UNANSWERED)} FROM blocks
    LEFT JOIN answered USING (row_id, head)
    WHERE head < last AND CASE
        WHEN len(coalesce(named, [])) < coalesce(results, 0) OR list_contains(
            list_transform(ids, lambda x: x IS NULL), true) THEN coalesce(results, 0) <> asked
        ELSE len(list_filter(ids, lambda x:
            len(list_filter(coalesce(named, []), lambda y: y = x))
            <> len(list_filter(ids, lambda y: y = x)))) > 0 END
"""


class ToolCallsValid(SqlExpectation):
    """Calls of tools name a tool that the row declares, with arguments that its JSON Schema allows, and
    each has one result.

    Chats are messages with `tool_calls` in OpenAI's form, or with `name` and `arguments` alone;
    arguments are JSON, as text or not. Results are the messages of role `tool` right after the call,
    and answer it by `tool_call_id`, or where there is none by their number. Calls in the last message
    need no result. Schemas are read as draft 2020-12, and objects with named properties have no
    others unless `additionalProperties` says so. Null chats, and those without calls, are not at fault.
    """

    of_a_table: ClassVar[bool] = True

    column: str = Field(default="messages", description="A list of messages with `tool_calls`.")
    tools_column: str | None = Field(
        default="tools",
        description="The tools that a row declares: JSON text or a list of definitions; null if they "
        "are not in the rows, so that names and schemas are not compared.",
    )
    answered: bool = Field(
        default=True, description="Whether calls must have a result, the last message's aside."
    )

    def expected(self) -> str:
        declared = f"tools that `{self.tools_column}` declares" if self.tools_column else "tools"
        results = " and have one result each" if self.answered else ""
        return f"calls in `{self.column}` are of {declared}, as their schemas allow,{results}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        columns = [self.column, *([self.tools_column] if self.tools_column else [])]
        audited.require(subject.table, ["row_id", *columns])
        types = audited.columns(subject.table)
        fields = fields_of(types[self.column])
        if not {"role", "tool_calls"} <= set(fields):
            raise CannotCheck(
                f"the messages of `{self.column}` have no `tool_calls`; they are {types[self.column]}"
            )
        start = self._calls(subject, fields["tool_calls"], types)
        faults = FAULTS + (UNANSWERED_CALLS if self.answered else "")
        found = self._misused(audited, start) if self.tools_column else {}
        for fault, rows in found.items():
            rows_at_fault = one_of("row_id", sorted(rows))
            faults += (
                f"UNION ALL SELECT row_id, {literal(fault)} FROM chats WHERE {rows_at_fault}\n"
            )
        named = list(dict.fromkeys((*_FAULTS, *found)))
        return broken_rules(
            audited,
            f"{start}, faults AS ({faults}), broken AS (SELECT row_id, list(DISTINCT fault ORDER BY "
            "fault) AS faults FROM faults GROUP BY ALL) SELECT row_id, faults, chat FROM chats "
            "LEFT JOIN broken USING (row_id)",
            {fault: f"list_contains(faults, {literal(fault)})" for fault in named},
            "chats have calls that are not valid",
        )

    def _calls(self, subject: Subject, kind: str, types: Mapping[str, str]) -> str:
        calls = "message->'$.tool_calls'"
        if kind == "VARCHAR":
            text = "message->>'$.tool_calls'"
            calls = f"coalesce(TRY_CAST({text} AS JSON), {calls})"
        tools = "NULL"
        if self.tools_column:
            tools = identifier(self.tools_column)
            if types[self.tools_column] != "VARCHAR":
                tools = f"to_json({tools})::VARCHAR"
        return CALLS.format(
            prefix=subject.prefix.rstrip() or "WITH one AS (SELECT 1)",
            column=identifier(self.column),
            tools=tools,
            relation=identifier(subject.relation),
            calls=calls,
        )

    def _misused(self, audited: Audited, start: str) -> dict[str, set[int]]:
        """The rows by what is wrong with their tools, names and arguments; each different call is
        looked at once."""
        cursor = audited.connection.execute(
            f"{start} SELECT tools, name, arguments, list(DISTINCT row_id) FROM calls "
            "WHERE readable GROUP BY ALL ORDER BY ALL"
        )
        found: dict[str, set[int]] = defaultdict(set)
        while batch := cursor.fetchmany(1000):
            for tools, name, arguments, rows in batch:
                fault = _fault(tools, name, arguments)
                if fault is not None:
                    found[fault].update(rows)
        return {fault: found[fault] for fault in sorted(found)}


_FAULTS = (NOT_A_LIST, NOT_THE_ASSISTANT, NO_JSON, SAME_ID, ORPHAN, UNANSWERED)


def _fault(tools: str | None, name: str | None, arguments: str) -> str | None:
    """What is wrong with a call of one of some tools; None for a valid one."""
    if tools is None:
        return UNDECLARED
    declared = _declared(tools)
    if declared is None:
        return BROKEN_TOOLS
    try:
        given = json.loads(arguments)
    except (ValueError, RecursionError):
        return NO_JSON
    wrong = wrong_call({"name": name, "arguments": given}, declared)
    if wrong is None:
        return None
    return UNDECLARED if wrong[0] == UNKNOWN_TOOL else WRONG_ARGUMENTS


@lru_cache(maxsize=64)
def _declared(text: str) -> Tools | None:
    """The tools that a text declares; None when it declares none."""
    try:
        given = json.loads(text)
        return Tools.of(_without_nulls(given)) if isinstance(given, list) else None
    except (ToolsBroken, ValueError, RecursionError):
        return None


def _without_nulls(value: Any) -> Any:
    """Without the fields that are null only because other tools in the column have them."""
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return value
