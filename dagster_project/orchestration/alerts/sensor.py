"""Dagster sensors that notice failures and deliver alerts."""

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.config import (
    DEFAULT_FILE,
    URLS_VARIABLE,
    AlertConfig,
    load_config,
)
from dagster_project.orchestration.alerts.delivery import deliver
from dagster_project.orchestration.alerts.outbox import Outbox
from dagster_project.orchestration.alerts.run_failures import (
    OwnersOf,
    failures_of_run,
    nobody,
    owners_in,
)
from dagster_project.orchestration.alerts.status import in_words, status
from dagster_project.workspace import Workspace

FINISHED = (
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
)
SWEEP_OVERLAP_SECONDS = 60.0


class AlertsUndelivered(SeedbedError):
    """Alerts are stuck on a channel that does not work."""


def outbox_of(root: Path) -> Outbox:
    """The outbox of the workspace at `root`."""
    return Outbox(Workspace(root).store / "alerts.sqlite")


def alert_run(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    root: Path,
    owners_of: OwnersOf = nobody,
) -> int:
    """Record the failures of a finished run, then send what is due for at most 5 s.

    Args:
        instance: that has the run's events.
        run: a finished run.
        root: the workspace's root folder.
        owners_of: looks up the owners of an asset.

    Returns:
        How many failures were new.

    Raises:
        AlertConfigError: when the alert settings are wrong; nothing is recorded then.
        OutboxError: when the outbox cannot be used.
    """
    config, outbox = load_config(root), outbox_of(root)
    new = _record(instance, run, config, outbox, owners_of)
    deliver(config, outbox, seconds=5)
    return new


def alert_sensors(workspace_root: Path) -> list[dg.SensorDefinition]:
    """Sensors that tell of every failed check and failed run, whoever launched it.

    One for each way in which a run ends records its failures within seconds. `alert_delivery`
    looks again at the runs that ended lately, so that none is lost to an error or a restart,
    repeats what did not arrive, and fails, red in the UI, while a channel does not work.

    Args:
        workspace_root: the folder with `alerts.yaml`; the outbox is `store/alerts.sqlite` in it.
    """
    by_status = [_run_sensor(run_status, workspace_root) for run_status in FINISHED]
    return [*by_status, _delivery_sensor(workspace_root)]


def _run_sensor(run_status: dg.DagsterRunStatus, root: Path) -> dg.SensorDefinition:
    @dg.run_status_sensor(
        name=f"alerts_on_{run_status.value.lower()}",
        run_status=run_status,
        minimum_interval_seconds=5,
        default_status=dg.DefaultSensorStatus.RUNNING,
        monitor_all_code_locations=True,  # else runs launched by the command line are not seen
        description=f"Alerts of the checks that failed in a run that ended as {run_status.value}.",
    )
    def run_sensor(context: dg.RunStatusSensorContext) -> None:
        owners_of = owners_in(context.repository_def)
        alert_run(context.instance, context.dagster_run, root, owners_of)

    return run_sensor


def _delivery_sensor(root: Path) -> dg.SensorDefinition:
    @dg.sensor(
        name="alert_delivery",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends alerts that have not arrived; fails while a channel does not work.",
    )
    def alert_delivery(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        config, outbox = load_config(root), outbox_of(root)
        try:
            _sweep(context.instance, config, outbox, owners_in(context.repository_def))
        finally:
            deliver(config, outbox)
        found = status(config, outbox)
        if found.dead:
            raise AlertsUndelivered(
                f"{in_words(found)}. Mend the URL in {URLS_VARIABLE} or {DEFAULT_FILE}, or the "
                "service behind it; nothing is lost meanwhile"
            )
        return dg.SkipReason(in_words(found))

    return alert_delivery


def _sweep(
    instance: dg.DagsterInstance, config: AlertConfig, outbox: Outbox, owners_of: OwnersOf
) -> None:
    """Record the failures of every run that ended since the last sweep; known ones stay as is."""
    started = outbox.clock()
    lately = dg.RunsFilter(
        statuses=list(FINISHED), updated_after=datetime.fromtimestamp(outbox.swept_until, UTC)
    )
    for run in instance.get_runs(lately):
        _record(instance, run, config, outbox, owners_of)
    outbox.swept_until = started - SWEEP_OVERLAP_SECONDS


def _record(
    instance: dg.DagsterInstance,
    run: dg.DagsterRun,
    config: AlertConfig,
    outbox: Outbox,
    owners_of: OwnersOf,
) -> int:
    failures = [f.scrubbed(config) for f in failures_of_run(instance, run, owners_of)]
    return outbox.enqueue(failures, [channel.name for channel in config.channels])
