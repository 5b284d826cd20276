"""What Dagster loads: every recipe in `assets/` and every suite in `checks/`."""

import os

os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

from dagster_project.orchestration.workspace_definitions import workspace_definitions
from dagster_project.workspace import Workspace

defs = workspace_definitions(Workspace.find())
