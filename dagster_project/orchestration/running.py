"""Materializes versions through Dagster, in this process, without the UI."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from dagster_project.engine.plan import Plan
from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.sensor import alert_run
from dagster_project.orchestration.version_asset import asset_key, version_asset
from dagster_project.orchestration.workspace_definitions import plan_workspace
from dagster_project.quality.gate import Outcome, build_is_current
from dagster_project.recipe.problems import DeclarationError, Problem, nearest
from dagster_project.warehouse.publish import current
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace


class Running:
    """The versions of a workspace, ready to be materialized.

    Runs go to the workspace's own Dagster instance (`DAGSTER_HOME`, by default `.dagster`), so that
    the UI shows them.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = Store(workspace.store)
        self.planned = plan_workspace(workspace)

    def all_names(self, *, on_request: bool = False) -> list[VersionName]:
        """Every usable version; those that are built only on request, where they are asked for."""
        return [
            name
            for name, version in self.planned.versions.items()
            if on_request or not version.plan.declared.recipe.on_request
        ]

    def problems(self) -> dict[str, list[Problem]]:
        """What is wrong with the versions that cannot be used."""
        return self.planned.problems

    def materialize(
        self,
        names: Sequence[VersionName],
        *,
        sample: int | None,
        with_missing_upstream: bool,
        say: Callable[[str], None],
        show: Callable[[str], None],
    ) -> list[dict[str, Any]]:
        """Materialize versions in the order of their dependencies, one run each.

        Args:
            names: which ones.
            sample: rows of each input for a trial that is never published.
            with_missing_upstream: build upstream versions that were never published, too.
            say: told of progress.
            show: told one line for each finished version.

        Raises:
            SeedbedError: when a version is unknown or cannot be used.
        """
        outcome = []
        failed: set[VersionName] = set()
        for name in self._in_order(names, with_missing_upstream):
            recipe = self.planned.versions[name].plan.declared.recipe
            broken = [str(upstream) for upstream in recipe.upstream() if upstream in failed]
            if broken:
                show(f"[yellow]–[/] {name}  skipped: {', '.join(broken)} failed")
                failed.add(name)
                outcome.append({"version": str(name), "ok": False, "status": "skipped"})
                continue
            item = self._one(name, sample, say, show)
            if not item["ok"]:
                failed.add(name)
            show(_line(item))
            outcome.append(item)
        return outcome

    def _in_order(self, names: Sequence[VersionName], missing: bool) -> list[VersionName]:
        wanted: dict[VersionName, None] = {}

        def visit(name: VersionName, *, asked: bool) -> None:
            self._require(name)
            for upstream in self.planned.versions[name].plan.declared.recipe.upstream():
                if upstream in names:
                    visit(upstream, asked=True)
                elif missing and current(self.store, upstream) is None:
                    visit(upstream, asked=False)
            if asked or current(self.store, name) is None:
                wanted[name] = None

        for name in names:
            visit(name, asked=True)
        return list(wanted)

    def _require(self, name: VersionName) -> None:
        if name in self.planned.versions:
            return
        if str(name) in self.planned.problems:
            raise DeclarationError(self.planned.problems[str(name)])
        near = nearest(name, [str(known) for known in self.planned.versions])
        raise SeedbedError(
            f"there is no version {name}" + (f"; did you mean {near}?" if near else "")
        )

    def _one(
        self,
        name: VersionName,
        sample: int | None,
        say: Callable[[str], None],
        show: Callable[[str], None],
    ) -> dict[str, Any]:
        version, started = self.planned.versions[name], time.perf_counter()
        if sample is None and self._is_current(version.plan):
            manifest = current(self.store, name)
            assert manifest is not None
            return {
                "version": str(name),
                "ok": True,
                "status": "unchanged",
                "rows": manifest.rows,
                "seconds": time.perf_counter() - started,
            }
        outcomes: list[Outcome] = []
        asset = version_asset(
            version.plan,
            version.checks,
            self.workspace,
            say=lambda text: say(f"{name}: {text}"),
            done=outcomes.append,
        )
        with dg.DagsterInstance.get() as instance:
            result = dg.materialize(
                [asset, *_external(version.plan.declared.recipe.upstream())],
                selection=dg.AssetSelection.assets(asset_key(name)),
                instance=instance,
                raise_on_error=False,
                run_config={
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
                    "ops": {asset.op.name: {"config": {"sample": sample or 0}}},
                },
            )
            self._alert(instance, result.run_id, version.plan, show)
        checks = [check for outcome in outcomes for check in outcome.results]
        item: dict[str, Any] = {
            "version": str(name),
            "ok": result.success,
            "status": "trial" if sample else "published" if result.success else "failed",
            "run": result.run_id,
            "checks": len(checks),
            "failed_checks": [
                {
                    "name": check.check.name,
                    "severity": check.check.severity,
                    "observed": f"{check.observed}: {check.error}"
                    if check.error
                    else check.observed,
                }
                for check in checks
                if not check.passed
            ],
            "seconds": time.perf_counter() - started,
        }
        for outcome in outcomes:
            item["rows"] = outcome.manifest.rows
            item["snapshot"] = outcome.manifest.snapshot_id
        if not result.success:
            item["error"] = _failure(result)
        return item

    def _is_current(self, plan: Plan) -> bool:
        """Whether nothing is to be done. What cannot be told, as where an input is gone, is for the
        run to say."""
        try:
            return build_is_current(plan, self.workspace, self.store)
        except SeedbedError:
            return False

    def _alert(
        self, instance: dg.DagsterInstance, run_id: str, plan: Plan, show: Callable[[str], None]
    ) -> None:
        """Send what this run has to tell now; the sensors of a running daemon send it once too."""
        run = instance.get_run_by_id(run_id)
        assert run is not None
        try:
            alert_run(instance, run, self.workspace.root, lambda _: plan.declared.recipe.owners)
        except SeedbedError as error:
            show(f"[yellow]![/] alerts: {error}")


def _external(names: Sequence[VersionName]) -> list[dg.AssetSpec]:
    return [dg.AssetSpec(asset_key(name)) for name in names]


def _failure(result: dg.ExecuteInProcessResult) -> str:
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            if data.user_failure_data and data.user_failure_data.description:
                return data.user_failure_data.description
            if data.error:
                return (data.error.cause or data.error).message.strip()
            return str(event.message)
    return "the run failed before a step began"


def _line(item: dict[str, Any]) -> str:
    from rich.markup import escape

    seconds = f"{item['seconds']:.1f} s"
    if item["status"] == "unchanged":
        return f"[green]✓[/] {item['version']}  unchanged, {item['rows']:,} rows  [dim]{seconds}[/]"
    failed = item["failed_checks"]
    lines = []
    if item["ok"]:
        lines.append(
            f"[green]✓[/] {item['version']}  {item['status']}, {item['rows']:,} rows; "
            f"{item['checks'] - len(failed)} of {item['checks']} checks passed  [dim]{seconds}[/]"
        )
    else:
        lines.append(f"[red]✗[/] {item['version']}  {escape(item['error'])}  [dim]{seconds}[/]")
    if item["status"] == "trial" and item["ok"]:
        lines.append(f"    [dim]read it: seedbed sample {item['version']}@{item['snapshot']}[/]")
    for check in failed:
        mark = "[yellow]![/]" if check["severity"] == "warning" else "[red]![/]"
        lines.append(f"    {mark} {check['name']}: {escape(str(check['observed']))}")
    return "\n".join(lines)
