"""A workspace as Dagster sees it, and what its runs do, on a real instance."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.definitions.data_version import (  # the UI's own notion of stale
    CachingStaleStatusResolver,
    StaleStatus,
)
from dagster._core.loader import LoadingContextForTest

from dagster_project.orchestration.workspace_definitions import workspace_definitions
from dagster_project.warehouse.publish import current
from dagster_project.workspace import VersionName

RAW = """\
owners: [team:data]
licence: CC0-1.0
tags: {topic: test}
inputs:
  rows: {files: rows.jsonl}
steps:
  - filter_length: {column: text, min_characters: 2}
checks:
  - sql: "SELECT row_id FROM rows WHERE text = 'bad'"
    name: no_bad
    severity: error
  - sql: "SELECT row_id FROM rows WHERE text = 'odd'"
    name: no_odd
    severity: warning
"""
MADE = """\
inputs:
  raw: {version: raw/v1}
steps:
  - deduplicate_exact: {columns: [text]}
automation: eager
schedule: "0 3 * * *"
"""
NO_TELEMETRY = {"telemetry": {"enabled": False}}
KEY = dg.AssetKey(["raw", "v1"])


@pytest.fixture
def written(space):
    space.recipe("raw/v1", RAW)
    space.recipe("made/v1", MADE)
    space.recipe("broken/v1", "inputs: {rows: {file: x}}\n")
    space.jsonl("rows.jsonl", [{"text": "aa"}, {"text": "aa"}, {"text": "b"}, {"text": "odd"}])
    return space


@pytest.fixture
def instance(tmp_path):
    (tmp_path / "home").mkdir()
    with dg.DagsterInstance.local_temp(str(tmp_path / "home"), overrides=NO_TELEMETRY) as made:
        yield made


def run(space, instance, selection=None, **config):
    repository = workspace_definitions(space.workspace).get_repository_def()
    job = repository.get_implicit_global_asset_job_def()
    return job.execute_in_process(
        instance=instance, asset_selection=selection, raise_on_error=False, **config
    )


def test_versions_are_assets_with_what_the_recipe_says(written) -> None:
    definitions = workspace_definitions(written.workspace)
    graph = definitions.get_repository_def().asset_graph
    raw = graph.get(KEY)
    assert raw.group_name == "raw"
    assert raw.owners == ["team:data"]
    assert raw.tags["topic"] == "test"
    assert raw.tags["phase"] == "sft"
    assert raw.tags["licence"] == "CC0-1.0"
    assert raw.code_version
    assert {check.name for check in graph.asset_check_keys if check.asset_key == KEY} == {
        "no_bad",
        "no_odd",
        "every_source_stays",
        "rows_fit_their_phase",
    }
    made = graph.get(dg.AssetKey(["made", "v1"]))
    assert made.parent_keys == {KEY}
    assert made.automation_condition is not None
    assert {"raw_job", "made_job"} <= {job.name for job in definitions.resolve_all_job_defs()}
    assert definitions.get_repository_def().get_schedule_def("made__v1_schedule")


def test_a_broken_recipe_is_shown_and_fails_alone(written, instance) -> None:
    graph = workspace_definitions(written.workspace).get_repository_def().asset_graph
    broken = dg.AssetKey(["broken", "v1"])
    assert "v1.yaml:3: inputs.rows" in (graph.get(broken).description or "")
    result = run(written, instance)
    assert not result.success
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {
        KEY,
        dg.AssetKey(["made", "v1"]),
    }


def test_a_run_publishes_and_tells(written, instance) -> None:
    result = run(written, instance, [KEY])
    assert result.success
    (event,) = result.get_asset_materialization_events()
    metadata = event.materialization.metadata
    assert metadata["dagster/row_count"].value == 3
    assert metadata["rows_removed"].value == 1
    assert "data:image/svg+xml" in metadata["flow_of_rows"].value
    assert len(metadata["flow_of_rows"].value) < 1000
    assert "data:image/svg+xml" in metadata["map"].value
    axes = {record.data["axis"] for record in metadata["coverage"].records}
    assert {"language", "length", "topic"} <= axes
    assert [record.data["step"] for record in metadata["steps"].records] == ["1 filter_length"]
    checks = {item.check_name: item for item in result.get_asset_check_evaluations()}
    assert checks["no_bad"].passed
    assert not checks["no_odd"].passed
    assert checks["no_odd"].severity == dg.AssetCheckSeverity.WARN
    assert checks["no_odd"].metadata["unexpected_count"].value == 1


def test_a_failed_blocking_check_is_no_materialization(written, instance) -> None:
    run(written, instance, [KEY])
    before = current(written.store, VersionName("raw", "v1"))
    written.jsonl("rows.jsonl", [{"text": "bad"}])
    result = run(written, instance, [KEY])
    assert not result.success
    assert result.get_asset_materialization_events() == []
    assert not next(
        item for item in result.get_asset_check_evaluations() if item.check_name == "no_bad"
    ).passed
    assert current(written.store, VersionName("raw", "v1")) == before


def test_checks_can_be_run_alone(written, instance) -> None:
    run(written, instance, [KEY])
    repository = workspace_definitions(written.workspace).get_repository_def()
    job = repository.get_implicit_global_asset_job_def().get_subset(
        asset_selection=set(), asset_check_selection={dg.AssetCheckKey(KEY, "no_odd")}
    )
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert result.success
    assert result.get_asset_materialization_events() == []
    (check,) = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed) == ("no_odd", False)


def test_a_trial_is_never_published(written, instance) -> None:
    result = run(
        written,
        instance,
        [KEY],
        run_config={"ops": {"raw__v1": {"config": {"sample": 1}}}},
    )
    assert result.success
    assert result.get_asset_materialization_events() == []
    assert current(written.store, VersionName("raw", "v1")) is None


def test_an_unchanged_rebuild_leaves_downstream_fresh_and_a_change_makes_it_stale(
    written, instance
) -> None:
    made = dg.AssetKey(["made", "v1"])

    def status() -> StaleStatus:
        graph = workspace_definitions(written.workspace).get_repository_def().asset_graph
        return CachingStaleStatusResolver(
            instance, graph, LoadingContextForTest(instance)
        ).get_status(made)

    run(written, instance, [KEY, made])
    assert status() == StaleStatus.FRESH
    run(written, instance, [KEY])
    assert status() == StaleStatus.FRESH
    written.jsonl("rows.jsonl", [{"text": "aa"}, {"text": "new"}])
    run(written, instance, [KEY])
    assert status() == StaleStatus.STALE


def test_a_failure_says_what_to_do(written, instance) -> None:
    result = run(written, instance, [dg.AssetKey(["made", "v1"])])
    (failure,) = [event for event in result.all_events if event.is_step_failure]
    said = failure.step_failure_data.user_failure_data.description
    assert "materialize raw/v1 first" in said
