"""What failed in a Dagster run, read from its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

import dagster as dg

from dagster_project.orchestration.alerts.failure import Failure

if TYPE_CHECKING:
    from dagster import AssetCheckEvaluation, DagsterEvent, EventLogEntry, RepositoryDefinition
    from dagster._core.events import JobFailureData
    from dagster_shared.error import SerializableErrorInfo

OwnersOf = Callable[[dg.AssetKey], Sequence[str]]

EXAMPLES_SHOWN = 5

_PLANNED = (
    dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED,
)
_WANTED = {
    *_PLANNED,
    dg.DagsterEventType.ASSET_CHECK_EVALUATION,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.RUN_FAILURE,
}


def nobody(_key: dg.AssetKey) -> Sequence[str]:
    """The owners of an asset when they are not known."""
    return ()


def owners_in(repository: RepositoryDefinition | None) -> OwnersOf:
    """Looks owners up in a repository's assets."""
    if repository is None:
        return nobody
    graph = repository.asset_graph
    return lambda key: graph.get(key).owners if graph.has(key) else ()


def failures_of_run(
    instance: dg.DagsterInstance, run: dg.DagsterRun, owners_of: OwnersOf = nobody
) -> list[Failure]:
    """Every failure of a finished run: its failed checks of any severity, and the run itself if
    it failed for another reason than its checks.

    A check evaluated again by a retried step counts as it ended. The texts are as found: scrub
    them before they go anywhere.

    Args:
        instance: that has the run's events.
        run: a finished run.
        owners_of: looks up the owners of an asset.
    """
    log: dict[dg.DagsterEventType, list[EventLogEntry]] = defaultdict(list)
    for entry in instance.all_logs(run.run_id, of_type=_WANTED):
        log[entry.get_dagster_event().event_type].append(entry)

    last = {}
    for entry in log[dg.DagsterEventType.ASSET_CHECK_EVALUATION]:
        check = _check(entry)
        last[check.asset_key, check.check_name, check.partition] = entry
    failed_checks = [entry for entry in last.values() if not _check(entry).passed]
    failures = [_of_check(entry, run, owners_of) for entry in failed_checks]

    gates = {entry.step_key for entry in failed_checks if _stops(_check(entry))}
    failed_steps = [entry.get_dagster_event() for entry in log[dg.DagsterEventType.STEP_FAILURE]]
    unexplained = [s for s in failed_steps if not (s.step_key in gates and _deliberate(s))]
    if not failed_steps or unexplained:
        planned = [entry.get_dagster_event() for kind in _PLANNED for entry in log[kind]]
        for entry in log[dg.DagsterEventType.RUN_FAILURE][:1]:
            keys = _assets_of(unexplained, planned)
            failures.append(_of_run(entry, unexplained, keys, run, owners_of))
    return failures


def _of_check(entry: EventLogEntry, run: dg.DagsterRun, owners_of: OwnersOf) -> Failure:
    check = _check(entry)

    def said(key: str) -> Any:
        value = check.metadata.get(key)
        return None if value is None else value.value

    count = said("unexpected_count")
    return Failure(
        run_id=run.run_id,
        timestamp=entry.timestamp,
        asset_key=check.asset_key.to_user_string(),
        check=check.check_name,
        severity=check.severity.value,
        owners=tuple(owners_of(check.asset_key)),
        expected=str(said("expected") or ""),
        observed=str(said("observed") or ""),
        unexpected_count=count if isinstance(count, int) else None,
        description=check.description or "",
        error=_first_line(str(said("error") or "")),
        job=run.job_name,
        examples=tuple(_examples(said("examples"))),
    )


def _of_run(
    entry: EventLogEntry,
    failed_steps: Sequence[DagsterEvent],
    keys: Sequence[dg.AssetKey],
    run: dg.DagsterRun,
    owners_of: OwnersOf,
) -> Failure:
    event = entry.get_dagster_event()
    if failed_steps:
        data = failed_steps[0].step_failure_data
        said = data.user_failure_data.description if data.user_failure_data else None
        error = said or _root_message(data.error)
    else:
        ended = cast("JobFailureData | None", event.event_specific_data)  # a monitor gives none
        error = _root_message(ended.error if ended else None) or event.message or ""
    return Failure(
        run_id=run.run_id,
        timestamp=entry.timestamp,
        asset_key=", ".join(key.to_user_string() for key in keys),
        owners=tuple(dict.fromkeys(owner for key in keys for owner in owners_of(key))),
        error=_first_line(error),
        job=run.job_name,
    )


def _check(entry: EventLogEntry) -> AssetCheckEvaluation:
    return entry.get_dagster_event().asset_check_evaluation_data


def _assets_of(
    failed_steps: Sequence[DagsterEvent], planned: Sequence[DagsterEvent]
) -> list[dg.AssetKey]:
    """The assets of the failed steps; of the whole run when it failed outside any step."""
    steps = {step.step_key for step in failed_steps}
    named = [event for event in planned if not steps or event.step_key in steps]
    return sorted({cast("Any", event.event_specific_data).asset_key for event in named})


def _stops(check: AssetCheckEvaluation) -> bool:
    """Whether this check, failed, keeps its version from being published."""
    return bool(check.blocking) or check.severity == dg.AssetCheckSeverity.ERROR


def _deliberate(step_failure: DagsterEvent) -> bool:
    """Whether a step was failed on purpose, as a gate does, rather than by an accident."""
    data = step_failure.step_failure_data
    blocked = data.error is not None and data.error.cls_name == "DagsterAssetCheckFailedError"
    return blocked or data.user_failure_data is not None


def _root_message(error: SerializableErrorInfo | None) -> str:
    """What the user's code raised, without Dagster's wrapping."""
    if error is None:
        return ""
    if error.cls_name == "DagsterExecutionStepExecutionError" and error.cause:
        return error.cause.message
    return error.message


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]


def _examples(records: Any) -> Iterator[str]:
    rows = getattr(records, "records", records)
    for record in rows[:EXAMPLES_SHOWN] if isinstance(rows, Sequence) else ():
        row = getattr(record, "data", record)
        if isinstance(row, Mapping):
            yield ", ".join(f"{name} = {value}" for name, value in row.items())
