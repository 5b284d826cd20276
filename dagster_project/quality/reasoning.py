"""The expectation that answers think first, between tags, and then answer."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, model_validator

from dagster_project.operators.synthesize.text.final_answers import final_answer, same_answer
from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation
from dagster_project.quality.row_rules import broken_rules, fields_of, one_of, says_nothing
from dagster_project.warehouse.connect import identifier, literal

ANOTHER_ANSWER = "another final answer"

MARKED_LAST = r"(?:^|\n)[ \t]*####[ \t]*([^\n#]*[^\s#])\s*$"
"""A last line that marks the final answer, as `final_answer` reads it."""


class ReasoningValid(SqlExpectation):
    """Answers reason between tags, once and first, and then say something; where a column has the right
    final answer, they come to it.

    Of chats, every message of the assistant that has an opening or a closing tag is looked at, and the
    last in any case; tools may be called in place of an answer. A final answer is what follows `####`,
    what is in `\\boxed{…}`, what follows "the answer is", or else all that follows the reasoning. It is
    equal as a number (`1,200` and `$1200.00`) or as text but for case, articles and punctuation. Nulls
    in the column are not at fault.
    """

    of_a_table: ClassVar[bool] = True

    column: str = Field(default="messages", description="Texts, or chat messages.")
    opens: str = Field(default="<think>", min_length=1, description="What reasoning starts with.")
    closes: str = Field(default="</think>", min_length=1, description="What it ends with.")
    required: bool = Field(
        default=True, description="Whether the last answer must reason; if not, it may."
    )
    first: bool = Field(default=True, description="Whether nothing may stand before the reasoning.")
    final_answer_column: str | None = Field(
        default=None,
        description="The column of right final answers; default: `final_answer`, if there is one.",
    )

    @model_validator(mode="after")
    def _two_tags(self) -> ReasoningValid:
        if self.opens in self.closes or self.closes in self.opens:
            raise ValueError("`opens` and `closes` must not be parts of each other")
        return self

    def expected(self) -> str:
        must = "must" if self.required else "may"
        return (
            f"answers in `{self.column}` {must} reason once between {self.opens} and {self.closes}, "
            f"{'first' if self.first else 'anywhere'}, and then answer"
        )

    def look(self, audited: Audited, subject: Subject) -> Finding:
        types = audited.columns(subject.table)
        wanted = self.final_answer_column
        if wanted is None and "final_answer" in types:
            wanted = "final_answer"
        audited.require(subject.table, ["row_id", self.column, *([wanted] if wanted else [])])
        relation = self._answers(subject, types[self.column], wanted)
        rules = {
            "no reasoning": "opened = 0 AND closed = 0 AND is_last" if self.required else "false",
            "reasoning that is not closed": "opened > closed",
            "reasoning that is not opened": "opened < closed",
            "reasoning more than once": "opened = closed AND opened > 1",
            "reasoning closed before it is opened": "opened = closed AND opened = 1 "
            f"AND strpos(said, {literal(self.closes)}) < strpos(said, {literal(self.opens)})",
            "text before the reasoning": f"opened > 0 AND NOT ({says_nothing('before')})"
            if self.first
            else "false",
            "empty reasoning": f"opened = 1 AND closed = 1 AND ({says_nothing('thought')})",
            "no answer after the reasoning": f"closed > 0 AND NOT calls AND ({says_nothing('answer')})",
        }
        if wanted:
            rules[ANOTHER_ANSWER] = one_of("row_id", _other_answers(audited, relation))
        return broken_rules(audited, relation, rules, "rows reason otherwise")

    def _answers(self, subject: Subject, kind: str, wanted: str | None) -> str:
        """A query for the answers in parts: before, thought, answer; and what is wanted."""
        column = identifier(self.column)
        right = f"{identifier(wanted)}::VARCHAR" if wanted else "NULL"
        rows = f"FROM {identifier(subject.relation)} WHERE {column} IS NOT NULL"
        if kind == "VARCHAR":
            said = (
                f"SELECT row_id, {column} AS said, true AS is_last, false AS calls, "
                f"{right} AS right_ {rows}"
            )
        else:
            fields = fields_of(kind)
            if not {"role", "content"} <= set(fields):
                raise CannotCheck(
                    f"column `{self.column}` is {kind}, and neither text nor chat messages"
                )
            calls = "m.tool_calls IS NOT NULL" if "tool_calls" in fields else "false"
            said = (
                "SELECT row_id, m.content AS said, i = len(turns) AS is_last, "
                f"{calls} AS calls, right_ FROM (SELECT row_id, right_, turns, "
                "unnest(range(1, len(turns) + 1)) AS i, turns[i] AS m FROM (SELECT row_id, "
                f"{right} AS right_, list_filter({column}, lambda __m: __m.role = 'assistant') AS turns "
                f"{rows}))"
            )
        opens, closes = literal(self.opens), literal(self.closes)
        return (
            f"{subject.prefix}SELECT *, split_part(said, {opens}, 1) AS before, "
            f"CASE WHEN opened > 0 THEN split_part(split_part(said, {opens}, 2), {closes}, 1) END "
            f"AS thought, CASE WHEN closed > 0 THEN split_part(said, {closes}, -1) ELSE said END "
            "AS answer FROM (SELECT *, "
            + ", ".join(
                f"((length(coalesce(said, '')) - length(replace(coalesce(said, ''), {tag}, ''))) "
                f"// length({tag})) AS {name}"
                for tag, name in ((opens, "opened"), (closes, "closed"))
            )
            + f" FROM (\n{said}\n))"
        )


def _other_answers(audited: Audited, relation: str) -> list[int]:
    """The rows whose last answer is not the right one; answers are read only where neither all of one
    nor what is marked at its end is the same text."""
    marked = f"regexp_extract(answer, {literal(MARKED_LAST)}, 1)"
    cursor = audited.connection.execute(
        f"SELECT row_id, answer, right_ FROM (\n{relation}\n) WHERE is_last AND NOT calls "
        "AND right_ IS NOT NULL AND trim(answer) IS DISTINCT FROM trim(right_) "
        f"AND ({marked} = '' OR {marked} IS DISTINCT FROM trim(right_)) ORDER BY row_id"
    )
    other: list[int] = []
    while batch := cursor.fetchmany(1000):
        other += [row for row, answer, right in batch if not _comes_to(answer or "", right)]
    return other


def _comes_to(answer: str, right: str) -> bool:
    found = final_answer(answer, last_number=False)
    return same_answer(found.text if found else answer.strip(), right)
