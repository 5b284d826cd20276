"""What a text states that other words for it must not change."""

from __future__ import annotations

import re
from collections.abc import Collection

from dagster_project.operators.generator import Rejection

FACT_RULES = ("lost_facts", "new_facts")

_FACTS = (
    re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL),
    re.compile(r"(?:https?|ftps?)://[^\s<>\"')\]]+|\b[\w.+-]+@[\w-]+\.[\w.-]*\w"),
    re.compile(r"\{[^{}\s]{1,40}\}|<[A-Za-z][\w-]{0,40}>"),
    re.compile(r"\d+(?:[.,:/]\d+)*"),
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")


def facts(text: str) -> set[str]:
    """Numbers, code in Markdown, links, e-mail addresses and placeholders such as `{name}`, each as it
    stands; numbers without thousands separators."""
    found: set[str] = set()
    for pattern in _FACTS:
        found.update(_THOUSANDS.sub("", fact).rstrip(".,;:") for fact in pattern.findall(text))
        text = pattern.sub(" ", text)
    return found


def changed_facts(text: str, wording: str) -> Rejection | None:
    """Why a wording states something else, by the rules `lost_facts` and `new_facts`."""
    before, after = facts(text), facts(wording)
    if lost := before - after:
        return Rejection("lost_facts", _listed(lost), "all in the new wording")
    if new := after - before:
        return Rejection("new_facts", _listed(new), "none but the text's")
    return None


def _listed(items: Collection[str]) -> str:
    """A few items for people."""
    shown = sorted(items)[:5]
    return ", ".join(shown) + (" …" if len(items) > len(shown) else "")
