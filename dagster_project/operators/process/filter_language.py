"""Keep rows in certain natural languages."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from pydantic import Field, field_validator

from dagster_project.operators.base import Rule
from dagster_project.operators.process.detect_language import DetectLanguage

CODES = (
    "af als am an ar arz as ast av az azb ba bar bcl be bg bh bn bo bpy br bs bxr ca cbk ce ceb ckb "
    "co cs cv cy da de diq dsb dty dv el eml en eo es et eu fa fi fr frr fy ga gd gl gn gom gu gv "
    "he hi hif hr hsb ht hu hy ia id ie ilo io is it ja jbo jv ka kk km kn ko krc ku kv kw ky la lb "
    "lez li lmo lo lrc lt lv mai mg mhr min mk ml mn mr mrj ms mt mwl my myv mzn nah nap nds ne new "
    "nl nn no oc or os pa pam pfl pl pms pnb ps pt qu rm ro ru rue sa sah sc scn sco sd sh si sk sl "
    "so sq sr su sv sw ta te tg th tk tl tr tt tyv ug uk ur uz vec vep vi vls vo wa war wuu xal xmf "
    "yi yo yue zh"
)
LANGUAGES = frozenset(CODES.split())
"""The 176 languages that fastText's lid.176 knows."""


class FilterLanguage(DetectLanguage):
    """Keeps rows in certain natural languages.

    Detects as `detect_language` does, with the same annotations, and removes by two rules:
    `language`, for a text in none of the languages or of which nothing can be told, and
    `language_confidence`, for one of which the detector is not sure enough. The default of 0.65 is
    FineWeb's (Penedo et al. 2024, arXiv 2406.17557), for whole web pages; short texts need less.

    Example:
        - filter_language: {column: text, keep: [en, de], min_confidence: 0.5}

    Raises:
        OperatorMisuse: when the column holds neither text nor chat messages.
    """

    keep: tuple[str, ...] = Field(
        min_length=1, description="ISO 639 codes of the languages to keep, as fastText has them."
    )
    min_confidence: float = Field(default=0.65, ge=0, le=1, description="Least confidence.")

    @field_validator("keep")
    @classmethod
    def _keep(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [code for code in value if code not in LANGUAGES]:
            raise ValueError(
                f"{unknown[0]!r} is no language that the detector knows; they are "
                + ", ".join(sorted(LANGUAGES))
            )
        return value

    def rules(self, schema: pl.Schema) -> Sequence[Rule]:
        language, confidence = pl.col(self.into), pl.col(f"{self.into}_confidence")
        return [
            Rule("language", language.is_in(self.keep), language, f"in {', '.join(self.keep)}"),
            Rule(
                "language_confidence",
                confidence >= self.min_confidence,
                confidence,
                f">= {self.min_confidence:g}",
            ),
        ]
