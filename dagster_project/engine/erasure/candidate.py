"""A generated candidate without its content."""

from __future__ import annotations

import json


def without_content(raw: str | None, told: str) -> str | None:
    """What stands in the place of an erased record's text: of a candidate, its numbers and what it cost;
    of any other record, nothing.

    Args:
        raw: the record's text.
        told: when and why it is erased.
    """
    try:
        made = json.loads(raw or "")
        values, calls = made["values"], made["calls"]
        numbers = {name: made[name] for name in ("attempt", "seeds", "made_from")}
        paid = [{**call, "prompt": "", "response": ""} for call in calls]
        left = dict.fromkeys(values)
    except (ValueError, KeyError, TypeError):
        return None
    rejection = {"rule": "erased", "measured": None, "threshold": None}
    kept = {"values": left, **numbers, "rejection": rejection, "error": None, "calls": paid}
    return json.dumps(kept, ensure_ascii=False)
