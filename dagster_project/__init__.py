"""Seedbed: dataset engineering for people who finetune models."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dagster_project.orchestration.component import DatasetVersion

# Before numpy is imported, which reads it then: threads of its linear algebra that have nothing to do
# wait without using a processor. It saves every process 0.13 CPU seconds.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "4")

__all__ = ["DatasetVersion"]


def __getattr__(name: str) -> Any:
    """`DatasetVersion`, the Dagster component, loaded when it is asked for."""
    if name == "DatasetVersion":
        from dagster_project.orchestration.component import DatasetVersion

        return DatasetVersion
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
