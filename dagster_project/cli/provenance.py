"""Verbs that answer questions about rows and snapshots."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.tree import Tree

from dagster_project.cli.console import cell, console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace

if TYPE_CHECKING:
    from dagster_project.warehouse.store import Store
    from dagster_project.warehouse.trace import (
        Generation,
        Parent,
        SourceRecord,
        Trace,
        TracedRow,
    )
    from dagster_project.warehouse.why import Fate, Removal

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Row = Annotated[str, typer.Argument(help="A row: dataset/version:row, or …@snapshot:row.")]


def add_to(app: typer.Typer) -> None:
    """Add this module's verbs."""
    for verb in (trace, why, impact, diff, history, sample, sql, verify, retain):
        app.command()(verb)


def trace(row: Row, as_json: AsJson = False) -> None:
    """Where a row came from: back to source records, with every step that touched it."""
    from dagster_project.warehouse.address import RowAddress
    from dagster_project.warehouse.trace import trace as trace_row

    found = trace_row(_store(), RowAddress.parse(row))
    if as_json:
        print_json(found)
        return
    console.print(_trace_tree(found))
    if found.truncated:
        console.print("[dim]there are more ancestors than are shown[/]")


def why(
    version: Annotated[str, typer.Argument(help="The version asked about: dataset/version.")],
    row: Annotated[
        str,
        typer.Argument(
            help="A row it was made from: dataset/version:row; or a record of an external input: "
            "input_name:number (from 0) or path/file.jsonl:line."
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Why a source row is, or is not, in a version."""
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.why import why as why_row

    found = why_row(_store(), SnapshotAddress.parse(version), row)
    if as_json:
        print_json(found)
        return
    tree = Tree(f"[bold]{escape(found.asked)}[/] in [bold]{escape(str(found.snapshot))}[/]")
    if found.erased:
        tree.add(f"[red]{escape(found.erased)}[/]")
    elif found.source:
        tree.add(f"[dim]{escape(found.source.excerpt())}[/]")
    if found.present:
        tree.add(f"[green]is there[/] as {', '.join(str(item) for item in found.present[:10])}")
    else:
        tree.add("[red]is not there[/]")
    for fate in found.fates:
        _add_fate(tree, fate)
    console.print(tree)


def impact(
    row: Row,
    every: Annotated[bool, typer.Option("--all", help="Superseded snapshots, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Which versions hold rows that descend from a row."""
    from dagster_project.warehouse.address import RowAddress
    from dagster_project.warehouse.impact import impact as impact_of

    found = impact_of(_store(), RowAddress.parse(row), every_snapshot=every)
    if as_json:
        print_json(found)
    elif not found.reached:
        gone = f", which was {escape(found.erased)}" if found.erased else ""
        console.print(f"nothing descends from {found.row}{gone}")
    else:
        print_table(
            [
                {
                    "snapshot": str(reach.snapshot),
                    "hops": reach.hops,
                    "descended": reach.descended,
                    "first": ", ".join(str(item.row_id) for item in reach.first[:5]),
                    "stand-ins": reach.stand_ins,
                }
                for reach in found.reached
            ],
            title=f"made from {found.row}",
        )


def diff(
    before: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    after: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    rows: Annotated[int, typer.Option(help="Examples of each cause.", min=0)] = 3,
    as_json: AsJson = False,
) -> None:
    """Rows that entered, left or changed between two versions, each with its cause."""
    from dagster_project.cli.diff_view import show_diff
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.diff import diff as diff_of

    found = diff_of(_store(), SnapshotAddress.parse(before), SnapshotAddress.parse(after))
    if as_json:
        print_json(found)
    else:
        show_diff(found, rows)


def history(
    version: Annotated[str, typer.Argument(help="dataset/version.")], as_json: AsJson = False
) -> None:
    """All snapshots of a version: published, rejected and trials."""
    from dagster_project.recipe.loading import load_recipes
    from dagster_project.recipe.problems import no_such
    from dagster_project.warehouse.history import history as history_of

    entries = history_of(_store(), VersionName.parse(version))
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in entries])
    elif not entries:
        recipes = load_recipes(Workspace.find())
        known = {*map(str, recipes.versions), *recipes.problems}
        if version not in known:
            raise SeedbedError(no_such("version", version, sorted(known)))
        console.print(f"{version} was never materialized here")
    else:
        print_table(
            [
                {
                    "snapshot": entry.snapshot_id,
                    "status": "current" if entry.current else entry.status,
                    "rows": entry.rows,
                    "MB": round(entry.size / 1e6, 1),
                    "made": f"{entry.created_at:%Y-%m-%d %H:%M:%S}",
                    "build": entry.build_id[:8],
                    "content": entry.content_id[:8],
                }
                for entry in entries
            ]
        )
        for entry in entries:
            for note in entry.erasures:
                console.print(f"{entry.snapshot_id}: {note.rows:,} rows were {escape(note.told)}")


def sample(
    version: Annotated[str, typer.Argument(help="dataset/version, or …@snapshot.")],
    rows: Annotated[int, typer.Option(help="How many rows.", min=1)] = 5,
    seed: Annotated[int, typer.Option(help="Another seed, other rows.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Some rows of a version or trial, to read."""
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.history import sample as sample_of

    found = sample_of(_store(), SnapshotAddress.parse(version), rows, seed).to_dicts()
    if as_json:
        print_json(found)
        return
    if not found:
        console.print(f"{version} has no rows")
    for record in found:
        console.rule(f"{version}:{record['row_id']}", align="left")
        for name, value in record.items():
            if name != "row_id":
                console.print(f"[bold]{escape(name)}[/]  {cell(value, 600)}")


def sql(
    query: Annotated[
        str | None, typer.Argument(help="A query; dataset.version names a version's rows.")
    ] = None,
    as_of: Annotated[
        datetime | None, typer.Option(help="Read versions as they were current then (UTC).")
    ] = None,
    rows: Annotated[int, typer.Option(help="Rows to print at most.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """Query published versions; without a query, how to open them in the DuckDB shell."""
    import duckdb

    from dagster_project.warehouse.connect import connect, write_catalogue

    store = _store()
    if query is None:
        console.print(f"duckdb -init {write_catalogue(store)}")
        return
    with connect(store, as_of=as_of) as connection:
        try:
            cursor = connection.execute(query)
            names = [column[0] for column in cursor.description or []]
            found = [dict(zip(names, row, strict=True)) for row in cursor.fetchmany(rows + 1)]
        except duckdb.Error as error:
            raise SeedbedError(f"DuckDB refuses the query: {error}") from error
    if as_json:
        print_json(found[:rows])
        return
    print_table(found[:rows])
    if len(found) > rows:
        console.print(f"[dim]… the first {rows} rows; ask for more with --rows[/]")


def verify(
    versions: Annotated[
        list[str] | None, typer.Argument(help="Of these versions only; all by default.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare every byte that versions depend on with what was written."""
    from dagster_project.warehouse.verify import verify as verify_all

    names = [VersionName.parse(version) for version in versions] if versions else None
    with console.status("") as status:
        found = verify_all(_store(), names, lambda text: status.update(f"[dim]{text[:100]}[/]"))
    if as_json:
        print_json(found)
    else:
        print_table(
            [
                {"file": item.path, "versions": ", ".join(item.versions), "problem": item.problem}
                for item in found.damage
            ]
        )
        for leftover in found.leftovers:
            console.print(f"[dim]{escape(leftover.path)}: {leftover.problem}[/]")
        mark = "[red]✗[/]" if found.damage else "[green]✓[/]"
        console.print(
            f"{mark} {found.files:,} files, {found.size:,} bytes checked; {len(found.damage)} damaged"
        )
    raise typer.Exit(1 if found.damage else 0)


def retain(
    keep: Annotated[int, typer.Option(help="Published snapshots to keep of each version.", min=1)],
    apply: Annotated[bool, typer.Option(help="Delete; otherwise only say what would be.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete old snapshots that no kept snapshot was made from."""
    from dagster_project.warehouse.retention import apply_retention, plan_retention

    store = _store()
    planned = plan_retention(store, keep)
    if apply:
        apply_retention(store, planned)
    if as_json:
        print_json(planned)
        return
    print_table([{"snapshot": str(item)} for item in planned.snapshots])
    verb = "deleted" if apply else "would be deleted; say --apply to do it"
    console.print(f"{len(planned.snapshots)} snapshots {verb}")


def _store() -> Store:
    from dagster_project.warehouse.store import Store

    return Store(Workspace.find().store)


def _trace_tree(found: Trace) -> Tree:
    rows = {traced.address: traced for traced in found.rows}
    tree = Tree(f"[bold]{escape(str(found.row))}[/]")
    shown: set[object] = set()

    def add(branch: Tree, traced: TracedRow) -> None:
        if traced.address in shown:
            branch.add("[dim]shown above[/]")
            return
        shown.add(traced.address)
        if traced.erased:
            branch.add(f"[red]{escape(traced.erased)}[/]")
        for parent in traced.parents:
            step_branch = branch.add(_parent_label(parent))
            for step in parent.steps:
                mark = "[yellow]changed it[/]" if step.changed else "[dim]passed[/]"
                step_branch.add(f"{step.name} [dim]({step.operator})[/] {mark}")
            for duplicate in parent.duplicates:
                origin = duplicate.row or f"{duplicate.input}:{duplicate.number}"
                step_branch.add(
                    f"stands for [bold]{escape(str(origin))}[/], merged by {duplicate.step}"
                )
            if parent.source:
                _add_source(step_branch, parent.source)
            elif parent.row is not None and parent.row in rows:
                add(step_branch, rows[parent.row])
            for made in parent.generations:
                add_generation(step_branch, made)

    def add_generation(branch: Tree, made: Generation) -> None:
        what = branch.add(_generation_label(made))
        for call in made.calls:
            cost = f"{call.tokens_in} + {call.tokens_out} tokens, ${call.dollars:.6f}"
            said = what.add(f"asked {escape(call.model)} [dim]({call.purpose}; {cost})[/]")
            said.add(f"[dim]{escape(_line(call.prompt))}[/]")
            said.add(f"[dim]{escape(_line(call.response))}[/]")
        for number in made.made_from:
            what.add(f"from candidate {number}")
        for seed in made.seeds:
            if seed.source:
                _add_source(what, seed.source)
            elif seed.row is not None and seed.row in rows:
                add(what.add(f"seed [bold]{escape(str(seed.row))}[/]"), rows[seed.row])

    add(tree, found.rows[0])
    return tree


def _add_source(branch: Tree, source: SourceRecord) -> None:
    record = source.record
    where = branch.add(
        f"[green]source[/] {source.kind} {escape(source.reference)}, "
        f"{escape(record.file)}:{record.line}, licence {source.licence or '?'}"
    )
    if record.raw is not None or record.raw_bytes is not None:
        where.add(f"[dim]{escape(record.excerpt())}[/]")


def _generation_label(made: Generation) -> str:
    by = f" by {', '.join(made.teachers)}" if made.teachers else ""
    return (
        f"[magenta]candidate {made.candidate}[/], made by {made.generator}{escape(by)} for "
        f"{made.motive}, attempt {made.attempt}, depth {made.depth}"
    )


def _line(text: str, length: int = 200) -> str:
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _parent_label(parent: Parent) -> str:
    what = "candidate" if parent.generations else "record"
    origin = parent.row or f"{what} of input {parent.input}"
    part = f" (part {parent.ordinal})" if parent.relation == "split" else ""
    return f"{parent.relation} from [bold]{escape(str(origin))}[/]{part}"


def _add_fate(tree: Tree, fate: Fate) -> None:
    what = fate.row or f"record {fate.record}"
    if fate.reference:
        tree.add(f"{what} of reference {fate.input}, with which {fate.snapshot} was compared")
        return
    branch = tree.add(f"{what} was read by [bold]{escape(str(fate.snapshot))}[/] as {fate.input}")
    if fate.candidates:
        branch.add(f"{fate.candidates:,} candidates were generated from it")
    for removal in fate.removed:
        gone = branch.add(_removal(removal))
        if removal.content:
            gone.add(f"[dim]{escape(removal.content[:300])}[/]")
        if removal.matched:
            gone.add(f"in common: [dim]{escape(removal.matched)}[/]")
        if removal.survivor:
            _add_fate(gone, removal.survivor)
    for arrival in fate.arrived:
        by = f", changed by {', '.join(arrival.changed_by)}" if arrival.changed_by else ""
        there = branch.add(f"[green]{arrival.relation}[/] as {arrival.row}{by}")
        for onward in arrival.then:
            _add_fate(there, onward)
    if fate.untold:
        branch.add("[dim]… the rest is left out[/]")


def _removal(removal: Removal) -> str:
    text = f"[red]{removal.disposition}[/] by step [bold]{removal.step}[/]"
    if removal.operator:
        text += f" [dim]({removal.operator})[/]"
    if removal.rule:
        text += f", rule {escape(removal.rule)}"
    if removal.threshold:
        text += f": measured {escape(str(removal.measured))}, wanted {escape(removal.threshold)}"
    if removal.similarity is not None:
        text += f", similarity {removal.similarity:.3g}"
    if removal.error:
        text += f": {escape(removal.error)}"
    return text
