"""What a materialization shows of what its rows cover."""

from contextlib import suppress
from typing import Any

import dagster as dg

from dagster_project.engine.plan import Plan
from dagster_project.orchestration.picture import picture
from dagster_project.orchestration.tables import table
from dagster_project.quality.gate import Outcome
from dagster_project.recipe.model import ContestInput
from dagster_project.warehouse.address import SnapshotAddress
from dagster_project.warehouse.store import Store

LOOKED_AT = 3_000
"""Rows by which it is told; `seedbed coverage` looks at more."""
TOPIC_ROWS = 1_000
SHOWN = 3
"""Values of an axis that are named."""
LONGEST = 34
"""Characters of a value that are shown: a wider table is cut off by the page."""


def coverage_metadata(store: Store, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """Axes with their most frequent values, and the map of topics, told by words; nothing of arenas, and
    of rows without text."""
    contests = (isinstance(source, ContestInput) for source in plan.declared.recipe.inputs.values())
    if any(contests) or not outcome.manifest.rows:
        return {}
    from dagster_project.engine.profile.coverage import covered
    from dagster_project.engine.profile.map_picture import NoMap, map_picture
    from dagster_project.engine.profile.text_parts import NoText

    address = SnapshotAddress(plan.name, outcome.manifest.snapshot_id)
    try:
        found = covered(store, address, sample=LOOKED_AT, embeddings=False, topic_rows=TOPIC_ROWS)
    except NoText:
        return {}
    shown: dict[str, Any] = {
        "coverage": table(
            [
                {
                    "axis": axis.axis,
                    "told of": f"{axis.told / found.report.looked_at:.0%}",
                    "most frequent": ", ".join(
                        f"{_short(value.value)} {value.share:.0%}"
                        for value in sorted(axis.values, key=lambda each: -each.rows)[:SHOWN]
                    ),
                    "effective values": round(axis.effective, 1),
                }
                for axis in found.report.axes
                if axis.told
            ]
        )
    }
    with suppress(NoMap):
        shown["map"] = dg.MetadataValue.md(picture(map_picture(found)))
    return shown


def _short(value: str) -> str:
    return value if len(value) <= LONGEST else value[: LONGEST - 1] + "…"
