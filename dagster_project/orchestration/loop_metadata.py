"""What a materialization of an arena shows of what to do next."""

from typing import Any

import dagster as dg

from dagster_project.engine.plan import Plan
from dagster_project.errors import SeedbedError
from dagster_project.quality.gate import Outcome
from dagster_project.recipe.model import ContestInput
from dagster_project.warehouse.store import Store


def loop_metadata(store: Store, plan: Plan, outcome: Outcome) -> dict[str, Any]:
    """The page that closes the loop; nothing where the version is no arena, or was not published."""
    inputs = plan.declared.recipe.inputs.values()
    contests = any(isinstance(source, ContestInput) for source in inputs)
    if not contests or outcome.manifest.status != "published":
        return {}
    from dagster_project.engine.loop.markdown import markdown
    from dagster_project.engine.loop.page import loop_page

    try:
        page = loop_page(store, plan.name, embeddings=False)
    except SeedbedError as error:
        return {"what_next": f"cannot be told: {error}"}
    return {"what_next": dg.MetadataValue.md(markdown(page))}
