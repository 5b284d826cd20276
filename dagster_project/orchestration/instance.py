"""The Dagster instance of a workspace: where runs, checks and schedules are remembered."""

import os

from dagster_project.workspace import Workspace


def use_instance_of(workspace: Workspace) -> None:
    """Let Dagster keep its history in the workspace unless the environment says otherwise."""
    if not os.environ.get("DAGSTER_HOME"):
        home = workspace.root / ".dagster"
        home.mkdir(exist_ok=True)
        settings = home / "dagster.yaml"
        if not settings.exists():
            settings.write_text("telemetry:\n  enabled: false\nnux:\n  enabled: false\n")
        os.environ["DAGSTER_HOME"] = str(home)
