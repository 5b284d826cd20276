"""Expectations of Seedbed's own about rows."""

from __future__ import annotations

from typing import Any, ClassVar

import duckdb
from pydantic import Field, field_validator, model_validator

from dagster_project.quality.audited import Audited, CannotCheck, Subject, one_select
from dagster_project.quality.expectation import (
    Finding,
    SqlExpectation,
    identifiers,
    percent,
    quoted,
    some_rows,
)
from dagster_project.warehouse.connect import identifier, literal


class Sql(SqlExpectation):
    """No row, or few, come out of a query for failing rows."""

    query: str = Field(description="A SELECT that gives the `row_id` of failing rows.")
    max_failing: int | None = Field(default=None, ge=0, description="So many may fail.")
    max_failing_share: float | None = Field(
        default=None, ge=0, le=1, description="Such a share of all rows may fail."
    )

    @field_validator("query")
    @classmethod
    def _query(cls, value: str) -> str:
        return one_select(value)

    @model_validator(mode="after")
    def _one_limit(self) -> Sql:
        if self.max_failing is not None and self.max_failing_share is not None:
            raise ValueError("give `max_failing` or `max_failing_share`, not both")
        return self

    def expected(self) -> str:
        if self.max_failing_share is not None:
            most = f"at most {percent(self.max_failing_share)} of rows"
        else:
            most = f"at most {self.max_failing:,} rows" if self.max_failing else "no row"
        return f"{most} in: {' '.join(self.query.split())}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        (total,) = audited.row("SELECT count(*) FROM rows")
        described = audited.connection.execute(f"DESCRIBE (\n{self.query}\n)").fetchall()
        columns = [name for name, *_ in described]
        if "row_id" not in columns:
            raise CannotCheck(
                "the query must select `row_id`, to name the rows that fail; "
                f"it selects {quoted(columns)}"
            )
        most = self.max_failing or 0
        if self.max_failing_share is not None:
            most = self.max_failing_share * total
        shown = self.query if len(columns) > 1 else "SELECT * FROM rows"
        failing = f"SELECT row_id FROM (\n{self.query}\n)"
        return some_rows(
            audited, failing, total=total, most=most, shown_sql=shown, noun="rows fail"
        )


class DuplicateShare(SqlExpectation):
    """Few rows repeat an earlier row. Nulls are equal to each other."""

    of_a_table: ClassVar[bool] = True

    columns: tuple[str, ...] | None = Field(
        default=None, min_length=1, description="What is compared; default: whole rows."
    )
    max: float = Field(default=0.0, ge=0, le=1, description="Largest share of rows that repeat.")

    def expected(self) -> str:
        most = f"at most {percent(self.max)} of rows repeat" if self.max else "no row repeats"
        return f"{most} an earlier one" + (f" in {quoted(self.columns)}" if self.columns else "")

    def look(self, audited: Audited, subject: Subject) -> Finding:
        prefix, relation, compared = subject.prefix, identifier(subject.relation), self.columns
        if compared is None:
            if subject.table != "rows":
                raise CannotCheck(f"name the `columns` of `{subject.table}` to compare")
            relation, compared = f"{relation} JOIN row_hashes USING (row_id)", ("content_hash",)
        else:
            audited.require(subject.table, ["row_id", *compared])
        (total,) = audited.row(f"{prefix}SELECT count(*) FROM {relation}")
        return some_rows(
            audited,
            f"{prefix}SELECT row_id FROM {relation} EXCEPT "
            f"SELECT min(row_id) FROM {relation} GROUP BY {identifiers(compared)}",
            total=total,
            most=self.max * total,
            noun="rows repeat",
            shown_sql=f"{prefix}SELECT row_id, {identifiers(compared)} FROM {relation}",
        )


class ChatStructure(SqlExpectation):
    """Chat messages are well formed: each has a known role and content, a system message comes
    first if there is one, then user and assistant alternate, starting with the user, and the
    assistant has the last word. Results of tools (role `tool`) follow the assistant's call; a
    message with `tool_calls` needs no content. Null chats are not looked at."""

    of_a_table: ClassVar[bool] = True

    column: str = Field(default="messages", description="A list of `{role, content}`.")
    roles: tuple[str, ...] = Field(
        default=("system", "user", "assistant", "tool"), description="Roles that may occur."
    )

    def expected(self) -> str:
        return (
            f"chats in `{self.column}`: roles are {', '.join(self.roles)}; system only first; user "
            "and assistant alternate, from user to assistant; no message without content"
        )

    def look(self, audited: Audited, subject: Subject) -> Finding:
        audited.require(subject.table, ["row_id", self.column])
        fields = self._fields(audited.columns(subject.table)[self.column])
        rules = self._rules("tool_calls" in fields)
        column = identifier(self.column)
        chats = (  # no column of the user's in reach of a lambda: it would hide its parameter
            f"{subject.prefix}SELECT *, list_transform(chat, lambda __m: __m.role) AS roles FROM "
            f"(SELECT row_id, {column} AS chat FROM {identifier(subject.relation)} "
            f"WHERE {column} IS NOT NULL)"
        )
        counts = ", ".join(f"count(*) FILTER ({broken})" for broken in rules.values())
        total, *broken = audited.row(f"SELECT count(*), {counts} FROM (\n{chats}\n)")
        named = [f"{n:,} {rule}" for rule, n in zip(rules, broken, strict=True) if n]
        reasons = ", ".join(
            f"CASE WHEN {condition} THEN {literal(rule)} END" for rule, condition in rules.items()
        )
        return some_rows(
            audited,
            f"SELECT row_id FROM (\n{chats}\n) WHERE {' OR '.join(rules.values())}",
            total=total,
            most=0,
            shown_sql=f"SELECT row_id, concat_ws(', ', {reasons}) AS broken, chat AS {column} "
            f"FROM (\n{chats}\n)",
            noun="chats are malformed",
            more=f": {', '.join(named)}" if named else "",
        )

    def _fields(self, kind: str) -> list[str]:
        of: Any = duckdb.type(kind)
        item = of.children[0][1] if of.id == "list" else None
        fields = [name for name, _ in item.children] if item and item.id == "struct" else []
        if not {"role", "content"} <= set(fields):
            raise CannotCheck(
                f"column `{self.column}` is {kind}; chats are lists of `{{role, content}}`, "
                "as `to_messages` and `convert_chat` make them"
            )
        return fields

    def _rules(self, has_tool_calls: bool) -> dict[str, str]:
        roles = ", ".join(literal(role) for role in self.roles)
        called = " AND __m.tool_calls IS NULL" if has_tool_calls else ""
        rules = {
            "no messages": "len(roles) = 0",
            "unknown role": f"len(list_filter(roles, lambda r: r IS NULL OR r NOT IN ({roles}))) > 0",
            "system not first": "list_contains(roles[2:], 'system')",
            "not from user": "coalesce(roles[CASE roles[1] WHEN 'system' THEN 2 ELSE 1 END], '') "
            "<> 'user'",
            "not alternating": "len(list_filter(roles, lambda r, i: i > 1 AND CASE r WHEN 'tool' "
            "THEN roles[i - 1] NOT IN ('assistant', 'tool') ELSE r = roles[i - 1] END)) > 0",
            "not to assistant": "coalesce(roles[-1], '') <> 'assistant'",
            "empty content": "len(list_filter(chat, lambda __m: "
            f"coalesce(trim(__m.content::VARCHAR, E' \\t\\n\\r'), '') = ''{called})) > 0",
        }
        return {rule: f"({condition})" for rule, condition in rules.items()}
