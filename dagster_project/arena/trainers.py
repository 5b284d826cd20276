"""The programs that a contest declares, ready to train."""

from __future__ import annotations

from pathlib import Path

from dagster_project.arena.lora import lora_code, lora_trainer
from dagster_project.arena.trainer import Trainer, TrainingFailed
from dagster_project.identity import digest, file_digest
from dagster_project.recipe.contest import Contest, Lora, OwnTrainer

LONGEST = 200
"""Characters of a path that a command may name a file by."""


def trainers(asked: Contest, folder: Path, kept: Path) -> dict[str, Trainer]:
    """The models of a contest that are trained by programs, by name.

    Args:
        asked: the contest.
        folder: of the workspace.
        kept: folder of trainings.

    Raises:
        TrainingFailed: when a file that one names is missing, or what finetuning needs.
    """
    found = {}
    for name, model in asked.models.items():
        if isinstance(model, OwnTrainer):
            found[name] = Trainer(
                name=name,
                command=model.command,
                folder=folder,
                code=_own_code(name, model, folder),
                directions=model.scores,
                reads=model.reads,
                seconds=model.minutes * 60,
                seeds=model.seeds,
                most=model.held_out,
                kept=kept,
                keep_output=model.keep_output,
            )
        elif isinstance(model, Lora):
            found[name] = lora_trainer(name, model, folder, kept)
    return found


def trainer_codes(asked: Contest, folder: Path) -> dict[str, str]:
    """Identities of the programs that a contest trains by, by the model's name.

    Raises:
        TrainingFailed: when a file that one names is missing.
    """
    found = {}
    for name, model in asked.models.items():
        if isinstance(model, OwnTrainer):
            found[name] = _own_code(name, model, folder)
        elif isinstance(model, Lora):
            found[name] = lora_code(name, model, folder)
    return found


def _own_code(name: str, model: OwnTrainer, folder: Path) -> str:
    """Of the command, and of the files in the workspace that it names or that are named with it."""
    named = (part for part in model.command if len(part) < LONGEST and not Path(part).is_absolute())
    files = {part for part in named if (folder / part).is_file()}
    for pattern in model.code:
        matched = {path for path in folder.glob(pattern) if path.is_file()}
        if not matched:
            raise TrainingFailed(f"model {name}: `code` names {pattern}, and there is no such file")
        files |= {path.relative_to(folder).as_posix() for path in matched}
    return digest([model.command, {file: file_digest(folder / file) for file in sorted(files)}])
