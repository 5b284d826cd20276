"""Expectations about what the phases of training need: planted rows are found, and no others."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.operators.synthesize.text.final_answers import number
from dagster_project.quality.audit import audit
from dagster_project.quality.gate import blocking_failures
from dagster_project.quality.phase_columns import PHASES
from dagster_project.quality.suite import load_suites
from dagster_project.workspace import Workspace

SAY = "{'role': 'user', 'content': 'Two and two?'}"
FOUR = "{'role': 'assistant', 'content': 'Four.'}"
FIVE = "{'role': 'assistant', 'content': 'Five.'}"
OTHER = "{'role': 'user', 'content': 'Three and three?'}"


@pytest.fixture
def judged(tmp_path, write_snapshot, look, failing):
    """`judged(expectation, rows, columns)`: which of some rows, in SQL and numbered from 0, fail, and
    the result. A row marked `# bad` must."""

    def judge(written, columns, *rows):
        values = ", ".join(f"({number}, {row})" for number, row in enumerate(rows))
        path = write_snapshot(
            tmp_path / f"{len(list(tmp_path.iterdir()))}.duckdb",
            f"SELECT * FROM (VALUES {values}) t(row_id, {columns})",
        )
        result = look(path, written)
        assert result.error is None, result.error
        found = failing(path, result)
        assert len(found) == len(set(found)) == result.unexpected_count
        assert result.passed is (not found)
        return found, result

    return judge


def test_pretraining_text_says_something(judged):
    rows = ("'A text.'", "NULL", "'  \n\t'", "U&'\\200B'", "'\u00a0'", "'漢'")
    found, result = judged({"phase_schema": {"phase": "pretrain"}}, "text", *rows[:3], *rows[4:])
    assert found == [1, 2, 3]
    assert "3 of 5 rows cannot be used for pretrain" in result.observed


@pytest.mark.parametrize(
    ("columns", "rows", "bad"),
    [
        ("prompt, answer", ("'q', 'a'", "'q', ' '", "NULL, 'a'"), [1, 2]),
        ("instruction, output", ("'q', 'a'", "'', 'a'"), [1]),
        (
            "messages",
            (
                f"[{SAY}, {FOUR}]",
                f"[{SAY}, {{'role': 'assistant', 'content': ' '}}]",
                "[]",
                "NULL",
                f"[{SAY}, {{'role': 'assistant', 'content': NULL}}]",
            ),
            [1, 2, 3, 4],
        ),
    ],
)
def test_sft_rows_have_a_prompt_and_an_answer(judged, columns, rows, bad):
    assert judged({"phase_schema": {"phase": "sft"}}, columns, *rows)[0] == bad


def test_sft_a_message_that_calls_needs_no_content(judged):
    def said(content, calls):
        return f"[{{'role': 'assistant', 'content': {content}, 'tool_calls': {calls}}}]"

    rows = said("NULL", "[{'id': 'a'}]"), said("NULL", "NULL"), said("'x'", "NULL")
    assert judged({"phase_schema": {"phase": "sft"}}, "messages", *rows)[0] == [1]


def test_preference_answers_differ_and_answer_the_same(judged):
    rows = (
        f"[{SAY}, {FOUR}], [{SAY}, {FIVE}]",
        f"[{SAY}, {FOUR}], [{SAY}, {FOUR}]",
        f"[{SAY}, {FOUR}], [{OTHER}, {FIVE}]",
        f"[{SAY}, {FOUR}], [{SAY}, {SAY}, {FIVE}]",
        f"[{SAY}, {FOUR}, {OTHER}, {FOUR}], [{SAY}, {FIVE}, {OTHER}, {FOUR}]",
        f"[{SAY}, {FOUR}, {OTHER}, {FIVE}], [{SAY}, {FOUR}, {OTHER}, {FOUR}]",
        f"[{SAY}, {FOUR}], NULL",
    )
    found, result = judged({"phase_schema": {"phase": "preference"}}, "chosen, rejected", *rows)
    assert found == [1, 2, 3, 4, 6]
    assert "1 the same answer twice" in result.observed
    assert "1 different roles" in result.observed
    rows = "'q', 'a', 'b'", "'q', 'a', 'a '", "' ', 'a', 'b'", "'q', NULL, 'b'"
    assert judged({"phase_schema": {"phase": "preference"}}, "prompt, chosen, rejected", *rows)[
        0
    ] == [1, 2, 3]
    rows = f"'q', [{FOUR}], [{FIVE}]", f"'q', [{FOUR}], [{FOUR}]"
    assert judged({"phase_schema": {"phase": "preference"}}, "prompt, chosen, rejected", *rows)[
        0
    ] == [1]


@pytest.mark.parametrize(
    ("arguments", "columns", "rows", "bad"),
    [
        ({}, "text, score", ("'a', 0.5", "'a', NULL", "'a', 'NaN'::DOUBLE", "'', 1.0"), [1, 2, 3]),
        (
            {"min_score": 1, "max_score": 5},
            "prompt, completion, score",
            ("'q', 'a', 1", "'q', 'a', 0", "'q', 'a', 6", "'q', 'a', 5"),
            [1, 2],
        ),
        ({}, "text, label", ("'a', true", "'a', NULL", "'a', false"), [1]),
        ({}, "text, label", ("'a', 1", "'a', 2", "'a', 0"), [1]),
        (
            {},
            "prompt, completions, labels",
            (
                "'q', ['a', 'b'], [true, false]",
                "'q', ['a', 'b'], [true]",
                "'q', ['a', ' '], [true, false]",
                "'q', ['a', 'b'], [true, NULL]",
                "'q', []::VARCHAR[], []::BOOLEAN[]",
            ),
            [1, 2, 3, 4],
        ),
        ({}, "prompt, chosen, rejected", ("'q', 'a', 'b'", "'q', 'a', 'a'"), [1]),
    ],
)
def test_rewards_are_there_and_in_range(judged, arguments, columns, rows, bad):
    assert judged({"phase_schema": {"phase": "reward", **arguments}}, columns, *rows)[0] == bad


NUMBERS = ("42", "-1,200.50", "$ 18", "3/4", "50%", "7 apples", ".5", "0.0", "− 3")
NO_NUMBERS = ("forty", "x = 3", "3 or 4", "1/0", "", "12,34", "$", "3e", "2^5", "1e400")


def test_rl_answers_that_are_numbers_can_be_read(judged):
    rows = [f"'q', '{answer}'" for answer in (*NUMBERS, *NO_NUMBERS)]
    written = {"phase_schema": {"phase": "rl", "answers": "number"}}
    found, _ = judged(written, "prompt, answer", *rows)
    assert found == list(range(len(NUMBERS), len(rows)))
    assert all(number(answer) is not None for answer in NUMBERS)  # as answers are compared


def test_rl_choices_are_options(judged):
    rows = (
        "'q', 'red', ['red', 'green']",
        "'q', 'B', ['red', 'green']",
        "'q', '(b).', ['red', 'green']",
        "'q', 'C', ['red', 'green']",
        "'q', 'blue', ['red', 'green']",
        "'q', 'red', NULL",
    )
    found, _ = judged({"phase_schema": {"phase": "rl"}}, "prompt, answer, options", *rows)
    assert found == [3, 4, 5]


def test_rl_tests_parse_and_assert(judged):
    rows = (
        "'q', 'assert f(2) == 4'",
        "'q', 'assert f(2) ='",
        "'q', 'f(2)'",
        "'q', '>>> f(2)\n4'",
        "'q', NULL",
        "'q', 'def check(f):\n    assert f(1)'",
    )
    assert judged({"phase_schema": {"phase": "rl"}}, "prompt, tests", *rows)[0] == [1, 2, 4]
    rows = "'q', ['assert a', 'assert b']", "'q', ['assert a', 'assert (']", "'q', []::VARCHAR[]"
    assert judged({"phase_schema": {"phase": "rl"}}, "prompt, tests", *rows)[0] == [1, 2]


def test_rl_constraints_are_there(judged):
    rows = "'q', '{\"words\": 3}'", "'q', 'three words'", "'q', NULL", "'q', ''"
    assert judged({"phase_schema": {"phase": "rl"}}, 'prompt, "constraint"', *rows)[0] == [1, 2, 3]
    written = {"phase_schema": {"phase": "rl", "columns": {"constraint": "ids"}}}
    assert judged(written, "prompt, ids", "'q', ['no_comma']", "'q', []")[0] == [1]


def test_missing_columns_are_named(tmp_path, write_snapshot, look):
    path = write_snapshot(tmp_path / "a.duckdb", "SELECT 0 AS row_id, 'q' AS question, 3 AS answer")
    result = look(path, {"phase_schema": {"phase": "rl"}})
    assert "rl needs `prompt` + `answer`; or `prompt` + `tests`" in (result.error or "")
    assert "`question` VARCHAR" in (result.error or "")
    named = {"phase": "rl", "columns": {"prompt": "question"}}
    assert look(path, {"phase_schema": named}).passed
    result = look(path, {"phase_schema": {"phase": "preference", "required": False}})
    assert result.passed
    assert result.observed == "no columns that preference needs; no row is looked at"


LENGTHS = (
    "SELECT i AS row_id, repeat('a', 10 + i) AS chosen, repeat('b', {}) AS rejected "
    "FROM range(200) t(i)"
)


@pytest.mark.parametrize(
    ("rejected", "passed", "observed"),
    [
        ("10", False, "199 of 199 pairs have the longer text in `chosen` (100 %)"),
        ("10 + i + 1", False, "0 of 200 pairs"),
        ("10 + i + (CASE WHEN i % 2 = 0 THEN 3 ELSE -3 END)", True, "100 of 200 pairs"),
        ("10 + i + (CASE WHEN i % 10 < 8 THEN -3 ELSE 3 END)", False, "160 of 200 pairs"),
        ("10 + i + (i < 60)::INT", True, "0 of 60 pairs"),
    ],
)
def test_length_does_not_give_the_choice_away(
    tmp_path, write_snapshot, look, rejected, passed, observed
):
    path = write_snapshot(tmp_path / "a.duckdb", LENGTHS.format(rejected))
    result = look(path, {"chosen_longer_share": {}})
    assert result.error is None
    assert result.passed is passed
    assert observed in result.observed


def test_margins_are_clear(judged):
    rows = "5, 3", "3, 3", "2, 3", "NULL, 3", "'NaN'::DOUBLE, 3", "4, 3"
    found, _ = judged({"preference_margin": {}}, "score_chosen, score_rejected", *rows)
    assert found == [1, 2, 3, 4]
    found, _ = judged(
        {"preference_margin": {"margin": "m", "more_than": 1}}, "m", "1", "1.5", "NULL"
    )
    assert found == [0, 2]


def test_some_rows_may_fail(tmp_path, write_snapshot, look):
    rows = "SELECT i AS row_id, CASE WHEN i > 0 THEN 'x' ELSE '' END AS text FROM range(10) t(i)"
    path = write_snapshot(tmp_path / "a.duckdb", rows)
    for most, passed in ((0.1, True), (0.09, False)):
        written = {"phase_schema": {"phase": "pretrain", "max_failing_share": most}}
        assert look(path, written).passed is passed


AWKWARD = st.one_of(
    st.none(),
    st.sampled_from(["", " ", "\0", "{", "[1]", "null", "<think>", "</think>", "4", "é😀"]),
)
CALL = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "id": AWKWARD,
            "type": AWKWARD,
            "function": st.one_of(
                st.none(), st.fixed_dictionaries({"name": AWKWARD, "arguments": AWKWARD})
            ),
        }
    ),
)
MESSAGE = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {
            "role": st.one_of(AWKWARD, st.sampled_from(["user", "assistant", "tool", "system"])),
            "content": AWKWARD,
            "tool_calls": st.one_of(st.none(), st.lists(CALL, max_size=2)),
            "tool_call_id": AWKWARD,
        }
    ),
)
CHAT = st.one_of(st.none(), st.lists(MESSAGE, max_size=4))
KINDS = pa.list_(
    pa.struct(
        {
            "role": pa.string(),
            "content": pa.string(),
            "tool_calls": pa.list_(
                pa.struct(
                    {
                        "id": pa.string(),
                        "type": pa.string(),
                        "function": pa.struct({"name": pa.string(), "arguments": pa.string()}),
                    }
                )
            ),
            "tool_call_id": pa.string(),
        }
    )
)
ANY_ROWS = st.lists(
    st.fixed_dictionaries(
        {
            **dict.fromkeys(("messages", "chosen", "rejected"), CHAT),
            **dict.fromkeys(("prompt", "answer", "text", "tests", "tools", "m", "l"), AWKWARD),
            "score": st.one_of(st.none(), st.floats()),
            "options": st.one_of(st.none(), st.lists(AWKWARD, max_size=3)),
        }
    ),
    max_size=30,
)
EXPECTED = [
    *({"phase_schema": {"phase": phase}} for phase in PHASES),
    {"phase_schema": {"phase": "rl", "columns": {"answer": "absent"}}},
    {"phase_schema": {"phase": "rl", "answers": "number"}},
    {"phase_schema": {"phase": "reward", "columns": {"chosen": "absent"}, "max_score": 2}},
    {"tool_calls_valid": {}},
    {"tool_calls_valid": {"tools_column": None}},
    {"reasoning_valid": {}},
    {"reasoning_valid": {"column": "text", "final_answer_column": "answer"}},
    {"chosen_longer_share": {}},
    {"preference_margin": {"margin": "score"}},
]


@settings(max_examples=6, deadline=None)
@given(rows=ANY_ROWS)
def test_no_row_is_too_awkward(tmp_path_factory, write_snapshot, checks, failing, rows):
    kinds = {name: pa.string() for name in ("prompt", "answer", "text", "tests", "tools", "m", "l")}
    kinds |= dict.fromkeys(("messages", "chosen", "rejected"), KINDS)
    kinds |= {"row_id": pa.int64(), "score": pa.float64(), "options": pa.list_(pa.string())}
    numbered = [{"row_id": number, **row} for number, row in enumerate(rows)]
    folder = tmp_path_factory.mktemp("awkward")
    pq.write_table(pa.Table.from_pylist(numbered, schema=pa.schema(kinds)), folder / "rows.parquet")
    path = write_snapshot(folder / "a.duckdb", f"FROM read_parquet('{folder / 'rows.parquet'}')")
    for result in audit(path, checks(*EXPECTED), None):
        assert result.error is None, (result.check.text, result.error)
        if result.unexpected_count is not None:
            assert len(set(failing(path, result))) == result.unexpected_count


SHIPPED = {
    "sft": ("prompt, answer", "'q', 'a'", "'q', ''", "rows_fit_sft"),
    "preference": (
        "prompt, chosen, rejected",
        "'q', 'a', 'b'",
        "'q', 'a', 'a'",
        "rows_fit_preference",
    ),
    "reward": (
        "prompt, answer, score",
        "'q', 'a', 1.0",
        "'q', 'a', NULL::DOUBLE",
        "rows_fit_reward",
    ),
    "rl": ("prompt, answer", "'q', '4'", "'q', NULL::VARCHAR", "rows_fit_rl"),
    "tool_use": (
        "messages, tools",
        "[{'role': 'user', 'content': 'x', 'tool_calls': NULL::JSON[]}, {'role': 'assistant', "
        "'content': 'y', 'tool_calls': NULL}], '[]'",
        "[{'role': 'user', 'content': 'x', 'tool_calls': NULL}, {'role': 'assistant', "
        "'content': NULL, 'tool_calls': ['{\"name\": \"f\"}'::JSON]}], '[]'",
        "calls_valid",
    ),
    "reasoning": (
        "messages",
        f"[{SAY}, {{'role': 'assistant', 'content': '<think>a</think>b'}}]",
        f"[{SAY}, {FOUR}]",
        "reasoning_in_order",
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_suites_pass_good_rows_and_stop_bad_ones(tmp_path, write_snapshot, name):
    columns, good, bad, check = SHIPPED[name]
    suite = load_suites(Workspace(Path(__file__).parents[2])).suites[name]
    found = [item.check(item.name or item.default_name(), name) for item in suite.items]
    for row, failed in ((good, []), (bad, [check])):
        path = write_snapshot(
            tmp_path / f"{len(failed)}.duckdb",
            f"SELECT * FROM (VALUES (0, {row})) t(row_id, {columns})",
        )
        results = audit(path, found, None)
        assert [one.error for one in results if one.error] == []
        assert blocking_failures(results) == failed
