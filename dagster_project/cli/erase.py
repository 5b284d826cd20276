"""The verb that erases rows for good."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.workspace import Workspace

if TYPE_CHECKING:
    from dagster_project.engine.erasure.plan import ErasurePlan, FilePart
    from dagster_project.warehouse.erasure.notes import Erasure
    from dagster_project.warehouse.store import Store

FIRST = 8


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(erase)


def erase(
    rows: Annotated[
        list[str] | None,
        typer.Argument(
            help="Rows: dataset/version:row, or …@snapshot:row. With --where, versions."
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            help="A SQL condition: its rows, in all snapshots of the version. Example: "
            "\"user_id = 'u17'\""
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="An input of the version: --where is over its records, as they were landed, and their "
            "file, line and raw text; for rows that no version has, as they were filtered out.",
        ),
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; it is kept, and told in their place.")] = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="Do it; otherwise only say what goes.")
    ] = False,
    keep_duplicates: Annotated[
        bool,
        typer.Option(
            "--keep-duplicates",
            help="Leave other records alone that were merged with these as duplicates.",
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Erase rows from the whole store: their records, and all that was made from them."""
    from dagster_project.engine.erasure.carrying_out import erase as carry_out
    from dagster_project.engine.erasure.plan import ErasureRefused, plan_erasure
    from dagster_project.warehouse.address import RowAddress, SnapshotAddress
    from dagster_project.warehouse.erasure.notes import alone, unfinished_erasures
    from dagster_project.warehouse.store import Store

    store = Store(Workspace.find().store)
    if unfinished_erasures(store):
        _finish(store, rows, yes, as_json)
        return
    if not rows:
        raise ErasureRefused("say which rows: dataset/version:row, or a version and --where")
    if source is not None and where is None:
        raise ErasureRefused("--input needs --where: which of its records")
    addresses = [RowAddress.parse(row) for row in rows] if where is None else []
    versions = [SnapshotAddress.parse(row) for row in rows] if where is not None else []
    if yes and not reason.strip():
        raise ErasureRefused("say why: --reason TEXT. It is kept, and told in place of the rows")
    with ExitStack() as stack:
        status = stack.enter_context(console.status("looking for all that goes with them"))

        def say(text: str) -> None:
            status.update(escape(text))

        if yes:
            stack.enter_context(alone(store, say))
        planned = plan_erasure(
            store, addresses, versions, where, source=source, duplicates=not keep_duplicates
        )
        done = carry_out(store, planned, reason, say) if yes else None
    if as_json:
        print_json({"plan": planned.plan, "done": _told([done])} if done else planned.plan)
        return
    _show(planned.plan)
    if done is None:
        console.print("nothing was changed; say --yes and --reason TEXT to erase this for good")
        return
    _tell_done([done])
    _tell_left(planned.plan)


def _finish(store: Store, rows: list[str] | None, yes: bool, as_json: bool) -> None:
    from dagster_project.engine.erasure.carrying_out import finish_erasures
    from dagster_project.engine.erasure.plan import ErasureRefused
    from dagster_project.warehouse.erasure.notes import alone

    if rows or not yes:
        raise ErasureRefused(
            "an erasure was cut short; `seedbed erase --yes`, without rows, finishes it first"
        )
    with console.status("finishing an erasure that was cut short") as status:

        def say(text: str) -> None:
            status.update(escape(text))

        with alone(store, say):
            finished = finish_erasures(store, say)
    if as_json:
        print_json(_told(finished))
    else:
        _tell_done(finished)


def _show(plan: ErasurePlan) -> None:
    for note in plan.notes:
        console.print(f"[yellow]{escape(note)}[/]")
    alike = f", {plan.alike:,} of them only because they say the same" if plan.alike else ""
    console.print(f"[bold]{plan.asked:,}[/] asked for")
    console.print(f"\n[bold]{plan.records:,}[/] source records{alike}")
    print_table(
        [{"file": part.file, "records": part.records, "lines": _lines(part)} for part in plan.files]
    )
    console.print(f"\n[bold]{plan.rows:,}[/] rows of {len(plan.snapshots):,} snapshots")
    print_table(
        [
            {
                "snapshot": str(part.snapshot),
                "status": part.status,
                "rows": part.rows,
                "of": part.of,
                "first": ", ".join(map(str, part.first[:FIRST])) if part.rows else "only its books",
            }
            for part in plan.snapshots
        ]
    )
    console.print(f"\n[bold]{plan.calls:,}[/] recorded calls of models\n")


def _lines(part: FilePart) -> str:
    more = ", …" if part.records > FIRST else ""
    return ", ".join(map(str, part.lines[:FIRST])) + more


def _told(done: list[Erasure]) -> list[dict]:
    return [each.model_dump(mode="json", exclude={"known_by", "work"}) for each in done]


def _tell_done(done: list[Erasure]) -> None:
    for each in done:
        console.print(
            f"[green]✓[/] erasure {each.id}: {each.records:,} records, {each.rows:,} rows of "
            f"{each.snapshots:,} snapshots, {each.calls:,} calls; reason: {escape(each.reason)}"
        )


def _tell_left(plan: ErasurePlan) -> None:
    for part in plan.files:
        if part.uri is not None:
            console.print(
                f"[yellow]mend[/] {escape(part.uri)}: line {_lines(part)}. It is yours; until it is "
                "mended, builds leave these records out"
            )
    console.print(
        "builds again: versions whose rows changed. Not reached: exports, backups, and what Dagster "
        "noted of runs; see docs/erasure.md"
    )
