"""Rows that a post-training filter should remove, and rows that only look like them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.truth.applying import apply
from benchmarks.truth.base_rows import examples
from benchmarks.truth.tables import excerpt, rate, table

ROLES = (
    "unknown_roles",
    "system_first",
    "starts_with_user",
    "ends_with_assistant",
    "turns_out_of_order",
    "min_turns",
)

FILTERS: dict[str, tuple[str, Sequence[str]]] = {
    "refusal": ("filter_assistant_phrases", ("refusals",)),
    "identity": ("filter_assistant_phrases", ("identities",)),
    "cutoff": ("filter_assistant_phrases", ("cutoffs",)),
    "special_token": ("filter_broken_markup", ("stray_tokens",)),
    "thinking_tag": ("filter_broken_markup", ("unpaired_tags",)),
    "tool_tag": ("filter_broken_markup", ("unpaired_tags",)),
    "thinking_only": ("filter_broken_markup", ("thinking_only",)),
    "truncated": ("filter_truncated", ()),
    "truncated_cjk": ("filter_truncated", ()),
    "copied_prompt": ("filter_copied_prompt", ()),
    "repeated_sentences": ("filter_repeated_sentences", ()),
    "repeated_cjk": ("filter_repeated_sentences", ()),
    "wrong_language": ("filter_answer_language", ()),
    "empty_turn": ("filter_chat_structure", ("empty_turns",)),
    "role_order": ("filter_chat_structure", ROLES),
}
"""The operator for each kind of example, and the rules of it that are meant; all, if none is named."""

OTHERS_OFF: dict[str, dict[str, Any]] = {
    "refusals": {"max_identities": None, "max_cutoffs": None},
    "identities": {"max_refusals": None, "max_cutoffs": None},
    "cutoffs": {"max_refusals": None, "max_identities": None},
    "empty_turns": {
        "roles": None,
        "system_first": False,
        "starts_with_user": False,
        "ends_with_assistant": False,
        "alternate": False,
        "min_turns": None,
    },
    ROLES[0]: {"empty_turns": False},
    "thinking_only": {"max_stray_tokens": None, "max_unpaired_tags": None},
}
"""By the first rule that is meant: the settings that switch the others off."""


TABLES = {
    "filters": "Post-training filters, on hand-written examples",
    "held_out": "Post-training filters, on examples held out when they were mended",
}


def post_training(data: Path | None) -> None:
    """Print what each filter, by its defaults, removes of the hand-written examples, and each of its
    errors."""
    for name, title in TABLES.items():
        _judged(title, examples(name))


def _judged(title: str, rows: Sequence[dict]) -> None:
    lines, errors = [], []
    for kind, (operator, rules) in FILTERS.items():
        own = [row for row in rows if row["kind"] == kind]
        if not own:
            continue
        frame = pl.DataFrame(
            {"messages": [row["messages"] for row in own]},
            schema={"messages": pl.List(pl.Struct({"role": pl.String, "content": pl.String}))},
        )
        given = OTHERS_OFF.get(rules[0], {}) if rules else {}
        gone = apply(operator, {"column": "messages", **given}, frame).gone
        planted = {at for at, row in enumerate(own) if row["planted"]}
        found, false = len(gone & planted), len(gone - planted)
        name = f"{kind}: `{operator}`"
        lookalikes = len(own) - len(planted)
        lines.append(
            (
                name,
                len(planted),
                found,
                lookalikes,
                false,
                rate(found, len(planted)),
                rate(found, found + false),
            )
        )
        for what, wrong in (("missed", planted - gone), ("false", gone - planted)):
            errors += [(kind, what, own[at]["messages"]) for at in sorted(wrong)]
    headings = ["what", "planted", "found", "lookalikes", "removed of these", "recall", "precision"]
    table(title, headings, lines)
    print("\nErrors:\n")
    for kind, what, messages in errors:
        told = " / ".join(f"{turn['role']}: {turn['content']!r}" for turn in messages)
        print(f"- {kind}, {what}: {excerpt(told, 240)}")
