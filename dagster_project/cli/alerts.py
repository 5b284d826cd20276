"""Verbs of `seedbed alerts`."""

from __future__ import annotations

from typing import Annotated

import typer

from dagster_project.cli.console import console, print_json, print_table
from dagster_project.workspace import Workspace

app = typer.Typer(no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

NO_CHANNEL = (
    "no channel is configured: set SEEDBED_ALERT_URLS, or write alerts.yaml with `urls:` (any "
    "Apprise URL: Slack, e-mail, Teams, PagerDuty, webhook, …)"
)


@app.command("test")
def send(as_json: AsJson = False) -> None:
    """Send one test alert to every channel and say what arrived."""
    from dagster_project.orchestration.alerts.config import load_config
    from dagster_project.orchestration.alerts.delivery import send_test
    from dagster_project.orchestration.alerts.sensor import outbox_of

    root = Workspace.find().root
    results = send_test(load_config(root), outbox_of(root))
    rows = [
        {"channel": result.channel, "sent": result.error is None, "error": result.error}
        for result in results
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows)
    else:
        console.print(NO_CHANNEL)
    raise typer.Exit(0 if rows and all(row["sent"] for row in rows) else 1)


@app.command()
def status(as_json: AsJson = False) -> None:
    """What was sent, what waits, and which channels are dead."""
    from dagster_project.orchestration.alerts.config import load_config
    from dagster_project.orchestration.alerts.sensor import outbox_of
    from dagster_project.orchestration.alerts.status import in_words
    from dagster_project.orchestration.alerts.status import status as status_of

    root = Workspace.find().root
    found = status_of(load_config(root), outbox_of(root))
    rows = [
        {
            "channel": channel.tally.channel,
            "configured": channel.configured,
            "sent": channel.tally.sent,
            "undelivered": channel.undelivered,
            "dead": channel.is_dead,
            "last_error": channel.tally.last_error,
        }
        for channel in found.channels
    ]
    if as_json:
        print_json({"channels": rows, "unrouted": len(found.unrouted)})
        return
    print_table(rows)
    console.print(in_words(found) if rows or found.unrouted else NO_CHANNEL)
