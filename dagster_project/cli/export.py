"""The verb that writes a version's rows for a trainer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.markup import escape

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import Workspace

if TYPE_CHECKING:
    from dagster_project.release.export import Exported
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(export)


def export(
    version: Annotated[str | None, typer.Argument(help="dataset/version, or …@snapshot.")] = None,
    to: Annotated[Path | None, typer.Option(help="The folder to make.")] = None,
    format: Annotated[
        str | None,
        typer.Option(help="What to write, e.g. trl, trl:preference, openai:chat, hf, jsonl."),
    ] = None,
    snapshot: Annotated[
        str | None, typer.Option(help="Of this snapshot; the current one by default.")
    ] = None,
    split_by: Annotated[
        str | None, typer.Option(help="Column whose values name the splits; else all is `train`.")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            help="Columns, with commas between: those to export as they are, or to go along with "
            "the fields of another format."
        ),
    ] = None,
    shard_rows: Annotated[
        int | None, typer.Option(help="Rows in a file; else one file a split.", min=1)
    ] = None,
    compress: Annotated[
        Literal["zst", "gz"] | None, typer.Option(help="Compress the files.")
    ] = None,
    row_ids: Annotated[
        bool, typer.Option("--row-ids", help="Add the field `row_id`, for `seedbed trace`.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an earlier export.")] = False,
    verify: Annotated[
        Path | None, typer.Option(help="Compare an export with what was written, and stop.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Write a version's rows for a trainer; without a format, say which formats fit."""
    if verify is not None:
        _verify(verify, as_json)
        return
    if version is None:
        raise SeedbedError("name the version to export: dataset/version")
    from dagster_project.release.export import export as export_rows
    from dagster_project.warehouse.address import SnapshotAddress
    from dagster_project.warehouse.store import Store

    store = Store(Workspace.find().store)
    address = SnapshotAddress.parse(f"{version}@{snapshot}" if snapshot else version)
    if format is None:
        _fitting(store, address, as_json)
        return
    if to is None:
        raise SeedbedError("say where to write with --to FOLDER")
    with console.status("") as status:
        exported = export_rows(
            store,
            address.version,
            to,
            format,
            snapshot_id=address.snapshot_id,
            split_by=split_by,
            columns=[name.strip() for name in columns.split(",")] if columns else None,
            shard_rows=shard_rows,
            compress=compress,
            row_ids=row_ids,
            force=force,
            progress=lambda text: status.update(f"[dim]{text}[/]"),
        )
    if as_json:
        print_json(exported)
    else:
        _show(exported)


def _show(exported: Exported) -> None:
    manifest = exported.manifest
    print_table(
        [
            {"file": file.path, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256[:12]}
            for file in manifest.files
        ]
    )
    counts = manifest.rows
    where = escape(str(exported.folder))
    console.print(
        f"[green]✓[/] {counts.exported:,} of {counts.snapshot:,} rows of {manifest.version} as "
        f"{manifest.format} in {where}"
    )
    if exported.unused_split:
        console.print(
            f"[yellow]all rows are in one split[/], train, though there is a column "
            f"`{exported.unused_split}`; --split-by {exported.unused_split} keeps its splits apart"
        )
    if counts.left_out:
        console.print(
            f"[yellow]{counts.left_out:,} rows are left out[/], listed in left_out.jsonl:"
        )
        for row in exported.left_out:
            console.print(f"  row {row.row_id}, {row.rule}: {escape(row.reason)}")


def _fitting(store: Store, address: SnapshotAddress, as_json: bool) -> None:
    from dagster_project.release.rows import SnapshotRows
    from dagster_project.release.shapes.catalogue import SHAPES, fitting

    with SnapshotRows(store, address) as rows_of:
        found = fitting(rows_of.schema)
    rows = [{"format": name, "made_from": SHAPES[name].needs} for name in found]
    if as_json:
        print_json(rows)
        return
    print_table(rows)
    console.print("[dim]write one with --format FORMAT --to FOLDER[/]")


def _verify(folder: Path, as_json: bool) -> None:
    from dagster_project.release.files.verification import verify_export

    found = verify_export(folder)
    if as_json:
        print_json(found)
    else:
        print_table([{"file": item.path, "problem": item.problem} for item in found.differences])
        mark = "[red]✗[/]" if found.differences else "[green]✓[/]"
        console.print(
            f"{mark} {found.files:,} files, {found.size:,} bytes checked; "
            f"{len(found.differences)} not as written"
        )
    raise typer.Exit(1 if found.differences else 0)
