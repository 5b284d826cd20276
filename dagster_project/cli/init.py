"""The verb that makes a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dagster_project.cli.console import console
from dagster_project.errors import SeedbedError

FILES = {
    "workspace.yaml": """\
load_from:
  - python_module:
      module_name: dagster_project.definitions
      working_directory: .
      location_name: seedbed
""",
    "checks/rows.yaml": """\
description: Any version.
expectations:
  - expect_table_row_count_to_be_between: {min_value: 1}
    name: has_rows
  - quarantined_share: {max: 0.001}
    name: little_quarantined
    severity: warning
  - removed_share: {max: 0.9}
    name: little_removed
    severity: warning
  - drift: {metric: rows, max_change: 0.5}
    name: rows_as_before
    severity: warning
""",
    ".gitignore": """\
store/
.dagster/
alerts.yaml
""",
}
"""What a new workspace holds, by path; what is there already is left as it is."""


def add_to(app: typer.Typer) -> None:
    """Add this module's verb."""
    app.command()(init)


def init(
    folder: Annotated[Path, typer.Argument(help="Made if it is not there.")] = Path(),
) -> None:
    """Make a workspace: the folder of your own recipes, suites and data."""
    if (folder / "workspace.yaml").exists():
        raise SeedbedError(f"{folder} is a workspace already; nothing was written")
    try:
        for name in ("assets", "checks", "data"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        for name, text in FILES.items():
            if not (folder / name).exists():
                (folder / name).write_text(text)
    except OSError as error:
        raise SeedbedError(f"{folder} cannot be made a workspace: {error}") from error
    console.print(f"{folder.resolve()} is a workspace. Put rows into its data/, then, in it:")
    console.print(
        "  seedbed new my_data --files 'data/*.jsonl'\n  seedbed build my_data/v1\n  seedbed serve"
    )
