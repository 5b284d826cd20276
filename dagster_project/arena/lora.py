"""Finetuning by low-rank adapters as a trainer: what it needs, and what it depends on."""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from dagster_project.arena.trainer import Trainer, TrainingFailed
from dagster_project.identity import code_digest, digest, file_digest
from dagster_project.operators.models.smollm2 import PACKAGE, WEIGHTS_SHA256
from dagster_project.recipe.contest import Lora

NEEDED = ("torch", "transformers", "peft", "tokenizers")
"""Distributions that train."""
INSTALL = "install them with `pip install 'seedbed[train]'`"
MODULES = ("lora_model", "lora_training")
UNSEEN = ("model", "seeds", "held_out", "minutes")
"""Settings that do not change what one training comes to, or that are told otherwise."""
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "PYTHONHASHSEED": "0",
}
"""Nothing is fetched, and a graphics processor computes the same again."""


def lora_trainer(name: str, model: Lora, folder: Path, kept: Path) -> Trainer:
    """A trainer that finetunes.

    Args:
        name: of the model.
        model: what is set for it.
        folder: of the workspace.
        kept: folder of trainings.

    Raises:
        TrainingFailed: when the extra is not installed, or there is no model in the folder.
    """
    needed = NEEDED if model.model else (*NEEDED, PACKAGE)
    missing = [each for each in needed if _version(each) is None]
    if missing == [PACKAGE]:
        raise TrainingFailed(
            f"model {name}: {PACKAGE} is missing, whose weights are finetuned; install it with `pip "
            f"install --no-deps {PACKAGE}==0.1.2` (what it requires itself is not used), or name a "
            "`model`"
        )
    if missing:
        raise TrainingFailed(
            f"model {name}: finetuning needs {', '.join(missing)}, which are missing; {INSTALL}"
        )
    settings = model.model_dump(exclude=set(UNSEEN))
    settings["model"] = str(folder / model.model) if model.model else None
    return Trainer(
        name=name,
        command=(
            sys.executable, "-P", "-m", "dagster_project.arena.lora_training",
            "{data}", "{held_out}", "{seed}", "{out}", json.dumps(settings),
        ),
        folder=folder,
        code=lora_code(name, model, folder),
        directions={"log_probability": "higher"},
        reads="scores",
        seconds=model.minutes * 60,
        seeds=model.seeds,
                most=model.held_out,
        kept=kept,
        environment={**ENVIRONMENT, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )  # fmt: skip


def lora_code(name: str, model: Lora, folder: Path) -> str:
    """Identity of what finetunes: the code, its libraries, the settings, and the model's files.

    Raises:
        TrainingFailed: when there is no model in the folder.
    """
    own = Path(__file__).parent
    weights: object = WEIGHTS_SHA256
    if model.model:
        place = folder / model.model
        if not (place / "config.json").is_file():
            raise TrainingFailed(
                f"model {name}: {place} has no config.json; `model` is a folder that transformers saved"
            )
        files = sorted(path for path in place.iterdir() if path.is_file())
        weights = [[path.name, _hashed(path, path.stat().st_mtime_ns)] for path in files]
    return digest(
        [
            [code_digest(own / f"{module}.py") for module in MODULES],
            [[each, _version(each)] for each in NEEDED],
            model.model_dump(exclude=set(UNSEEN)),
            weights,
        ]
    )


@cache
def _hashed(path: Path, _modified: int) -> str:
    return file_digest(path)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
