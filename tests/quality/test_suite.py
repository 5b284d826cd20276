"""Suites and the checks of a version."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dagster_project.quality.suite import Item, load_suites, resolve_checks
from dagster_project.recipe.loading import read_recipe
from dagster_project.recipe.problems import DeclarationError
from dagster_project.workspace import VersionName, Workspace

ROOT = Path(__file__).parents[2]

SUITE = """\
description: test
expectations:
  - expect_column_values_to_not_be_null: {column: text}
  - expect_column_values_to_be_between: {column: n, min_value: 1}
    name: positive
    severity: warning
  - sql: SELECT row_id FROM rows WHERE n > 9
    max_failing: 3
    severity: warning
    blocking: true
"""


def resolve(space, recipe_checks: str):
    """The checks of a recipe with these `checks`."""
    space.jsonl("rows.jsonl", [{"text": "a"}])
    space.recipe("d/v1", f"inputs: {{mine: {{files: rows.jsonl}}}}\nchecks: {recipe_checks}\n")
    declared = read_recipe(space.root / "assets" / "d" / "v1.yaml", VersionName("d", "v1"))
    return resolve_checks(declared, load_suites(space.workspace))


def problems_of_suite(space, expectations: str) -> list[str]:
    """What is wrong with a suite, as text."""
    space.suite("s", f"description: test\nexpectations:\n{expectations}")
    suites = load_suites(space.workspace)
    assert "s" not in suites.suites
    return [str(problem) for problem in suites.problems["s"]]


def test_the_committed_suites_can_be_used():
    suites = load_suites(Workspace(ROOT))
    assert not suites.problems
    assert {"rows", "chat", "pretrain_text", "stdlib_docstrings"} <= set(suites.suites)


def test_checks_come_in_order_with_defaults(space):
    space.suite("s", SUITE)
    found = resolve(space, "[s, {expect_table_row_count_to_equal: {value: 3}, where: n > 1}]")
    assert [(c.name, c.suite, c.severity, c.blocking) for c in found] == [
        ("column_values_to_not_be_null_text", "s", "error", True),
        ("positive", "s", "warning", False),
        ("sql", "s", "warning", True),
        ("table_row_count_to_equal", "recipe", "error", True),
        ("every_source_stays", "default", "error", True),
        ("rows_fit_their_phase", "default", "warning", False),
    ]
    assert found[2].arguments == {"query": "SELECT row_id FROM rows WHERE n > 9", "max_failing": 3}
    assert found[3].where == "n > 1"


def test_the_name_of_an_expectation_is_no_suite(space):
    with pytest.raises(DeclarationError, match=r"an expectation is written `source_loss: \{\}`"):
        resolve(space, "[source_loss]")


def test_an_expectation_of_the_recipe_replaces_the_default(space):
    check, other = resolve(space, "[source_loss: {max: 0.99}]")
    assert (check.suite, check.arguments) == ("recipe", {"max": 0.99})
    assert (other.suite, other.arguments) == ("default", {"phase": "sft", "required": False})
    (check, _) = resolve(space, "[phase_schema: {phase: rl}]")
    assert (check.suite, check.arguments) == ("recipe", {"phase": "rl"})


def test_default_names_give_way(space):
    space.suite("s", SUITE)
    space.suite("t", SUITE.replace("positive", "sql_2"))
    assert [check.name for check in resolve(space, "[s, t]")] == [
        "column_values_to_not_be_null_text",
        "positive",
        "sql",
        "column_values_to_not_be_null_text_2",
        "sql_2",
        "sql_3",
        "every_source_stays",
        "rows_fit_their_phase",
    ]


@pytest.mark.parametrize(
    ("recipe_checks", "said"),
    [
        ("[sx]", "there is no such suite; found 'sx'; did you mean 's'?"),
        ("[s, s]", "is listed twice"),
        ("[s, t]", "another check has this name; found 'positive'"),
        ("[broken]", "there is no such expectation; did you mean 'chat_structure'?"),
        ("[{drift: {metric: rows}}]", "checks.0.drift.max_change: is required"),
        ("[{drift: {metric: rows, max_change: 1}, table: scores}]", "does not go with drift"),
        ("[{sql: SELECT 1, name: 'a-b'}]", "small letter"),
        ("[{severity: error}]", "found none"),
    ],
)
def test_problems_of_a_recipe_name_its_line(space, recipe_checks, said):
    space.suite("s", SUITE)
    space.suite("t", SUITE)
    space.suite("broken", "description: d\nexpectations:\n  - chat_structur: {}\n")
    with pytest.raises(DeclarationError) as caught:
        resolve(space, recipe_checks)
    assert any(said in str(p) for p in caught.value.problems), str(caught.value)
    assert caught.value.problems[0].line == 4


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("expect_column_values_to_not_be_nul: {column: a}", "expect_column_values_to_not_be_null'"),
        ("expect_column_values_to_not_be_null: {colum: a}", "did you mean 'column'?"),
        ("expect_column_values_to_not_be_null: {}", "column: is required"),
        ("expect_column_values_to_not_be_null: {column: 3}", "a column's name; found 3"),
        ("expect_column_values_to_be_unique: {column: a, mostly: 95}", "from 0 to 1; found 95"),
        ("expect_column_values_to_be_between: {column: a}", "`min_value` or `max_value`"),
        (
            'expect_column_values_to_be_null: {column: a, row_condition: col("b") > 1}',
            "use `where: <SQL condition>`",
        ),
        ("expect_column_values_to_match_regex: {column: a, regex: '(?=x)'}", "invalid perl op"),
        ("expect_column_type_to_be: {column: a, type_: NUMBR}", "not a DuckDB type"),
        ("expect_column_values_to_be_increasing: {column: a}", "not possible in DuckDB"),
        ("unexpected_rows_expectation: {unexpected_rows_query: SELECT 1}", "write it as `sql:"),
        ("sql: DROP TABLE rows", "must be one SELECT"),
        ("sql: SELECT 1; DROP TABLE rows", "must be one SELECT"),
        ("sql: SELECT 1) x; DROP TABLE rows; SELECT (1", "is not a SELECT"),
        ("'sql': 'SELECT 1; -- one'", "is not a SELECT"),
        ("sql: SELECT row_id FROM rows WHERE n = ?", "without parameters"),
        ("sql: SELEC row_id", "is not a SELECT"),
        ("removed_share: {max: 1.5}", "less than or equal to 1; found 1.5"),
        ("drift: {metric: mean_length, max_change: 1}", "needs a `column`"),
        ("drift: {metric: rows, max_change: 1, agains: previous}", "did you mean 'against'?"),
    ],
)
def test_problems_of_a_suite_name_the_line_and_the_way_out(space, written, said):
    problem, *_ = problems_of_suite(space, f"  - chat_structure\n  - {written}\n")
    assert said in problem
    assert "s.yaml:4" in problem


@pytest.mark.parametrize("where", ["1); DROP TABLE rows; SELECT (1", "text =", "a = $1"])
def test_a_condition_is_one_condition(space, where):
    problems = problems_of_suite(space, f"  - duplicate_share: {{}}\n    where: '{where}'\n")
    assert "where" in problems[0]


def test_a_broken_suite_does_not_take_others_down(space):
    space.suite("good", SUITE)
    space.suite("bad", "description: x\n")
    space.suite("worse", "{")
    suites = load_suites(space.workspace)
    assert set(suites.suites) == {"good"}
    assert set(suites.problems) == {"bad", "worse"}


@settings(max_examples=50, deadline=None)
@given(st.text(min_size=1, max_size=300))
def test_default_names_are_names_whatever_the_column(column):
    item = Item(expectation="expect_column_values_to_be_null", arguments={"column": column})
    assert re.fullmatch(r"[a-z][a-z0-9_]{0,99}", item.default_name())
