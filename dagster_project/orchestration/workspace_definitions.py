"""All of a workspace as Dagster definitions."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from dagster_project.engine.plan import Plan, plan
from dagster_project.orchestration.alerts.sensor import alert_sensors
from dagster_project.orchestration.resources import Warehouse
from dagster_project.orchestration.version_asset import asset_key, broken_version, version_asset
from dagster_project.quality.suite import Check, load_suites, resolve_checks
from dagster_project.recipe.loading import load_recipes
from dagster_project.recipe.problems import DeclarationError, Problem
from dagster_project.recipe.python_versions import python_versions
from dagster_project.workspace import VersionName, Workspace


@dataclass(frozen=True)
class PlannedVersion:
    """A usable version: its plan and its checks."""

    plan: Plan
    checks: Sequence[Check]


@dataclass(frozen=True)
class PlannedWorkspace:
    """All versions of a workspace, and the problems of those that cannot be used."""

    versions: dict[VersionName, PlannedVersion]
    problems: dict[str, list[Problem]]


def plan_workspace(workspace: Workspace) -> PlannedWorkspace:
    """Read and plan every recipe and suite; what is wrong with one does not stop the others."""
    declared, problems = python_versions(workspace)
    recipes = load_recipes(workspace, declared)
    suites = load_suites(workspace)
    versions: dict[VersionName, PlannedVersion] = {}
    problems |= recipes.problems
    for name, version in recipes.versions.items():
        found: list[Problem] = []
        checks: Sequence[Check] = ()
        try:
            checks = resolve_checks(version, suites)
        except DeclarationError as error:
            found += error.problems
        try:
            planned = plan(version)
            if not found:
                versions[name] = PlannedVersion(planned, checks)
        except DeclarationError as error:
            found += error.problems
        if found:
            problems[str(name)] = found
    return PlannedWorkspace(versions, problems)


def workspace_definitions(workspace: Workspace) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources of a workspace."""
    planned = plan_workspace(workspace)
    assets = [
        version_asset(version.plan, version.checks, workspace)
        for version in planned.versions.values()
    ]
    broken = [
        broken_version(label, [str(problem) for problem in found])
        for label, found in planned.problems.items()
    ]
    schedules = [
        _schedule(version.plan)
        for version in planned.versions.values()
        if version.plan.declared.recipe.schedule
    ]
    return dg.Definitions(
        assets=[*assets, *broken],
        jobs=[_dataset_job(dataset) for dataset in sorted({n.dataset for n in planned.versions})],
        schedules=schedules,
        sensors=[*alert_sensors(workspace.root), _automation_sensor()],
        resources={"warehouse": Warehouse(database=":memory:", workspace=str(workspace.root))},
        executor=dg.in_process_executor,
    )


def _dataset_job(dataset: str):
    return dg.define_asset_job(
        f"{dataset}_job",
        selection=dg.AssetSelection.groups(dataset),
        description=f"Materialize every version of {dataset}.",
    )


def _schedule(planned: Plan) -> dg.ScheduleDefinition:
    name, recipe = planned.name, planned.declared.recipe
    slug = "".join(c if c.isalnum() else "_" for c in f"{name.dataset}__{name.version}")
    return dg.ScheduleDefinition(
        name=f"{slug}_schedule",
        job=dg.define_asset_job(
            f"{slug}_scheduled", selection=dg.AssetSelection.assets(asset_key(name))
        ),
        cron_schedule=recipe.schedule or "",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )


def _automation_sensor() -> dg.AutomationConditionSensorDefinition:
    return dg.AutomationConditionSensorDefinition(
        "automation",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
