"""All shapes, and the one that is meant."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dagster_project.errors import SeedbedError
from dagster_project.recipe.problems import nearest
from dagster_project.release.shapes import as_they_are, axolotl, instruction, openai, trl
from dagster_project.release.shapes.shape import Shape, Shaped

SHAPES = {
    shape.name: shape
    for module in (trl, axolotl, openai, instruction, as_they_are)
    for shape in module.SHAPES
}

BY_PHASE: dict[str, dict[str, Sequence[str]]] = {
    "trl": {
        "pretrain": ("trl:language_modeling",),
        "sft": ("trl:language_modeling", "trl:prompt_completion"),
        "preference": ("trl:preference", "trl:unpaired_preference"),
        "reward": (
            "trl:preference_implicit",
            "trl:unpaired_preference",
            "trl:stepwise_supervision",
        ),
        "rl": ("trl:prompt_only",),
    },
    "axolotl": {
        "pretrain": ("axolotl:completion",),
        "sft": ("axolotl:chat_template",),
        "preference": ("axolotl:dpo",),
        "reward": ("axolotl:dpo",),
    },
    "openai": {"sft": ("openai:chat",), "preference": ("openai:preference",)},
}
"""What a family alone means, by the phase the rows are for; the first that the columns allow."""


class ShapeRefused(SeedbedError):
    """A format that is not known, or that these rows cannot take."""


def choose(name: str, schema: pl.Schema, phase: str, version: str) -> tuple[Shape, Shaped]:
    """The shape that a format's name means for a version's rows.

    Args:
        name: a shape; a family (`trl`: what fits the phase); or a kind of TRL's without its form
            (`trl:preference`: the form the rows are in).
        schema: of the rows.
        phase: the rows are for.
        version: for the error.

    Raises:
        ShapeRefused: saying what is missing, and what would fit.
    """
    tried = _meant(name, schema, phase)
    for candidate in tried:
        shaped = SHAPES[candidate].shaped(schema)
        if shaped is not None:
            return SHAPES[candidate], shaped
    columns = ", ".join(column for column in schema if column != "row_id") or "none"
    found = ", ".join(fitting(schema))
    if not tried and (name in BY_PHASE):
        raise ShapeRefused(f"{name} has no format for the phase {phase}; these fit: {found}")
    if not tried:
        known = sorted({*SHAPES, *BY_PHASE, *(item.rpartition(":")[0] for item in SHAPES)} - {""})
        near = nearest(name, known)
        raise ShapeRefused(
            f"there is no format {name!r}"
            + (f"; did you mean {near!r}?" if near else ".")
            + f" These fit {version}: {found}"
        )
    needs = SHAPES[tried[0]].needs
    raise ShapeRefused(
        f"{name} is made from {needs}; {version} (phase {phase}) has the columns {columns}. These "
        f"fit: {found}. `convert_chat` and `map_columns` in the recipe make other columns"
    )


def fitting(schema: pl.Schema) -> list[str]:
    """The shapes that rows with these columns can take."""
    return [name for name, shape in SHAPES.items() if shape.shaped(schema) is not None]


def _meant(name: str, schema: pl.Schema, phase: str) -> list[str]:
    if name in SHAPES:
        return [name]
    kinds = BY_PHASE[name].get(phase, ()) if name in BY_PHASE else (name,)
    if "completion" in schema:  # rows that part the answer from the prompt keep them parted
        kinds = sorted(kinds, key=lambda kind: kind != "trl:prompt_completion")
    form = trl.form_of(schema)
    other = "standard" if form == "conversational" else "conversational"
    forms = [f"{kind}:{own}" for kind in kinds for own in (form, other)]
    return [shape for shape in (*kinds, *forms) if shape in SHAPES]
