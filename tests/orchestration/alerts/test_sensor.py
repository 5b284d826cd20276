import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterExecutionInterruptedError

from dagster_project.orchestration.alerts.config import AlertConfigError, load_config
from dagster_project.orchestration.alerts.delivery import deliver
from dagster_project.orchestration.alerts.outbox import OutboxError
from dagster_project.orchestration.alerts.sensor import (
    AlertsUndelivered,
    alert_run,
    alert_sensors,
    outbox_of,
)
from dagster_project.orchestration.alerts.status import status

KEY = dg.AssetKey(["tutor", "v2"])
SECRET = "hunter2canary"


class Fault(dg.Config):
    fault: str = "none"


@dg.asset(
    key=KEY,
    owners=["team:data", "ann@example.org"],
    check_specs=[
        dg.AssetCheckSpec("duplicates", asset=KEY, blocking=True),
        dg.AssetCheckSpec("language", asset=KEY),
        dg.AssetCheckSpec("schema", asset=KEY),
    ],
)
def tutor(context: dg.AssetExecutionContext, config: Fault) -> Iterator:
    yield dg.AssetCheckResult(check_name="schema", passed=True)
    yield dg.AssetCheckResult(
        check_name="language",
        passed=False,
        severity=dg.AssetCheckSeverity.WARN,
        description="97 % English",
        metadata={"expected": "at least 99 % English", "observed": "97 % English"},
    )
    if config.fault == "canceled":
        context.instance.report_run_canceling(context.run)
        raise DagsterExecutionInterruptedError
    yield dg.AssetCheckResult(
        check_name="duplicates",
        passed=not config.fault.startswith("gate"),
        metadata={
            "expected": "at most 1 % duplicates",
            "observed": f"3.2 % (token={SECRET})",
            "unexpected_count": 1234,
            "examples": dg.MetadataValue.table([dg.TableRecord({"text": "once upon a time"})]),
        },
    )
    if config.fault.endswith("crash"):
        raise ValueError(f"disk full, api_key={SECRET}\nrow: once upon a time")
    if config.fault == "gate":
        raise dg.Failure("tutor/v2 is not published: duplicates failed", allow_retries=False)
    yield dg.MaterializeResult(asset_key=KEY)


@dg.asset
def broken() -> None:
    raise KeyError("no such column")


DEFINITIONS = dg.Definitions(assets=[tutor, broken])
REPOSITORY = DEFINITIONS.get_repository_def()


class Daemon:
    """Ticks the sensors as Dagster's daemon does: one cursor each, kept between ticks."""

    def __init__(self, root: Path, instance: dg.DagsterInstance) -> None:
        self.root, self.instance = root, instance
        self.sensors = {sensor.name: sensor for sensor in alert_sensors(root)}
        self.cursors: dict[str, str | None] = dict.fromkeys(self.sensors)
        self.tick(*self.sensors)

    def tick(self, *names: str) -> list[str]:
        """What the ticks had to say: errors, then skip reasons."""
        said = []
        for name in names:
            with dg.build_sensor_context(
                instance=self.instance,
                cursor=self.cursors[name],
                repository_def=REPOSITORY,
                repository_name="__repository__",  # the runs below, like the CLI's, have none
            ) as context:
                data = self.sensors[name].evaluate_tick(context)
            self.cursors[name] = data.cursor
            for reaction in data.dagster_run_reactions or []:
                if reaction.error:
                    said.append(reaction.error.message)
            if data.skip_message:
                said.append(data.skip_message)
        return said

    def tick_runs(self) -> list[str]:
        return self.tick(*(name for name in self.sensors if name != "alert_delivery"))

    def run(self, fault: str = "none", *keys: dg.AssetKey) -> dg.DagsterRun:
        try:
            result = DEFINITIONS.resolve_implicit_global_asset_job_def().execute_in_process(
                instance=self.instance,
                raise_on_error=False,
                asset_selection=list(keys) or [KEY],
                run_config={"ops": {"tutor__v2": {"config": {"fault": fault}}}}
                if not keys or KEY in keys
                else {},
            )
            run_id = result.run_id
        except DagsterExecutionInterruptedError:
            run_id = self.instance.get_runs(limit=1)[0].run_id
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run


@pytest.fixture
def daemon(tmp_path: Path, instance, webhook, monkeypatch) -> Daemon:
    monkeypatch.setenv("SEEDBED_ALERT_URLS", webhook.url())
    return Daemon(tmp_path, instance)


def test_failed_checks_of_a_gate_are_told_once_and_the_run_is_not(daemon, webhook) -> None:
    run = daemon.run("gate")
    assert run.status == dg.DagsterRunStatus.FAILURE
    for _ in range(2):
        daemon.tick_runs()
        daemon.tick("alert_delivery")
    assert webhook.titles() == [
        "tutor/v2: check duplicates failed",
        "tutor/v2: check language failed (warning)",
    ]
    (body,) = (m["message"] for m in webhook.received if "duplicates" in m["title"])
    assert body.splitlines()[:6] == [
        "Version: tutor/v2",
        "Expected: at most 1 % duplicates",
        "Observed: 3.2 % (token=…",
        "Unexpected rows: 1,234",
        "Severity: ERROR",
        "Owners: team:data, ann@example.org",
    ]
    assert "/assets/tutor/v2?view=checks&checkDetail=duplicates" in body
    assert "once upon" not in body


def test_a_warning_in_a_run_that_succeeds_is_told(daemon, webhook) -> None:
    assert daemon.run().status == dg.DagsterRunStatus.SUCCESS
    daemon.tick_runs()
    assert webhook.titles() == ["tutor/v2: check language failed (warning)"]
    assert daemon.tick("alert_delivery") == ["1 sent"]


def test_a_canceled_run_tells_its_checks_only(daemon, webhook) -> None:
    assert daemon.run("canceled").status == dg.DagsterRunStatus.CANCELED
    daemon.tick_runs()
    assert webhook.titles() == ["tutor/v2: check language failed (warning)"]


@pytest.mark.parametrize(("fault", "failed_checks"), [("crash", 1), ("gate, then crash", 2)])
def test_a_crash_is_told_though_checks_failed_too(daemon, webhook, fault, failed_checks) -> None:
    daemon.run(fault)
    daemon.tick_runs()
    assert webhook.titles()[-1] == "tutor/v2: run failed"
    assert len(webhook.received) == failed_checks + 1
    (body,) = (m["message"] for m in webhook.received if "run failed" in m["title"])
    assert "Error: ValueError: disk full, api_key=…" in body
    assert "Owners: team:data, ann@example.org" in body
    assert SECRET not in body
    assert "once upon" not in body


def test_a_run_that_failed_both_ways_names_what_no_check_explains(daemon, webhook) -> None:
    daemon.run("gate", KEY, broken.key)
    daemon.tick_runs()
    assert [t for t in webhook.titles() if "run failed" in t] == ["broken: run failed"]
    assert len(webhook.received) == 3


def test_a_run_that_failed_outside_its_steps_is_told(daemon, webhook) -> None:
    run = dg.DagsterRun(job_name="nightly", run_id=str(uuid.uuid4()))
    daemon.instance.add_run(run)
    daemon.instance.report_run_failed(run, "the worker vanished")
    daemon.tick_runs()
    assert webhook.titles() == ["nightly: run failed"]
    assert "Error: the worker vanished" in webhook.received[0]["message"]


def test_a_failure_to_record_loses_nothing(daemon, webhook, tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text("ui_url: nowhere")
    daemon.run("gate")
    assert any("alerts.yaml:1: ui_url" in said for said in daemon.tick_runs())
    assert webhook.received == []
    with pytest.raises(AlertConfigError, match="ui_url"):
        daemon.tick("alert_delivery")
    (tmp_path / "alerts.yaml").unlink()
    daemon.tick_runs()
    assert webhook.received == []  # the cursors are past that run
    daemon.tick("alert_delivery")
    assert len(webhook.received) == 2


def test_a_dead_channel_fails_the_delivery_tick_until_it_is_mended(
    daemon, webhook, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SEEDBED_ALERT_URLS", f"json://me:{SECRET}@127.0.0.1:{webhook.port}/x")
    webhook.answer = 503
    daemon.run("gate")
    daemon.tick_runs()
    assert daemon.tick("alert_delivery") == ["0 sent, 2 waiting for the next attempt"]
    outbox, config = outbox_of(tmp_path), load_config(tmp_path)
    for _ in range(2):
        outbox.retry([channel.name for channel in config.channels])
        deliver(config, outbox)
    with pytest.raises(AlertsUndelivered) as caught:
        daemon.tick("alert_delivery")
    told = str(caught.value)
    assert told.startswith("alerts do not arrive. json://…")
    assert "2 undelivered, failed attempts in a row: 3" in told
    assert "error=503" in told
    assert SECRET not in told
    webhook.answer = 200
    outbox.retry([channel.name for channel in config.channels])
    assert daemon.tick("alert_delivery") == ["2 sent"]


def test_without_channels_failures_are_recorded_and_not_sent_later(
    daemon, webhook, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("SEEDBED_ALERT_URLS")
    daemon.run("gate")
    daemon.tick_runs()
    expected = "0 sent, 2 not sent because no channel was configured"
    assert daemon.tick("alert_delivery") == [expected]
    monkeypatch.setenv("SEEDBED_ALERT_URLS", webhook.url())
    assert daemon.tick("alert_delivery") == [expected]
    found = status(load_config(tmp_path), outbox_of(tmp_path))
    assert {failure.check for failure in found.unrouted} == {"duplicates", "language"}
    assert webhook.received == []


def test_rows_are_told_only_if_asked_for(daemon, webhook, tmp_path: Path) -> None:
    (tmp_path / "alerts.yaml").write_text("include_rows: true")
    daemon.run("gate")
    daemon.tick_runs()
    assert any("Example row: text = once upon a time" in m["message"] for m in webhook.received)


def test_history_from_before_the_first_tick_is_not_news(tmp_path, instance, webhook, monkeypatch):
    monkeypatch.setenv("SEEDBED_ALERT_URLS", webhook.url())
    early = Daemon(tmp_path / "elsewhere", instance)
    early.run("gate")
    late = Daemon(tmp_path, instance)
    late.tick_runs()
    assert late.tick("alert_delivery") == ["0 sent"]


def test_the_command_line_can_tell_of_its_own_run_without_a_daemon(daemon, webhook) -> None:
    run = daemon.run("gate")
    assert alert_run(daemon.instance, run, daemon.root) == 2
    assert alert_run(daemon.instance, run, daemon.root) == 0
    daemon.tick_runs()
    assert len(webhook.received) == 2


def test_a_retried_step_counts_as_it_ended(daemon, webhook) -> None:
    @dg.asset(
        check_specs=[dg.AssetCheckSpec("flaky", asset="retried")],
        retry_policy=dg.RetryPolicy(max_retries=1),
    )
    def retried(context: dg.AssetExecutionContext) -> Iterator:
        yield dg.AssetCheckResult(check_name="flaky", passed=context.retry_number > 0)
        if context.retry_number == 0:
            raise ValueError("once")
        yield dg.MaterializeResult(asset_key="retried")

    assert dg.materialize([retried], instance=daemon.instance).success
    daemon.tick_runs()
    assert daemon.tick("alert_delivery") == ["0 sent"]
    assert webhook.received == []


def test_an_outbox_that_cannot_be_written_is_named(daemon, tmp_path: Path) -> None:
    for file in (tmp_path / "store").iterdir():
        os.remove(file)
    (tmp_path / "store" / "alerts.sqlite").write_text(json.dumps("damaged") * 100)
    with pytest.raises(OutboxError, match=r"alerts\.sqlite"):
        daemon.tick("alert_delivery")
