"""Keys: where they come from, and how they are kept out of everything else."""

from __future__ import annotations

import os
import re
from urllib.parse import quote

from dagster_project.llm.refusal import ModelRefused

REDACTED = "…"
_LOOKS_SECRET = re.compile(
    r"\b(?:sk|pk|gsk|xai|hf)[-_][A-Za-z0-9_*.-]{8,}|(?i:\bbearer\s+)[^\s\"',;]+"
)


def key_of(model: str, variable: str | None) -> str | None:
    """The key of a model; None where it needs none.

    Args:
        model: its name in the recipe.
        variable: the environment variable that holds it.

    Raises:
        ModelRefused: when that is not set, or holds what cannot be sent.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ModelRefused(
            f"model {model!r}: its key is to be in the environment variable {variable}, which is not "
            "set; set it, or take `key` out of the recipe if the endpoint needs none"
        )
    if not key.isascii() or not key.isprintable():
        raise ModelRefused(f"model {model!r}: what {variable} holds is no key: it is no plain text")
    return key


def without_key(text: str, key: str | None) -> str:
    """`text` without this key, and without whatever has the form of one."""
    if key is not None and len(key) >= 4:
        for spelling in {key, quote(key, safe="")}:
            text = text.replace(spelling, REDACTED)
    return _LOOKS_SECRET.sub(REDACTED, text)
