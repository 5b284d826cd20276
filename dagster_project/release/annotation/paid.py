"""What labels cost, in the ledger of the version whose rows they are about."""

from __future__ import annotations

from collections.abc import Iterable

from dagster_project.identity import digest
from dagster_project.llm.books import books_of, ledger
from dagster_project.llm.entries import Entry, enter
from dagster_project.llm.money import dollars
from dagster_project.recipe.loading import load_recipes
from dagster_project.release.annotation.labels import Label
from dagster_project.release.annotation.task import TasksRefused
from dagster_project.warehouse.store import Store
from dagster_project.workspace import VersionName, Workspace

PURPOSE = "annotation"


def enter_labels(store: Store, labels: Iterable[Label]) -> int:
    """Enter what labels cost; returns how many were new. What one person is paid for a task is entered
    once, also if the label is corrected or withdrawn later.

    Raises:
        RecordsFailed: when the ledger cannot be written.
    """
    return enter(
        store,
        [
            Entry(
                version=label.version,
                purpose=PURPOSE,
                paid_to=label.guideline,
                key=digest(["label", *label.given]),
                dollars=label.cost,
            )
            for label in labels
            if label.cost
        ],
    )


def annotation_dollars(store: Store, version: str) -> float:
    """What the labels of a version's rows have cost so far, US dollars."""
    posts = (post for post in ledger(store, version) if post.purpose == PURPOSE)
    return dollars(sum(post.charge.picodollars for post in posts))


def require_room(workspace: Workspace, version: str, labels: int, cost: float) -> None:
    """Refuse to hand out what a version's budget does not cover.

    Args:
        workspace: whose recipe declares the budget.
        version: `dataset/version`.
        labels: how many there may be.
        cost: of all of them, US dollars.

    Raises:
        TasksRefused: when it is more than is left.
    """
    declared = load_recipes(workspace).versions.get(VersionName.parse(version))
    budget = declared.recipe.budget if declared else None
    if budget is None or budget.dollars is None:
        return
    books = books_of(Store(workspace.store), version)
    spent = dollars(books.settled.picodollars + books.reserved.picodollars)
    left = max(0.0, budget.dollars - spent)
    if cost > left:
        raise TasksRefused(
            f"{labels:,} labels cost ${cost:,.2f}, and {version} has spent ${spent:,.2f} of its budget "
            f"of ${budget.dollars:,.2f}: {int(left / cost * labels):,} labels fit. Hand out fewer rows, "
            "or raise `budget.dollars` in its recipe"
        )
