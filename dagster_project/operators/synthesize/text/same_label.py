"""Whether an altered row is still what its label says: what must be the same, is the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dagster_project.operators.generator import Rejection, Row
from dagster_project.operators.synthesize.text.text_places import Place, texts_in
from dagster_project.operators.synthesize.text.word_swaps import any_of

LABEL_CHANGED = "label_changed"

Texts = Mapping[Place, str]


def changed_matches(
    before: Texts, after: Texts, patterns: Iterable[re.Pattern[str]], added: bool
) -> Rejection | None:
    """Why texts are not the same in what patterns match.

    Args:
        before, after: texts by place.
        patterns: what must be there as before, in the same order.
        added: whether a sentence was put in, which may match too.
    """
    for pattern in patterns:
        for place, text in before.items():
            wanted, found = _matches(pattern, text), _matches(pattern, after.get(place, ""))
            if not (_in_order(wanted, found) if added else wanted == found):
                return Rejection(LABEL_CHANGED, _shown(found), _shown(wanted))
    return None


def changed_values(
    before: Texts, after: Texts, values: Mapping[str, Any], added: bool
) -> Rejection | None:
    """Why values, by column, do not occur in texts as often as before.

    Args:
        before, after: texts by place.
        values: what to look for, such as a row's answer.
        added: whether a sentence was put in, which may have them too.
    """
    for column, value in values.items():
        if isinstance(value, str | int | float) and str(value).strip():
            pattern = any_of([str(value).strip()])
            had, has = (
                sum(len(pattern.findall(text)) for text in texts.values())
                for texts in (before, after)
            )
            if has < had or (has > had and not added):
                measured = f"{column}: {str(value).strip()[:100]}: {has} times"
                return Rejection(LABEL_CHANGED, measured, f"{had} times")
    return None


def left_over_entities(row: Row, changed: Row, entities: Iterable[str]) -> Rejection | None:
    """Why a row is not of one piece: entities that were swapped in it still stand somewhere.

    Args:
        row, changed: before and after.
        entities: all that there are.
    """
    pattern = any_of(entities)
    before, after = (
        {place: Counter(pattern.findall(text)) for place, text in texts_in(each, each).items()}
        for each in (row, changed)
    )
    gone = {name for place, names in before.items() for name in names - after.get(place, Counter())}
    for place, names in after.items():
        if left := sorted(gone & set(names)):
            measured = f"{place.column}: {_shown(left)}"
            return Rejection(LABEL_CHANGED, measured, "swapped throughout the row")
    return None


def _matches(pattern: re.Pattern[str], text: str) -> list[str]:
    return [found.group() for found in pattern.finditer(text) if found.group()]


def _in_order(wanted: Sequence[str], found: Sequence[str]) -> bool:
    """Whether all that is wanted is found, in its order, whatever else is between."""
    rest = iter(found)
    return all(one in rest for one in wanted)


def _shown(items: Sequence[str]) -> str:
    return ", ".join(items)[:100] or "nothing"
