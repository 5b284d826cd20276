"""Verbs that materialize and serve."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Annotated

import typer
from rich.markup import escape

from dagster_project.cli.console import console, errors, print_json
from dagster_project.errors import SeedbedError
from dagster_project.workspace import VersionName, Workspace


def add_to(app: typer.Typer) -> None:
    """Add this module's verbs."""
    app.command()(build)
    app.command()(serve)


def build(
    versions: Annotated[list[str] | None, typer.Argument(help="Versions: dataset/version.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every version of the workspace.")] = False,
    on_request: Annotated[
        bool, typer.Option("--on-request", help="With --all, those too that are `on_request`.")
    ] = False,
    sample: Annotated[
        int, typer.Option(help="A trial on so many rows of each input; never published.", min=0)
    ] = 0,
    upstream: Annotated[bool, typer.Option(help="Build what is missing upstream first.")] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Materialize versions through Dagster, without the UI. Unchanged versions are left alone."""
    from dagster_project.orchestration.instance import use_instance_of
    from dagster_project.orchestration.running import Running

    workspace = Workspace.find()
    use_instance_of(workspace)
    running = Running(workspace)
    if every:
        names = running.all_names(on_request=on_request)
    elif versions:
        names = [VersionName.parse(version) for version in versions]
    else:
        raise SeedbedError("name the versions to build, or say --all")
    with console.status("") as status:

        def say(text: str) -> None:
            status.update(f"[dim]{text[:100]}[/]")

        def show(line: str) -> None:
            if not as_json:
                console.print(line)

        outcome = running.materialize(
            names, sample=sample or None, with_missing_upstream=upstream, say=say, show=show
        )
    if as_json:
        print_json(outcome)
    left_out = set(running.all_names(on_request=True)) - set(names)
    if every and left_out and not as_json:
        listed = ", ".join(map(str, sorted(left_out)))
        console.print(f"[dim]left out, as they are built on request: {escape(listed)}[/]")
    for label, problems in running.problems().items():
        if every or label in {str(name) for name in names}:
            for problem in problems:
                errors.print(f"[red]✗[/] {escape(str(problem))}", soft_wrap=True)
    if not all(item["ok"] for item in outcome):
        raise typer.Exit(1)


def serve(
    port: Annotated[int, typer.Option(help="Port; the next free one if it is taken.")] = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
) -> None:
    """Serve the Dagster UI, with schedules, sensors and alerts running."""
    from dagster_project.orchestration.instance import use_instance_of

    workspace = Workspace.find()
    port = _free_port(host, port)
    use_instance_of(workspace)
    environment = {
        "SEEDBED_UI_URL": f"http://{host}:{port}",
        "PYTHONWARNINGS": "ignore:Function `dev_command` is superseded",
        **os.environ,
    }
    command = [sys.executable, "-m", "dagster", "dev", "-h", host, "-p", str(port)]
    process = subprocess.Popen(
        [*command, "--log-level", "warning"], cwd=workspace.root, env=environment
    )
    try:
        with console.status("starting the Dagster UI (about 20 seconds)"):
            _wait_until_up(process, f"http://{host}:{port}/server_info")
        console.print(f"\n  [bold]Dagster UI[/]  http://{host}:{port}\n  Stop with Ctrl-C.\n")
        code = process.wait()
    except KeyboardInterrupt:
        console.print("stopping")
        process.wait(30)
        code = 0
    finally:
        if process.poll() is None:
            process.terminate()
    raise typer.Exit(code)


def _free_port(host: str, port: int) -> int:
    for candidate in range(port, port + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, candidate))
            except OSError:
                continue
            if candidate != port:
                console.print(f"port {port} is taken; using {candidate}")
            return candidate
    raise SeedbedError(f"no free port from {port} to {port + 49} on {host}")


def _wait_until_up(process: subprocess.Popen, url: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SeedbedError(f"the Dagster UI stopped with exit code {process.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise SeedbedError(f"the Dagster UI did not answer within {seconds:.0f} seconds")
