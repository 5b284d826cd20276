from __future__ import annotations

from dataclasses import replace

from dagster_project.orchestration.alerts.config import AlertConfig
from dagster_project.orchestration.alerts.failure import Failure, build_message

CHECK = Failure(
    run_id="0123456789abcdef",
    timestamp=1_800_000_000.0,
    asset_key="python_tutor/v2",
    check="no_duplicates",
    owners=("team:data", "ann@example.org"),
    expected="at most 1 % duplicates",
    observed="3.2 %",
    unexpected_count=12_345,
    description="3.2 %",
    job="python_tutor_job",
)


def test_a_check_reads_well() -> None:
    message = build_message(CHECK, "http://ui")
    assert message.title == "python_tutor/v2: check no_duplicates failed"
    assert message.body == (
        "Version: python_tutor/v2\n"
        "Expected: at most 1 % duplicates\n"
        "Observed: 3.2 %\n"
        "Unexpected rows: 12,345\n"
        "Severity: ERROR\n"
        "Owners: team:data, ann@example.org\n"
        "Run: 01234567 of python_tutor_job, 2027-01-15 08:00:00 UTC\n"
        "See: http://ui/assets/python_tutor/v2?view=checks&checkDetail=no_duplicates"
    )


def test_a_run_links_to_itself_and_a_warning_says_so() -> None:
    run = replace(CHECK, check="", error="disk full")
    assert build_message(run, "http://ui").title == "python_tutor/v2: run failed"
    assert build_message(run, "http://ui").body.endswith("See: http://ui/runs/0123456789abcdef")
    warning = build_message(replace(CHECK, severity="WARN"), "http://ui")
    assert warning.title.endswith("failed (warning)")


def test_hostile_text_can_neither_add_lines_nor_flood() -> None:
    failure = replace(CHECK, observed="a\r\nOwners: nobody\x1b[2J\u202e" + "x" * 5000)
    body = build_message(failure, "http://ui").body
    assert [line.split(":")[0] for line in body.splitlines()].count("Owners") == 1
    assert "\x1b" not in body
    assert "\u202e" not in body
    assert len(body) < 2000


def test_rows_are_left_out_unless_wanted_and_survive_the_outbox_format() -> None:
    failure = replace(CHECK, examples=("row_id = 7, text = once upon",))
    assert "once upon" not in failure.scrubbed(AlertConfig()).to_json()
    told = Failure.from_json(failure.scrubbed(AlertConfig(include_rows=True)).to_json())
    assert told == failure
    assert "Example row: row_id = 7, text = once upon" in build_message(told, "http://ui").body


def test_a_secret_is_removed_before_a_text_is_cut() -> None:
    config = AlertConfig(secrets=frozenset({"hunter2canary"}))
    failure = replace(CHECK, observed="x" * 292 + "hunter2canary")
    assert "hunter" not in failure.scrubbed(config).observed
