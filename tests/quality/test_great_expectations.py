"""Great Expectations over a real snapshot. Importing it takes seconds, so one audit serves all."""

from __future__ import annotations

import json

import duckdb
import pytest

from dagster_project.quality.arguments import IN_SQL
from dagster_project.quality.audit import audit
from dagster_project.quality.core_expectations import CORE, NOT_ON_DUCKDB
from dagster_project.quality.record import record

HOSTILE = 'a"; drop table rows --'
ROWS = """
    SELECT i AS row_id, CASE WHEN i % 4 <> 0 THEN 'text ' || i END AS text, i % 10 AS n,
        i % 9 AS m, CASE WHEN i % 5 <> 0 THEN [{'role': 'user', 'content': 'q' || i}] END
        AS messages, CASE WHEN i % 8 = 0 THEN 'it''s 50% \\ ":x"' ELSE 'b' END AS category,
        i AS "a""; drop table rows --", CASE WHEN i % 6 <> 0 THEN i // 2 % 3 END AS "per%cent",
        i // 2 AS half
    FROM range(20000) t(i)
"""
SCORES = """
    DROP TABLE scores; CREATE TABLE scores AS SELECT 0::USMALLINT AS parent_input,
        i AS parent_row_id, 0::UINTEGER AS ordinal,
        CASE WHEN i % 2 = 0 THEN i // 2 END AS row_id, i % 100 AS quality FROM range(40000) t(i)
"""

EXPECTED = {
    # name: (written, passes, condition of the rows that fail)
    "nested_null": (
        {"expect_column_values_to_not_be_null": {"column": "messages"}}, False, "i % 5 = 0"
    ),
    "a_quarter_null": (
        {"expect_column_values_to_not_be_null": {"column": "text", "mostly": 0.7}}, True, "i % 4 = 0"
    ),
    "nothing_null": ({"expect_column_values_to_not_be_null": {"column": "n"}}, True, "false"),
    "unique": ({"expect_column_values_to_be_unique": {"column": "text"}}, True, "false"),
    "not_unique": ({"expect_column_values_to_be_unique": {"column": "half"}}, False, "true"),
    "in_set": (
        {"expect_column_values_to_be_in_set": {"column": "category", "value_set": ["b", "it's"]}},
        False, "i % 8 = 0",
    ),
    "hostile_value": (
        {"expect_column_values_to_not_be_in_set": {
            "column": "category", "value_set": ["it's 50% \\ \":x\""]}},
        False, "i % 8 = 0",
    ),
    "hostile_column": (
        {"expect_column_values_to_be_between": {"column": HOSTILE, "max_value": 14999}},
        False, "i >= 15000",
    ),
    "percent_column": (
        {"expect_column_values_to_be_between": {"column": "per%cent", "max_value": 1}},
        False, "i % 6 <> 0 and i // 2 % 3 > 1",
    ),
    "some_rows": (
        {"expect_column_values_to_be_between": {"column": "n", "min_value": 5},
         "where": "m > 3 AND category <> ':b' -- not all"},
        False, "i % 9 > 3 and i % 10 < 5",
    ),
    "some_rows_unique": (
        {"expect_column_values_to_be_unique": {"column": "half"}, "where": "row_id < 9"},
        False, "i < 8",
    ),
    "lengths": (
        {"expect_column_value_lengths_to_be_between": {"column": "text", "max_value": 9}},
        False, "i % 4 <> 0 and i >= 10000",
    ),
    "z_scores": (
        {"expect_column_value_z_scores_to_be_less_than": {
            "column": "half", "threshold": 1.5, "double_sided": False}},
        False, "i // 2 > 4999.5 + 1.5 * 2886.8235",
    ),
    "pair_both_missing": (
        {"expect_column_pair_values_to_be_equal": {"column_A": "text", "column_B": "category"}},
        False, "true",
    ),
    "pair_either_missing": (
        {"expect_column_pair_values_to_be_equal": {
            "column_A": "text", "column_B": "category", "ignore_row_if": "either_value_is_missing"}},
        False, "i % 4 <> 0",
    ),
    "a_above_b": (
        {"expect_column_pair_values_a_to_be_greater_than_b": {
            "column_A": HOSTILE, "column_B": "half"}},
        False, "i = 0",
    ),
    "compound": (
        {"expect_compound_columns_to_be_unique": {"column_list": ["half", "per%cent"]}},
        False, "i % 6 > 1",
    ),
    "sum": (
        {"expect_multicolumn_sum_to_equal": {"column_list": ["n", "m"], "sum_total": 0}},
        False, "i % 10 + i % 9 <> 0",
    ),
    "within_row": (
        {"expect_select_column_values_to_be_unique_within_record": {"column_list": ["n", "m"]}},
        False, "i % 10 = i % 9",
    ),
    "one_in_set": (
        {"expect_column_values_to_be_in_set": {"column": "n", "value_set": [1]}},
        False, "i % 10 <> 1",
    ),
    "scores_of_rows": (
        {"expect_column_values_to_be_between": {"column": "quality", "min_value": 50},
         "table": "scores"},
        False, "i * 2 % 100 < 50",
    ),
}  # fmt: skip

WHOLE = {
    # name: (written, passes, observed)
    "mean": ({"expect_column_mean_to_be_between": {"column": "n", "max_value": 4}}, False, "4.5"),
    "median": ({"expect_column_median_to_be_between": {"column": "n", "max_value": 5}}, True, "4.5"),
    "count": ({"expect_table_row_count_to_equal": {"value": 20000}}, True, "20,000"),
    "count_where": (
        {"expect_table_row_count_to_equal": {"value": 2000}, "where": "n = 3"}, True, "2,000"
    ),
    "exists": ({"expect_column_to_exist": {"column": "nope"}}, False, "not as expected"),
    "set": (
        {"expect_column_distinct_values_to_be_in_set": {"column": "category", "value_set": ["b"]}},
        False, "1 unexpected values",
    ),
    "common": (
        {"expect_column_most_common_value_to_be_in_set": {"column": "category", "value_set": [""]}},
        False, "not as expected",
    ),
    "other_table": (
        {"expect_table_row_count_to_equal_other_table": {"other_table_name": "scores"}},
        False, "{'self': 20000, 'other': 40000}",
    ),
    "no_row_id": (
        {"expect_column_values_to_not_be_null": {"column": "name"}, "table": "inputs"},
        True, "0 of 0 rows fail",
    ),
}  # fmt: skip

BROKEN = {
    # name: (written, error)
    "no_column": (
        {"expect_column_values_to_not_be_null": {"column": "tex"}},
        "there is no column 'tex' in `rows`; did you mean 'text'?",
    ),
    "text_mean": (  # asked in one query with the next, each has its own error
        {"expect_column_mean_to_be_between": {"column": "text", "max_value": 1}}, "*(DOUBLE, VARCHAR)"
    ),
    "text_sum": (
        {"expect_column_sum_to_be_between": {"column": "text", "max_value": 1}}, "sum(VARCHAR)"
    ),
    "text_in_set": (
        {"expect_column_values_to_be_in_set": {"column": "n", "value_set": ["c"]}},
        "Conversion Error in a value; the value is not shown",
    ),
    "list_set": (
        {"expect_column_values_to_be_in_set": {"column": "messages", "value_set": [3]}}, "Error"
    ),
    "bad_bound": (
        {"expect_column_values_to_be_between": {"column": "n", "min_value": "much"}}, "min_value: "
    ),
    "bad_where": (
        {"expect_column_values_to_not_be_null": {"column": "n"}, "where": "nope > 1"}, '"nope"'
    ),
    "data_in_error": (
        {"expect_column_values_to_not_be_null": {"column": "n"}, "where": "text::INT > 1"},
        "Conversion Error in a value; the value is not shown",
    ),
    **{
        name: ({name: {"column": "text"} | ({"json_schema": {}} if "schema" in name else {})},
               "SqlAlchemyExecutionEngine")
        for name in NOT_ON_DUCKDB if name.startswith("expect_column_")
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def path(tmp_path_factory, write_snapshot):
    """A snapshot of 20,000 rows."""
    return write_snapshot(tmp_path_factory.mktemp("gx") / "it's $now?.duckdb", ROWS, SCORES)


@pytest.fixture(scope="module")
def results(path, checks):
    """Results of one audit, by name."""
    written = EXPECTED | WHOLE | BROKEN
    found = audit(path, checks(*({**w, "name": n} for n, (w, *_) in written.items())), None)
    assert [result.check.name for result in found] == list(written)
    return {result.check.name: result for result in found}


@pytest.mark.parametrize("name", EXPECTED)
def test_all_failing_rows_are_found(results, path, failing, name):
    _, passes, condition = EXPECTED[name]
    result = results[name]
    assert result.error is None, result.error
    assert result.passed is passes
    with duckdb.connect() as connection:
        rows = connection.execute(f"SELECT i FROM range(20000) t(i) WHERE {condition}").fetchall()
    assert failing(path, result) == [row for (row,) in rows]
    assert result.unexpected_count == len(rows)
    assert [example["row_id"] for example in result.examples] == [row for (row,) in rows[:5]]


@pytest.mark.parametrize("name", WHOLE)
def test_columns_as_a_whole(results, name):
    _, passes, observed = WHOLE[name]
    result = results[name]
    assert result.error is None, result.error
    assert result.passed is passes
    assert result.observed == observed
    assert result.failing_rows_sql is None


def test_text_of_rows_is_in_examples_alone(results):
    assert results["set"].examples == [{"value": 'it\'s 50% \\ ":x"'}]
    assert results["common"].examples == [{"value": "['b']"}]
    assert all("50%" not in result.observed for result in results.values())


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_checked_has_failed_alone(results, name):
    result = results[name]
    assert not result.passed
    assert BROKEN[name][1] in result.error
    assert "text 1" not in result.error


def test_expectations_are_told_in_words(results):
    assert results["in_set"].expected == "category values must belong to this set: b it's"
    assert results["scores_of_rows"].expected.endswith("or equal to 50.0, in `scores`")


def test_the_snapshot_can_be_written_after_and_gets_all_failing_rows(results, path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("BEGIN")
        record(connection, list(results.values()))
        recorded = connection.execute(
            "SELECT name, count(*), count(DISTINCT row_id) FROM check_failures GROUP BY name"
        ).fetchall()
        row = connection.execute(
            "SELECT * EXCLUDE (expected, observed) FROM checks WHERE name = 'some_rows'"
        ).fetchone()
        count = connection.execute("SELECT count(*) FROM checks").fetchone()
        connection.execute("ROLLBACK")
    wanted = {n: r.unexpected_count for n, r in results.items() if r.failing_rows_sql}
    assert {name: rows for name, rows, _ in recorded} == wanted
    assert all(rows == distinct for _, rows, distinct in recorded)
    assert wanted["hostile_column"] == 5000
    assert count == (len(results),)
    assert row is not None
    assert json.loads(row[3]) == {
        "column": "n",
        "min_value": 5,
        "where": "m > 3 AND category <> ':b' -- not all",
    }
    failing = results["some_rows"].unexpected_count
    assert row[4:] == ("error", True, False, results["some_rows"].element_count, failing, None)


def test_the_list_of_core_expectations_is_great_expectations_own():
    from dagster_project.quality.great_expectations_adapter import core_expectations

    listed = {}
    for name, signature in CORE.items():
        words = signature.split()
        required = [word.rstrip("*") for word in words if word.endswith("*")]
        listed[name] = (required, [word for word in words if not word.endswith("*")])
    assert listed == core_expectations()


def test_those_in_duckdb_sql_take_great_expectations_arguments():
    for name in IN_SQL.keys() & CORE.keys():
        assert set(IN_SQL[name].model_fields) == {w.rstrip("*") for w in CORE[name].split()}, name
