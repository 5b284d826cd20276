"""The expectation that rows are what their training phase needs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field

from dagster_project.quality.audited import Audited, CannotCheck, Subject
from dagster_project.quality.expectation import Finding, SqlExpectation, percent
from dagster_project.quality.phase_columns import PHASES, SPEAKING, Columns, fits, kind_of, listed
from dagster_project.quality.row_rules import broken_rules, fields_of, one_of, says_nothing
from dagster_project.recipe.model import Phase
from dagster_project.warehouse.connect import identifier, literal

NUMBER = (
    r"^\s*[-+−–]?\s*[$€£¥]?\s*(\d{1,3}(,\d{3})+|\d+)?(\.\d+)?(\s*/\s*0*[1-9]\d*)?\s*%?"
    r"(\s+\p{L}[\p{L} ]*|\s*\p{L}{2,}[\p{L} ]*)?\.?\s*$"
)
"""A number as answers give it, with a currency or a unit, as a regular expression of RE2."""

ASSERTS = r"\bassert|>>>|\braise\b|\bdef\s+(test|check)"
"""What every program that tests another has in it."""

LONGEST_TESTS = 200_000
"""Tests of more characters are not parsed."""


class PhaseSchema(SqlExpectation):
    """Rows have the columns that their training phase needs, and in them what can be trained on.

    | phase | columns | rows fail whose |
    |---|---|---|
    | `pretrain` | `text` | text says nothing |
    | `sft` | `messages`; `conversations`; `prompt` and `completion` or `answer`; `instruction` and \
`output`; `text` | prompt or answer says nothing |
    | `preference` | `chosen` and `rejected`, with a `prompt` or as chats | answers are the same, have \
different prompts or roles, or say nothing |
    | `reward` | those of `preference`; or those of `sft` with `score` or `label`; or `prompt`, \
`completions` and `labels` | score is not finite or out of range, label is none, steps and labels differ \
in number |
    | `rl` | `prompt` with `answer` (and `options`), `tests` or `constraint` | answer, tests or \
constraint cannot be verified |

    An answer is verifiable if it is there; with `options`, if it is one of them or the letter of one;
    with `answers: number`, if it is a number. Tests must parse as Python and assert something; a
    constraint in text must be JSON.
    """

    of_a_table: ClassVar[bool] = True

    phase: Phase = Field(description="The phase.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        description="What the rows call a column that the phase needs, by the phase's name for it.",
    )
    required: bool = Field(
        default=True,
        description="Whether the columns must be there; if not, rows without them are not looked at.",
    )
    min_score: float | None = Field(default=None, description="Least `score`.")
    max_score: float | None = Field(default=None, description="Greatest `score`.")
    answers: Literal["any", "number"] = Field(
        default="any", description="What an `answer` of phase `rl` must be."
    )
    python_tests: bool = Field(default=True, description="Whether `tests` are Python.")

    max_failing_share: float = Field(
        default=0.0, ge=0, le=1, description="Such a share of rows may fail."
    )

    def expected(self) -> str:
        most = f", but for {percent(self.max_failing_share)}" if self.max_failing_share else ""
        return f"rows can be used for {self.phase}{most}: {listed(self.phase)}"

    def look(self, audited: Audited, subject: Subject) -> Finding:
        types = audited.columns(subject.table)
        found = self._found(types)
        if found is None:
            shown = ", ".join(f"`{name}` {kind[:60]}" for name, kind in types.items())
            if not self.required:
                return Finding(True, f"no columns that {self.phase} needs; no row is looked at")
            raise CannotCheck(
                f"{self.phase} needs {listed(self.phase)}. The rows have {shown}. Name those that are "
                "called otherwise in `columns`, make them with `map_columns` or `convert_chat`, or "
                "change the recipe's `phase`"
            )
        own = {name: self.columns.get(name, name) for name in found}
        kinds = {name: types[column] for name, column in own.items()}
        selected = ", ".join(f"{identifier(own[name])} AS __{name}" for name in found)
        relation = f"{subject.prefix}SELECT row_id, {selected} FROM {identifier(subject.relation)}"
        rules: dict[str, str] = {}
        for name, kind in kinds.items():
            rules |= self._own_rules(name, kind)
        if {"chosen", "rejected"} <= set(found):
            rules |= _pair_rules(kinds["chosen"], kinds["rejected"])
        if {"completions", "labels"} <= set(found):
            rules["as many labels as steps"] = "len(__completions) IS DISTINCT FROM len(__labels)"
        if "options" in found:
            rules["answer not among the options"] = _not_an_option(kinds["answer"])
        if "tests" in found and self.python_tests:
            broken = _unparsed(audited, relation, kinds["tests"])
            rules["tests that do not parse"] = one_of("row_id", broken)
        noun = f"rows cannot be used for {self.phase}"
        return broken_rules(audited, relation, rules, noun, self.max_failing_share)

    def _found(self, types: Mapping[str, str]) -> list[str] | None:
        """The columns that are there, by the phase's names; None when some are missing."""

        def there(way: Columns, name: str) -> bool:
            column, kinds = self.columns.get(name, name), {**way.needed, **way.optional}[name]
            return column in types and fits(types[column], kinds)

        for way in PHASES[self.phase]:
            if all(there(way, name) for name in way.needed):
                return [*way.needed, *(name for name in way.optional if there(way, name))]
        return None

    def _own_rules(self, name: str, kind: str) -> dict[str, str]:
        """The rules about one column."""
        value, held = f"__{name}", kind_of(kind)
        if name == "score":
            outside = [f"NOT isfinite({value}::DOUBLE)"]
            outside += [f"{value} < {self.min_score!r}"] if self.min_score is not None else []
            outside += [f"{value} > {self.max_score!r}"] if self.max_score is not None else []
            return {
                "no score": f"{value} IS NULL",
                "score out of range": f"{value} IS NOT NULL AND ({' OR '.join(outside)})",
            }
        if name == "label":
            wrong = f" OR {value} NOT IN (0, 1)" if held == "number" else ""
            return {"no label": f"{value} IS NULL{wrong}"}
        if name == "labels":
            return {
                "no label": f"coalesce(list_contains(list_transform({value}, "
                "lambda l: l IS NULL), true), true)"
            }
        if name == "options":
            return {}
        if held == "chat":
            return _chat_rules(name, kind)
        rules = {f"`{name}` says nothing": _nothing(value, held)}
        if name == "answer" and self.phase == "rl" and self.answers == "number" and held == "text":
            number = (
                f"regexp_matches({value}, {literal(NUMBER)}) AND regexp_matches({value}, '\\d')"
            )
            rules["answer that is no number"] = f"{value} IS NOT NULL AND NOT ({number})"
        if name == "tests" and self.python_tests:
            text = value if held == "text" else f"list_aggregate({value}, 'string_agg', chr(10))"
            rules["tests that assert nothing"] = f"NOT regexp_matches({text}, {literal(ASSERTS)})"
        if name == "constraint" and held == "text":
            rules["constraint that is no JSON"] = f"NOT json_valid({value})"
        return rules


def _nothing(value: str, held: str) -> str:
    """A condition: a value that is not a chat says nothing."""
    if held == "text":
        return says_nothing(value)
    if held == "number":
        return f"{value} IS NULL OR NOT isfinite({value}::DOUBLE)"
    if held == "texts":
        blank = f"list_bool_or(list_transform({value}, lambda t: {says_nothing('t')}))"
        return f"{value} IS NULL OR len({value}) = 0 OR {blank}"
    return f"{value} IS NULL OR {value}::VARCHAR IN ('', '[]', '{{}}')"


def _chat_rules(name: str, kind: str) -> dict[str, str]:
    fields = fields_of(kind)
    who = next(role for role, said in SPEAKING.items() if {role, said} <= set(fields))
    called = "".join(f" AND m.{each} IS NULL" for each in ("tool_calls",) if each in fields)
    silent = f'm."{who}" IS NULL OR ({says_nothing(f"m.{SPEAKING[who]}")}{called})'
    return {
        f"`{name}` says nothing": f"__{name} IS NULL OR len(__{name}) = 0",
        f"a message of `{name}` says nothing": f"list_bool_or(list_transform(__{name}, "
        f"lambda m: {silent}))",
    }


def _pair_rules(chosen: str, rejected: str) -> dict[str, str]:
    """The rules about two answers, as texts or as chats that may start with the prompt."""
    if kind_of(chosen) != kind_of(rejected):
        return {"one answer a chat and one a text": "true"}
    if kind_of(chosen) == "text":
        return {"the same answer twice": "trim(__chosen) = trim(__rejected)"}
    fields = fields_of(chosen)
    who = next(role for role, said in SPEAKING.items() if {role, said} <= set(fields))
    said = SPEAKING[who]

    def each(field: str, chat: str) -> str:
        return f'list_transform({chat}, lambda m: m."{field}")'

    def asked(chat: str) -> str:
        """The turns up to the last that is not an answer."""
        roles = f"list_reverse({each(who, chat)})"
        answers = (
            f"list_position(list_transform({roles}, lambda r: r NOT IN ('assistant', 'gpt')), true)"
        )
        return f"{each(said, chat)}[:len({chat}) - coalesce({answers} - 1, len({chat}))]"

    return {
        "the same answer twice": f"{each(said, '__chosen')} = {each(said, '__rejected')}",
        "different roles": f"{each(who, '__chosen')} <> {each(who, '__rejected')}",
        "different prompts": f"{asked('__chosen')} IS DISTINCT FROM {asked('__rejected')}",
    }


def _not_an_option(answer: str) -> str:
    """A condition: an answer is neither one of the options nor the letter of one."""
    given = "trim(__answer)" if kind_of(answer) == "text" else "__answer::VARCHAR"
    letter = f"regexp_extract({given}, '^\\(?([A-Za-z])\\)?\\.?$', 1)"
    return (
        f"__options IS NULL OR NOT (list_contains(list_transform(__options, lambda o: trim(o)), {given}) "
        f"OR ({letter} <> '' AND ascii(upper({letter})) - 64 <= len(__options)))"
    )


def _unparsed(audited: Audited, relation: str, kind: str) -> list[int]:
    """The rows whose tests are no Python; each different text is parsed once."""
    texts = (
        "__tests" if kind_of(kind) == "text" else "list_aggregate(__tests, 'string_agg', chr(10))"
    )
    cursor = audited.connection.execute(
        f"SELECT {texts} AS tests, list(row_id ORDER BY row_id) FROM (\n{relation}\n) GROUP BY ALL "
        "ORDER BY 2"
    )
    broken: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while batch := cursor.fetchmany(1000):
            broken += [row for text, rows in batch if not _parses(text or "") for row in rows]
    return sorted(broken)


def _parses(text: str) -> bool:
    if len(text) > LONGEST_TESTS:
        return False
    try:
        compile(text, "<tests>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, OverflowError, RecursionError, MemoryError):
        return ">>>" in text  # examples, as in a docstring
    return True
