"""Handing tasks out: a folder for the tool that annotators work with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from dagster_project.release.annotation import argilla, label_studio
from dagster_project.release.annotation.guideline import GUIDELINE, Guidelines
from dagster_project.release.annotation.paid import require_room
from dagster_project.release.annotation.sample import Choosing, Sampled, sample_tasks
from dagster_project.release.annotation.task import TASKS, TasksRefused, tasks_jsonl
from dagster_project.release.files.folder import put_at
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.store import Store
from dagster_project.workspace import Workspace

Tool = Literal["seedbed", "label-studio", "argilla"]
FACTS = "annotation.json"


def hand_out(
    workspace: Workspace,
    address: SnapshotAddress,
    guideline_name: str,
    choosing: Choosing,
    tool: Tool,
    folder: Path,
    *,
    annotators_each: int = 1,
) -> Sampled:
    """Choose rows of a version, and write them as tasks to a new folder. The same snapshot, guideline
    and choice give the same bytes.

    Every folder has the guideline and `annotation.json`, which tells what was chosen and how; and
    `tasks.jsonl` for `seedbed annotate review`, or the files that the tool imports. The folder
    appears whole, or not at all. The guideline's version is kept in the workspace.

    Args:
        workspace: whose guideline and snapshot.
        address: of the version.
        guideline_name: of the guideline.
        choosing: which rows.
        tool: that annotators work with.
        folder: that is made.
        annotators_each: how many people are to label each row.

    Raises:
        TasksRefused: when the folder is there, the column to choose by will not do, or the labels may
            cost more than the version's budget has left.
        GuidelineUnknown, DeclarationError: when the guideline will not do.
        RowsRefused, NotPublished: when there are no rows to show.
    """
    if folder.exists() or folder.is_symlink():
        raise TasksRefused(f"{folder} is there already; name another folder")
    guidelines = Guidelines(workspace.root)
    guideline = guidelines.current(guideline_name)
    sampled = sample_tasks(Store(workspace.store), address, guideline, choosing, annotators_each)
    if sampled.dollars_at_most is not None:
        labels = len(sampled.tasks) * annotators_each
        require_room(workspace, str(address.version), labels, sampled.dollars_at_most)
    files = {
        "seedbed": lambda: {TASKS: tasks_jsonl(sampled.tasks)},
        "label-studio": lambda: label_studio.files(guideline, sampled.tasks, choosing.seed),
        "argilla": lambda: argilla.files(guideline, sampled.tasks, choosing.seed),
    }[tool]()
    facts = {
        "snapshot": str(sampled.snapshot),
        "content_id": sampled.content_id,
        "guideline": guideline.citation,
        "rows": sampled.rows,
        "tasks": len(sampled.tasks),
        "asked": choosing.rows,
        "by": choosing.by,
        "lowest": choosing.lowest,
        "nearest": choosing.nearest,
        "seed": choosing.seed,
        "annotators_each": annotators_each,
        "dollars_at_most": sampled.dollars_at_most,
    }
    files |= {
        GUIDELINE: guideline.content,
        FACTS: (json.dumps(facts, ensure_ascii=False, indent=2) + "\n").encode(),
    }
    guidelines.keep(guideline)
    with put_at(folder, replace=False) as temporary:
        for name, content in files.items():
            path = temporary / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content)
    return sampled
