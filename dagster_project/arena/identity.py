"""What can change the scores of a contest, beside the rows."""

from __future__ import annotations

from pathlib import Path

from dagster_project.arena.small_vocabulary import LIBRARY
from dagster_project.arena.trainers import trainer_codes
from dagster_project.identity import code_digest, digest, library_versions
from dagster_project.recipe.contest import Contest

MODULES = ("contest", "held_out", "pairs", "probes", "small_vocabulary", "told_scores", "trainer")


def contest_code(asked: Contest | None = None, folder: Path | None = None) -> str:
    """Identity of the code that scores, and of the libraries that it computes with.

    Args:
        asked: the contest, whose own trainers count too.
        folder: of the workspace, in which they are.

    Raises:
        TrainingFailed: when a file that a trainer names is missing.
    """
    own = Path(__file__).parent
    code = [code_digest(own / f"{name}.py") for name in MODULES]
    known: list = [code, library_versions((LIBRARY, "numpy", "polars"))]
    if asked is not None and folder is not None:
        known.append(trainer_codes(asked, folder))
    return digest(known)
