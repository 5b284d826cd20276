"""One dataset version as one Dagster asset, with one asset check for each expectation."""

from collections.abc import Callable, Iterator, Sequence

import dagster as dg

from dagster_project.engine.plan import Plan
from dagster_project.errors import SeedbedError
from dagster_project.orchestration.alerts.scrub import without_secrets
from dagster_project.orchestration.check_results import check_result
from dagster_project.orchestration.metadata import materialization_metadata
from dagster_project.quality.gate import Outcome, audit_snapshot, materialize
from dagster_project.quality.result import CheckResult
from dagster_project.quality.suite import Check
from dagster_project.recipe.model import TAG_VALUE
from dagster_project.warehouse.publish import current
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace


class VersionRun(dg.Config):
    """What a person may set when launching a materialization."""

    sample: int = 0
    """Rows of each input for a trial that is never published; 0 for all rows."""


def asset_key(name: VersionName) -> dg.AssetKey:
    """The asset key of a version."""
    return dg.AssetKey([name.dataset, name.version])


def version_asset(
    plan: Plan,
    checks: Sequence[Check],
    workspace: Workspace,
    say: Callable[[str], None] = lambda _: None,
    done: Callable[[Outcome], None] = lambda _: None,
) -> dg.AssetsDefinition:
    """The asset of a version.

    Materializing it writes, audits and publishes a snapshot; running its checks alone audits the
    current one.

    Args:
        plan: of the version.
        checks: to run on it.
        workspace: where inputs are found and the store is.
        say: told of progress, beside Dagster's log.
        done: told the outcome of a materialization, published or not.
    """
    key, recipe, name = asset_key(plan.name), plan.declared.recipe, plan.name
    store = Store(workspace.store)
    spec = dg.AssetSpec(
        key,
        deps=[asset_key(upstream) for upstream in recipe.upstream()],
        description=_description(plan),
        group_name=name.dataset,
        code_version=plan.recipe_id[:16],
        owners=list(recipe.owners),
        kinds={"duckdb", "polars"},
        tags={
            **recipe.tags,
            "phase": recipe.phase,
            **_licence_tag(recipe.licence),
        },
        metadata={
            "dagster/relation_identifier": f"{name.dataset}.{name.version}",
            "phase": recipe.phase,
            "licence": recipe.licence or "not declared",
            "recipe": dg.MetadataValue.md(_recipe_text(plan)),
        },
        automation_condition=_automation(recipe.automation),
        skippable=True,
    )

    @dg.multi_asset(
        name=f"{name.dataset}__{''.join(c if c.isalnum() else '_' for c in name.version)}",
        specs=[spec],
        check_specs=[_check_spec(check, key) for check in checks],
        can_subset=True,
    )
    def build_version(
        context: dg.AssetExecutionContext, config: VersionRun
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult | dg.AssetObservation]:
        wanted = {check.name for check in context.selected_asset_check_keys}
        if not context.selected_asset_keys:
            for result in _audit_current(plan, checks, store):
                if result.check.name in wanted:
                    yield check_result(result, key)
            return

        def tell(text: str) -> None:
            text = without_secrets(text)
            context.log.info(text)
            say(text)

        try:
            outcome = materialize(
                plan, checks, workspace, store, sample=config.sample or None, say=tell
            )
        except SeedbedError as error:
            raise dg.Failure(description=without_secrets(str(error)), allow_retries=False) from None
        done(outcome)
        metadata = materialization_metadata(store, plan, outcome)
        if outcome.manifest.status == "trial":
            context.log_event(dg.AssetObservation(key, metadata=metadata))
            return
        for result in outcome.results:
            if result.check.name in wanted:
                yield check_result(result, key)
        if outcome.blocked_by:
            stays = (
                "the current snapshot stays" if current(store, name) else "there is no other yet"
            )
            raise dg.Failure(
                description=f"{name} is not published: {', '.join(outcome.blocked_by)} failed. "
                f"The rejected rows are in snapshot {outcome.manifest.snapshot_id}; {stays}.",
                metadata=metadata,
                allow_retries=False,
            )
        yield dg.MaterializeResult(
            asset_key=key,
            metadata=metadata,
            data_version=dg.DataVersion(outcome.manifest.content_id[:16]),
        )

    return build_version


def broken_version(label: str, problems: Sequence[str]) -> dg.AssetsDefinition:
    """An asset that stands for a recipe that cannot be used, so that the UI shows what is wrong."""
    parts = label.split("/")
    message = "\n".join(problems)
    listed = message.replace("; ", "\n  ")

    @dg.asset(
        key=[part if part and '"' not in part else "unnamed" for part in parts],
        name=None,
        group_name=parts[0] if parts[0].isidentifier() else "broken",
        kinds={"broken"},
        description=f"**This recipe cannot be used.**\n\n```\n{listed}\n```",
        op_tags={"seedbed/broken": "true"},
    )
    def broken(_context: dg.AssetExecutionContext) -> None:
        raise dg.Failure(description=f"the recipe cannot be used:\n{message}", allow_retries=False)

    return broken


def _audit_current(plan: Plan, checks: Sequence[Check], store: Store) -> list[CheckResult]:
    manifest = current(store, plan.name)
    if manifest is None:
        raise dg.Failure(
            description=f"{plan.name} has no published snapshot to check; materialize it first",
            allow_retries=False,
        )
    return audit_snapshot(store, manifest, checks)


def _check_spec(check: Check, key: dg.AssetKey) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        check.name,
        asset=key,
        description=check.description or f"`{check.text}`",
        blocking=check.blocking,
        metadata={"suite": check.suite, "expectation": check.expectation},
    )


def _automation(kind: str | None) -> dg.AutomationCondition | None:
    if kind == "eager":
        return dg.AutomationCondition.eager() | dg.AutomationCondition.code_version_changed()
    return dg.AutomationCondition.on_missing() if kind == "on_missing" else None


def _licence_tag(licence: str | None) -> dict[str, str]:
    """The licence as a tag, where it is a single identifier: tags hold no spaces."""
    return {"licence": licence} if licence and TAG_VALUE.fullmatch(licence) else {}


def _description(plan: Plan) -> str:
    recipe = plan.declared.recipe
    steps = " → ".join(step.name for step in plan.steps) or "rows as they are"
    return (
        f"{recipe.description}\n\n**{recipe.phase}** · {recipe.licence or 'no licence'} · {steps}"
    )


def _recipe_text(plan: Plan) -> str:
    source = plan.declared.source
    return f"```yaml\n{source.text.strip()}\n```" if source else "Declared in Python."
