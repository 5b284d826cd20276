"""Erases rows from the whole store, in an order in which it can be killed at any moment and finished."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from dagster_project.engine.erasure.candidate import without_content
from dagster_project.engine.erasure.plan import ErasureRefused, PlannedErasure
from dagster_project.engine.model_memory import FILE as MODEL_MEMORY
from dagster_project.llm.forget import forget_calls
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.connect import write_catalogue
from dagster_project.warehouse.erasure.landed import delete_old_blocks, erase_records
from dagster_project.warehouse.erasure.notes import (
    Erasure,
    erasure_key,
    new_id,
    unfinished_erasures,
    write_erasure,
)
from dagster_project.warehouse.erasure.snapshot import erase_from
from dagster_project.warehouse.failpoints import failpoint
from dagster_project.warehouse.manifest import read_manifest, snapshot_files, snapshot_path
from dagster_project.warehouse.snapshot import BUILDING
from dagster_project.warehouse.store import Store

Progress = Callable[[str], None]


def erase(
    store: Store, planned: PlannedErasure, reason: str, say: Progress = lambda _: None
) -> Erasure:
    """Carry out what was planned; to be called by whom has held `alone` since before it was planned.

    From its first write on, no build takes the records again, and `finish_erasures` completes it if it
    is killed. Each snapshot is, at any moment, whole as it was or whole without the rows.

    Args:
        store: where.
        planned: what goes.
        reason: why; it is kept, and told wherever the rows are asked for.
        say: told of progress.

    Raises:
        ErasureRefused: when no reason is given.
        SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
    """
    if not reason.strip():
        raise ErasureRefused("say why: --reason TEXT. It is kept, in place of the rows")
    erasure_id, moment = new_id()
    erasure = Erasure(
        id=erasure_id,
        at=moment,
        reason=" ".join(reason.split()),
        records=planned.plan.records,
        rows=planned.plan.rows,
        snapshots=len(planned.work.rows),
        calls=len(planned.work.calls),
        known_by=planned.known_by(erasure_key(store)),
        work=planned.work,
    )
    write_erasure(store, erasure)
    failpoint("erasure_written")
    return _carry_out(store, erasure, say)


def finish_erasures(store: Store, say: Progress = lambda _: None) -> list[Erasure]:
    """Complete the erasures that were killed; returns them. To be called by whom holds `alone`.

    Raises:
        SnapshotDamaged, ManifestDamaged: when a file is not as it was written.
    """
    return [_carry_out(store, erasure, say) for erasure in unfinished_erasures(store)]


def _carry_out(store: Store, erasure: Erasure, say: Progress) -> Erasure:
    work = erasure.work
    assert work is not None
    say(f"{len(work.calls):,} calls of models")
    forget_calls(store, work.calls)
    _forget_programs(store)
    failpoint("erased_calls_forgotten")
    say("landed records")
    erase_records(store, work.records, erasure.told, lambda raw: without_content(raw, erasure.told))
    for address, rows in work.rows.items():
        at = SnapshotAddress.parse(address)
        assert at.snapshot_id is not None
        manifest = read_manifest(store, at.version, at.snapshot_id)
        if erasure.id not in {note.erasure for note in manifest.erasures}:
            say(f"{at}: {len(rows):,} rows")
            manifest = erase_from(
                store,
                manifest,
                erasure.id,
                erasure.at,
                erasure.reason,
                rows,
                work.touched.get(address, {}),
            )
    write_catalogue(store)
    say("old files and caches")
    for address in work.rows:
        at = SnapshotAddress.parse(address)
        assert at.snapshot_id is not None
        now = snapshot_path(store, read_manifest(store, at.version, at.snapshot_id))
        for path in snapshot_files(store, at.version, at.snapshot_id):
            if path != now:
                path.unlink()
    delete_old_blocks(store, work.blocks)
    failpoint("erased_old_files_deleted")
    _empty_cache(store)
    _delete_remains(store)
    done = erasure.model_copy(update={"work": None})
    write_erasure(store, done)
    return done


def _forget_programs(store: Store) -> None:
    """Delete what programs printed, and what trainers were given and logged: from which rows is not
    known. Scores of trainings stay."""
    shutil.rmtree(store.calls / "outcomes", ignore_errors=True)
    for training in (store.calls / "trainings").glob("*/*"):
        shutil.rmtree(training / "work", ignore_errors=True)
        (training / "log.txt").unlink(missing_ok=True)


def _empty_cache(store: Store) -> None:
    """Delete results of stages, steps and models: which rows they were made from is not known of all."""
    for name in ("stages", "decisions", "ordered", "spill"):
        shutil.rmtree(store.cache / name, ignore_errors=True)
    for path in store.cache.glob(f"{MODEL_MEMORY}*"):
        path.unlink()


def _delete_remains(store: Store) -> None:
    """Delete what killed builds left of snapshots and landed blocks: none is at work now."""
    for name in store.versions():
        folder = store.version_folder(name)
        for path in folder.glob("*.duckdb*"):
            if not (folder / f"{path.name.partition('.')[0]}.json").exists():
                path.unlink()
    for folder in store.landed.glob(f"blocks/*/{BUILDING}*"):
        shutil.rmtree(folder)
