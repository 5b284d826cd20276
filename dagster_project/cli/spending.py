"""Verbs about what synthesis costs: before, and after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace

if TYPE_CHECKING:
    from dagster_project.warehouse.store import Store

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Version = Annotated[str, typer.Argument(help="dataset/version.")]


def add_to(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(forecast)
    app.command()(spent)


def forecast(
    version: Version,
    pilot: Annotated[int, typer.Option(help="Rows that the pilot makes.", min=1)] = 50,
    as_json: AsJson = False,
) -> None:
    """What making a version's rows will cost, told from a pilot. What the pilot pays for counts towards
    the version's budget, and is not paid for again."""
    from dagster_project.engine.forecast import forecast as forecast_of
    from dagster_project.orchestration.instance import use_instance_of
    from dagster_project.orchestration.running import Running
    from dagster_project.warehouse.manifest import read_manifest

    workspace, name = Workspace.find(), VersionName.parse(version)
    use_instance_of(workspace)
    running = Running(workspace)
    with console.status("") as status:
        (*_, item) = running.materialize(
            [name],
            sample=pilot,
            with_missing_upstream=True,
            say=lambda text: status.update(f"[dim]{text[:100]}[/]"),
            show=lambda line: None if as_json else console.print(line),
        )
    if not item["ok"]:
        raise SeedbedError(item["error"])
    plan = running.planned.versions[name].plan
    manifest = read_manifest(running.store, name, item["snapshot"])
    found = forecast_of(plan, manifest, running.store)
    if as_json:
        print_json([each.model_dump(mode="json") for each in found])
    elif not found:
        console.print(f"{name} makes no rows, or the pilot accepted none: nothing to tell from")
    else:
        print_table(
            [
                {
                    "input": each.input,
                    "rows": each.rows,
                    "pilot": f"{each.pilot_accepted} of {each.pilot_attempts} attempts",
                    "dollars": f"{each.dollars:.2f} ({each.least_dollars:.2f} to "
                    f"{each.most_dollars:.2f})",
                    "tokens": f"{each.tokens:,.0f} ({each.least_tokens:,.0f} to "
                    f"{each.most_tokens:,.0f})",
                    "hours of calls": f"{each.seconds / 3600:.2f}",
                }
                for each in found
            ],
            title=f"what all rows of {name} will cost, with nine-in-ten intervals",
        )


def spent(
    version: Version,
    release: Annotated[
        bool,
        typer.Option(
            "--release",
            help="Give up what calls of killed processes reserved, once the provider's bill shows that "
            "they cost nothing.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """What a version has spent on models and annotators, over all of its runs, and on what."""
    import asyncio

    from dagster_project.llm.books import books_of, ledger
    from dagster_project.llm.budget import release_abandoned
    from dagster_project.llm.money import dollars
    from dagster_project.recipe.loading import load_recipes
    from dagster_project.warehouse.store import Store

    workspace, name = Workspace.find(), VersionName.parse(version)
    store = Store(workspace.store)
    if release:
        given_up = asyncio.run(release_abandoned(store, name))
        console.print(f"{given_up.reservations:,} reservations of killed processes are given up")
    books = books_of(store, str(name))
    declared = load_recipes(workspace).versions.get(name)
    budget = declared.recipe.budget if declared else None
    told = {
        "version": str(name),
        "calls": books.calls,
        "dollars": dollars(books.settled.picodollars),
        "tokens": books.settled.tokens,
        "budget_dollars": budget.dollars if budget else None,
        "budget_tokens": budget.tokens if budget else None,
        "reservations": books.reservations,
        "reserved_dollars": dollars(books.reserved.picodollars),
        "reserved_tokens": books.reserved.tokens,
        "by_model": [
            {
                "model": post.model,
                "purpose": post.purpose,
                "calls": post.calls,
                "tokens_in": post.charge.tokens_in,
                "tokens_out": post.charge.tokens_out,
                "dollars": dollars(post.charge.picodollars),
                "doubtful": post.doubtful,
            }
            for post in ledger(store, str(name))
        ],
        "current_snapshot": _ledger(store, name),
    }
    if as_json:
        print_json(told)
        return
    caps = [
        f"{told[unit]:,.6g} of {told[f'budget_{unit}']:,.6g} {unit}"
        if told[f"budget_{unit}"] is not None
        else f"{told[unit]:,.6g} {unit}, no cap"
        for unit in ("dollars", "tokens")
    ]
    labels = sum(post["calls"] for post in told["by_model"] if post["purpose"] == "annotation")
    paid = f"{books.calls - labels:,} calls" + (f" and {labels:,} labels" if labels else "")
    console.print(f"{name} has spent {'; '.join(caps)}, in {paid}")
    if books.reservations:
        console.print(
            f"{books.reservations:,} calls are under way, or were when their process died; they count "
            f"as {told['reserved_tokens']:,} tokens and {told['reserved_dollars']:.6g} dollars, until "
            "`--release` gives them up"
        )
    if told["by_model"]:
        print_table(told["by_model"], title="over all runs")
    if told["current_snapshot"]:
        print_table(told["current_snapshot"], title="what the current snapshot is made of")


def _ledger(store: Store, name: VersionName) -> list[dict]:
    """The paid calls behind the current snapshot, by step, purpose and model."""
    from dagster_project.warehouse.connect import open_snapshot
    from dagster_project.warehouse.publish import current

    manifest = current(store, name)
    if manifest is None:
        return []
    with open_snapshot(store, name, manifest.snapshot_id) as connection:
        found = connection.sql(
            "SELECT s.name AS step, purpose, model, count(*) AS calls, "
            "sum(tokens_in)::BIGINT AS tokens_in, sum(tokens_out)::BIGINT AS tokens_out, "
            "round(sum(l.dollars), 6) AS dollars "
            "FROM snapshot.ledger l JOIN snapshot.steps s USING (step) "
            "GROUP BY l.step, s.name, purpose, model ORDER BY l.step, purpose, model"
        )
        return found.pl().to_dicts()
