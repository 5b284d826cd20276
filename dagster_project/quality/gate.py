"""Write, audit, publish: a version's rows are published only after its blocking checks passed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dagster_project.engine.build import Prepared, build, prepare
from dagster_project.engine.collection import collected_seldom
from dagster_project.engine.model_memory import ModelMemory
from dagster_project.engine.plan import Plan, RunStopped
from dagster_project.errors import SeedbedError
from dagster_project.operators.models.memory import remembering
from dagster_project.quality.audit import audit
from dagster_project.quality.record import record
from dagster_project.quality.result import CheckResult
from dagster_project.quality.suite import Check
from dagster_project.warehouse.connect import write_catalogue
from dagster_project.warehouse.erasure.notes import building
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.manifest import Manifest, read_head, read_manifest, snapshot_path
from dagster_project.warehouse.publish import current, publish, remove_unfinished, seal
from dagster_project.warehouse.storage_failure import is_storage_failure
from dagster_project.warehouse.store import Store
from dagster_project.warehouse.verified import Verified
from dagster_project.workspace import VersionName, Workspace

if TYPE_CHECKING:
    from dagster_project.engine.answering import Answering


@dataclass(frozen=True)
class Outcome:
    """What a materialization came to.

    Attributes:
        manifest: of the snapshot that was sealed, or that was this build already.
        results: of all checks, in order.
        blocked_by: names of the blocking checks that failed; empty when it was published.
        reused: whether a published snapshot was already this build.
    """

    manifest: Manifest
    results: Sequence[CheckResult]
    blocked_by: Sequence[str]
    reused: bool


def materialize(
    plan: Plan,
    checks: Sequence[Check],
    workspace: Workspace,
    store: Store,
    *,
    sample: int | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Build a version, audit it, and publish it if its blocking checks pass.

    The same build is never made twice: a published snapshot with the same build id is audited again,
    and if it is an older one, becomes current again.

    Args:
        plan: of the version.
        checks: to run on it.
        workspace: where inputs are found.
        store: where the snapshot goes.
        sample: a trial on so many rows of each input, never published; None for all rows.
        say: told what is going on.

    Raises:
        SeedbedError: when it cannot be built; the current snapshot stays.
    """
    try:
        with collected_seldom():
            outcome = _materialize(plan, checks, workspace, store, sample, say)
    except Exception as error:
        if isinstance(error, SeedbedError) or not is_storage_failure(error):
            raise
        raise RunStopped(
            f"{plan.name}: a file could not be written or read: {error}. Nothing was published and "
            "the current snapshot stays; make room, and materialize it again"
        ) from error
    write_catalogue(store)
    return outcome


def _materialize(
    plan: Plan,
    checks: Sequence[Check],
    workspace: Workspace,
    store: Store,
    sample: int | None,
    say: Callable[[str], None],
) -> Outcome:
    with (
        building(store, say),
        _answering(plan, store) as answers,
        remembering(ModelMemory(store)),
    ):
        remove_unfinished(store, plan.name)
        prepared = prepare(plan, workspace, store, answers, sample=sample, say=say)
        if sample is None:
            reused = _reuse(prepared, checks, store, say)
            if reused is not None:
                return reused
        return _write_audit_publish(prepared, checks, store, current(store, plan.name), say)


def _answering(plan: Plan, store: Store) -> AbstractContextManager[Answering | None]:
    """What answers the operators of a plan; loaded only where one asks."""
    if not plan.calls:
        return nullcontext()
    from dagster_project.engine.answering import answering

    return answering(plan, store)


def _reuse(
    prepared: Prepared, checks: Sequence[Check], store: Store, say: Callable[[str], None]
) -> Outcome | None:
    """Publish the snapshot that is this build already; None when there is none."""
    name = prepared.plan.name
    published = read_head(store, name).published
    for snapshot_id in reversed(published):
        manifest = read_manifest(store, name, snapshot_id)
        if manifest.build_id != prepared.build_id:
            continue
        results = audit_snapshot(store, manifest, checks)
        blocked = blocking_failures(results)
        if snapshot_id == published[-1]:
            say("nothing changed since the current snapshot was built")
        elif blocked:
            say(f"{name}@{snapshot_id} was this build already, but fails its checks now")
        else:
            publish(store, manifest)
            say(f"{name}@{snapshot_id} was this build already; it is current again")
        return Outcome(manifest, results, blocked, reused=True)
    return None


def audit_snapshot(store: Store, manifest: Manifest, checks: Sequence[Check]) -> list[CheckResult]:
    """Run checks on a sealed snapshot, against the one that was published last beside it.

    Raises:
        SnapshotDamaged, ManifestDamaged: when one of them is not as it was written.
    """
    name = VersionName.parse(manifest.version)
    other = read_head(store, name).other_than(manifest.snapshot_id)
    before = read_manifest(store, name, other) if other else None
    with Verified(store) as verified:
        previous = verified.snapshot(before) if before else None
        return audit(verified.snapshot(manifest), checks, previous)


def blocking_failures(results: Sequence[CheckResult]) -> list[str]:
    """Names of failed checks that block."""
    return [item.check.name for item in results if item.check.blocking and not item.passed]


def build_is_current(plan: Plan, workspace: Workspace, store: Store) -> bool:
    """Whether the current snapshot is what materializing now would build."""
    before = current(store, plan.name)
    if before is None or before.recipe_id != plan.recipe_id:
        return False
    with building(store):
        return prepare(plan, workspace, store).build_id == before.build_id


def _write_audit_publish(
    prepared: Prepared,
    checks: Sequence[Check],
    store: Store,
    before: Manifest | None,
    say: Callable[[str], None],
) -> Outcome:
    plan, trial = prepared.plan, prepared.sample is not None
    with build(prepared, store, say) as built:
        say(f"{built.rows:,} rows; running {len(checks)} checks")
        previous = snapshot_path(store, before) if before and not trial else None
        results = audit(built.path, checks, previous)
        with built.reopened() as connection:
            record(connection, results)
        failpoint("checks_written")
        blocked = blocking_failures(results)
        status = "trial" if trial else "rejected" if blocked else "published"
        manifest = seal(
            built,
            recipe_id=plan.recipe_id,
            inputs=tuple(opened.reference for opened in prepared.inputs),
            references=tuple(opened.reference for opened in prepared.references),
            seeds=tuple(opened.reference for opened in prepared.seeds),
            status=status,
        )
    say(f"{status} {manifest.version}@{manifest.snapshot_id}")
    return Outcome(manifest, results, blocked, reused=False)
