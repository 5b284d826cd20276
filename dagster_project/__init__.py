"""Seedbed: dataset engineering for people who finetune models."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster_project.orchestration.component import DatasetVersion

__all__ = ["DatasetVersion"]


def __getattr__(name: str) -> Any:
    """`DatasetVersion`, the Dagster component, loaded when it is asked for."""
    if name == "DatasetVersion":
        from dagster_project.orchestration.component import DatasetVersion

        return DatasetVersion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
