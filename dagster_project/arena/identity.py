"""What can change the scores of a contest, beside the rows."""

from __future__ import annotations

from pathlib import Path

from dagster_project.arena.small_vocabulary import LIBRARY
from dagster_project.identity import code_digest, digest, library_versions

MODULES = ("contest", "held_out", "pairs", "probes", "small_vocabulary")


def contest_code() -> str:
    """Identity of the code that scores, and of the libraries that it computes with."""
    folder = Path(__file__).parent
    code = [code_digest(folder / f"{name}.py") for name in MODULES]
    return digest([code, library_versions((LIBRARY, "numpy", "polars"))])
