"""Expectations that Seedbed measures itself."""

from __future__ import annotations

import pytest

from dagster_project.quality.audit import audit

ROWS = """
    SELECT i AS row_id, i % 7 AS n, 'text ' || i % 50 AS text,
           CASE WHEN i % 4 = 0 THEN NULL ELSE 'it''s ' || i END AS note FROM range(100) t(i)
"""
BOOKS = (
    "INSERT INTO inputs SELECT 0, 'a', 'files', 'x', NULL, 'c', NULL, 150, now()::TIMESTAMP",
    "INSERT INTO inputs SELECT 1, 'b', 'files', 'x', NULL, 'c', NULL, 50, now()::TIMESTAMP",
    "INSERT INTO lineage SELECT row_id, 0, row_id, 0, 'kept', 0 FROM rows WHERE row_id < 90",
    "INSERT INTO lineage SELECT row_id, 1, row_id, 0, 'kept', 0 FROM rows WHERE row_id >= 90",
    "INSERT INTO steps SELECT 0, 'short', 'filter_length', NULL, '{}', 'h', 200, 150, 0, 0, 0, 48, 2,"
    " 0, 150, 0.1, 0, ['min_words', 'max_words', 'min_tokens']",
    "INSERT INTO steps SELECT 1, 'merge', 'deduplicate_exact', NULL, '{}', 'h', 150, 100, 0, 50, 0, "
    "0, 0, 0, 100, 0.1, 0, ['duplicate']",
    "INSERT INTO step_rules SELECT 0, 'min_words', 'dropped', 0, 40",
    "INSERT INTO step_rules SELECT 0, 'max_words', 'dropped', 1, 8",
    "INSERT INTO dispositions SELECT 0, 100 + i, 0, 0, 'dropped', 'min_words', '1', '>= 2', NULL, "
    "NULL, NULL, NULL, NULL FROM range(40) t(i)",
    "INSERT INTO quarantine SELECT 1, i, 0, 0, 'broken', NULL FROM range(2) t(i)",
)


@pytest.fixture(scope="module")
def path(tmp_path_factory, write_snapshot):
    """A snapshot of 100 rows from 200."""
    return write_snapshot(tmp_path_factory.mktemp("sql") / "now.duckdb", ROWS, *BOOKS)


@pytest.mark.parametrize(
    ("written", "passed", "observed"),
    [
        (
            {"source_loss": {"max": 0.4, "min_rows": 10}},
            False,
            "step `short` removed, of source `b`, 8 of 18 rows (44.44 %)",
        ),
        (
            {"source_loss": {}},
            True,
            "step `short` removed, of source `a`, 40 of 130 rows (30.77 %)",
        ),
        ({"removed_share": {"max": 0.8}}, True, "input `b` lost 40 of 50 rows (80 %)"),
        (
            {"removed_share": {"max": 0.3}},
            False,
            "input `b` lost 40 of 50 rows (80 %); input `a` lost 60 of 150 rows (40 %); step `merge` "
            "removed 50 of 150 rows (33.33 %)",
        ),
        ({"removed_share": {"max": 0.25, "step": "short"}}, True, "step `short` removed 50 of 200"),
        ({"removed_share": {"max": 0.2, "step": "short"}}, False, "step `short` removed 50 of 200"),
        (
            {"removed_share": {"max": 0.1, "rule": "min_words"}},
            False,
            "rule `min_words` of step `sho",
        ),
        ({"removed_share": {"max": 0, "rule": "min_tokens"}}, True, "removed 0 of"),
        (
            {"removed_share": {"max": 0.4, "input": "a"}},
            True,
            "input `a` lost 60 of 150 rows (40 %)",
        ),
        (
            {"removed_share": {"max": 0.2, "input": "a", "step": "short"}},
            False,
            "step `short` removed, of input `a`, 40 of 150 rows (26.67 %)",
        ),
        ({"removed_share": {"max": 0, "input": "b", "step": "short"}}, True, "0 of 50 rows"),
        ({"quarantined_share": {"max": 0.01}}, True, "2 of 200 input rows (1 %)"),
        ({"quarantined_share": {"max": 0.009}}, False, "2 of 200 input rows (1 %)"),
    ],
)
def test_what_the_pipeline_removed(path, look, written, passed, observed):
    result = look(path, written)
    assert result.error is None
    assert result.passed is passed
    assert observed in result.observed


@pytest.mark.parametrize(
    ("written", "passed", "expected_rows"),
    [
        ({"sql": "SELECT row_id FROM rows WHERE n = 6"}, False, range(6, 100, 7)),
        ({"sql": "SELECT row_id FROM rows WHERE n > 6;"}, True, []),
        ({"sql": "SELECT row_id FROM rows WHERE n = 6", "max_failing": 14}, True, range(6, 100, 7)),
        (
            {"sql": "SELECT row_id FROM rows WHERE n = 6", "max_failing_share": 0.13},
            False,
            range(6, 100, 7),
        ),
        ({"sql": "SELECT row_id FROM scores"}, True, []),
        ({"duplicate_share": {"columns": ["text"]}}, False, range(50, 100)),
        ({"duplicate_share": {"columns": ["text"], "max": 0.5}}, True, range(50, 100)),
        ({"duplicate_share": {"columns": ["text"]}, "where": "row_id < 60"}, False, range(50, 60)),
        ({"duplicate_share": {"columns": ["text", "n"]}}, True, []),
        (
            {"expect_column_values_to_match_regex": {"column": "note", "regex": "^it's [0-8]"}},
            False,
            [9, *(i for i in range(90, 100) if i % 4)],
        ),
        (
            {
                "expect_column_values_to_match_regex": {
                    "column": "note",
                    "regex": "^it's [0-8]",
                    "mostly": 0.88,
                }
            },
            True,
            [9, *(i for i in range(90, 100) if i % 4)],
        ),
        (
            {"expect_column_values_to_not_match_regex": {"column": "note", "regex": "9$"}},
            False,
            range(9, 100, 10),
        ),
        (
            {
                "expect_column_values_to_match_regex_list": {
                    "column": "note",
                    "regex_list": ["^it", "[1-9]$"],
                    "match_on": "all",
                }
            },
            False,
            [i for i in range(0, 100, 10) if i % 4],
        ),
        (
            {"expect_column_values_to_not_match_regex_list": {"column": "n", "regex_list": ["x"]}},
            None,
            [],
        ),
        (
            {"expect_column_values_to_match_like_pattern": {"column": "note", "like_pattern": "it's %"}},
            True,
            [],
        ),
        (
            {
                "expect_column_values_to_not_match_like_pattern_list": {
                    "column": "text",
                    "like_pattern_list": ["text 1_", "%7"],
                }
            },
            False,
            [i for i in range(100) if 10 <= i % 50 < 20 or i % 10 == 7],
        ),
        (
            {"expect_column_values_to_be_json_parseable": {"column": "note"}, "where": "row_id = 1"},
            False,
            [1],
        ),
        ({"expect_column_values_to_be_of_type": {"column": "text", "type_": "TEXT"}}, True, []),
        ({"expect_column_type_to_be": {"column": "n", "type_": "DOUBLE"}}, False, []),
    ],
)  # fmt: skip
def test_rows(path, look, failing, written, passed, expected_rows):
    result = look(path, written)
    if passed is None:
        assert not result.passed and "No function matches" in result.error
        return
    assert result.error is None, result.error
    assert result.passed is passed
    assert failing(path, result) == list(expected_rows)
    if result.failing_rows_sql:
        assert result.unexpected_count == len(expected_rows)
        assert [e["row_id"] for e in result.examples] == list(expected_rows)[:5]


def test_whole_rows_repeat_when_their_hashes_do(tmp_path, write_snapshot, look, failing):
    hashes = "INSERT INTO row_hashes SELECT row_id, row_id % 98 FROM rows"
    path = write_snapshot(tmp_path / "hashed.duckdb", ROWS, hashes)
    assert failing(path, look(path, "duplicate_share")) == [98, 99]


def test_examples_are_cut_and_name_their_row(tmp_path, write_snapshot, look):
    path = write_snapshot(tmp_path / "s.duckdb", "SELECT 7 AS row_id, repeat('é', 5000) AS text")
    written = {"expect_column_values_to_match_regex": {"column": "text", "regex": "x"}}
    assert look(path, written).examples == [{"row_id": 7, "text": "é" * 200}]


def chat(*turns: tuple[str | None, str | None]) -> str:
    """SQL of a chat."""

    def literal(text: str | None) -> str:
        return "NULL" if text is None else "'" + text.replace("'", "''") + "'"

    messages = ", ".join(f"{{'role': {literal(r)}, 'content': {literal(c)}}}" for r, c in turns)
    return f"[{messages}]::STRUCT(role VARCHAR, content VARCHAR)[]"


GOOD = (
    [("user", "q"), ("assistant", "it's")],
    [("system", "s"), ("user", "q"), ("assistant", "a"), ("user", "q"), ("assistant", "a")],
    [("user", "q"), ("assistant", "call"), ("tool", "1"), ("tool", "2"), ("assistant", "a")],
)
BAD = (
    ("no messages", []),
    ("unknown role", [("human", "q"), ("assistant", "a")]),
    ("unknown role", [(None, "q"), ("assistant", "a")]),
    ("system not first", [("user", "q"), ("system", "s"), ("assistant", "a")]),
    ("system not first", [("system", "s"), ("system", "s"), ("user", "q"), ("assistant", "a")]),
    ("not from user", [("assistant", "a")]),
    ("not from user", [("system", "s"), ("assistant", "a")]),
    ("not from user", [("system", "s")]),
    ("not alternating", [("user", "q"), ("user", "q"), ("assistant", "a")]),
    ("not alternating", [("user", "q"), ("tool", "q"), ("assistant", "a")]),
    ("not to assistant", [("user", "q")]),
    ("empty content", [("user", "q"), ("assistant", " \n\t")]),
    ("empty content", [("user", None), ("assistant", "a")]),
)


def test_chats(tmp_path, write_snapshot, look, checks, failing):
    chats = [*(chat(*turns) for turns in GOOD), *(chat(*turns) for _, turns in BAD), "NULL"]
    rows = " UNION ALL ".join(f"SELECT {n} AS row_id, {c} AS m" for n, c in enumerate(chats))
    path = write_snapshot(tmp_path / "s.duckdb", rows)
    result = look(path, {"chat_structure": {"column": "m"}})
    assert failing(path, result) == list(range(len(GOOD), len(GOOD) + len(BAD)))
    assert result.element_count == len(GOOD) + len(BAD)  # nulls are not looked at
    reasons = [
        {"chat_structure": {"column": "m"}, "where": f"row_id = {len(GOOD) + index}"}
        for index in range(len(BAD))
    ]
    for (reason, _), one in zip(BAD, audit(path, checks(*reasons), None), strict=True):
        assert reason in one.examples[0]["broken"]


def test_a_call_of_a_tool_needs_no_content(tmp_path, write_snapshot, look):
    message = "{'role': '%s', 'content': %s, 'tool_calls': %s}"
    turns = [("user", "'q'", "NULL"), ("assistant", "NULL", "['f()']"), ("tool", "'1'", "NULL")]
    turns.append(("assistant", "'a'", "NULL"))
    rows = f"SELECT 0 AS row_id, [{', '.join(message % turn for turn in turns)}] AS messages"
    path = write_snapshot(tmp_path / "s.duckdb", rows)
    assert look(path, "chat_structure").passed


def test_drift(tmp_path, write_snapshot, look):
    now = write_snapshot(tmp_path / "now.duckdb", ROWS, *BOOKS)
    before = write_snapshot(tmp_path / "before.duckdb", f"{ROWS} WHERE i < 80", *BOOKS)
    rows = {"drift": {"metric": "rows", "max_change": 0.2}}
    assert look(now, rows).observed == "there is no earlier snapshot to compare with"
    assert look(now, rows).passed
    assert look(now, rows, before).observed == "rows 100, before 80: +25 %"
    assert not look(now, rows, before).passed
    assert look(before, rows, now).passed
    length = {"drift": {"metric": "mean_length", "column": "text", "max_change": 0.001}}
    assert look(now, length, now).passed
    assert "before 6.75" in look(now, length, before).observed
    removed = {"drift": {"metric": "removed_share", "max_change": 0.1}}
    assert look(now, removed, before).observed.endswith("before 60 %: -10 percentage points")


def test_a_previous_snapshot_that_cannot_be_read_fails_drift_alone(path, tmp_path, checks):
    written = [{"drift": {"metric": "rows", "max_change": 1}}, {"quarantined_share": {"max": 1}}]
    drift, other = audit(path, checks(*written), tmp_path / "gone.duckdb")
    assert not drift.passed and "the previous snapshot cannot be opened" in (drift.error or "")
    assert other.passed


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"duplicate_share": {"columns": ["tekst"]}}, "no column 'tekst' in `rows`; did you mean 'text'"),
        ({"chat_structure": {"column": "text"}}, "is VARCHAR; chats are lists of"),
        ({"removed_share": {"max": 1, "step": "shorts"}}, "no step 'shorts'; did you mean 'short'?"),
        ({"removed_share": {"max": 1, "rule": "min_word"}}, "no rule 'min_word'; did you mean 'min"),
        (
            {"removed_share": {"max": 1, "rule": "min_words", "step": "merge"}},
            "no rule 'min_words' in step merge. There are: duplicate",
        ),
        ({"removed_share": {"max": 1, "input": "c"}}, "no input 'c'. There are: a, b"),
        ({"sql": "SELECT n FROM rows"}, "must select `row_id`"),
        ({"sql": "SELECT row_id FROM row"}, 'Did you mean "rows"?'),
        ({"sql": "SELECT row_id FROM read_text('/etc/hostname')"}, "Permission Error"),
        ({"sql": "WITH gone AS (DELETE FROM rows RETURNING *) SELECT row_id FROM gone"}, "Error"),
        (
            {"sql": "SELECT row_id FROM rows WHERE note::INTEGER = 1"},
            "Conversion Error in a value; the value is not shown",
        ),
        ({"sql": "SELECT row_id FROM rows WHERE error(note)"}, "Invalid Input Error in a value"),
    ],
)  # fmt: skip
def test_what_cannot_be_checked_has_failed(path, look, written, said):
    result = look(path, written)
    assert not result.passed
    assert said in result.error
    assert "it's" not in result.error


def test_a_file_that_is_no_snapshot_fails_every_check(tmp_path, look):
    (tmp_path / "s.duckdb").write_bytes(b"not a database" * 1000)
    result = look(tmp_path / "s.duckdb", {"quarantined_share": {"max": 1}})
    assert not result.passed and "cannot be opened" in result.error
