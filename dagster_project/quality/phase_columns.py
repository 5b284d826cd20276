"""The columns that each training phase needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dagster_project.quality.row_rules import fields_of
from dagster_project.recipe.model import Phase

Kind = Literal["text", "chat", "number", "label", "texts", "labels", "anything"]

NUMBERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT")
NUMBERS += ("UINTEGER", "UBIGINT", "FLOAT", "DOUBLE")

SPEAKING = {"role": "content", "from": "value"}
"""Who speaks in a message, and what is said."""


@dataclass(frozen=True)
class Columns:
    """Columns that rows of a phase can have, by name, each of one of some kinds."""

    needed: Mapping[str, tuple[Kind, ...]]
    optional: Mapping[str, tuple[Kind, ...]]

    def __init__(
        self,
        needed: Mapping[str, tuple[Kind, ...]],
        optional: Mapping[str, tuple[Kind, ...]] | None = None,
    ) -> None:
        object.__setattr__(self, "needed", needed)
        object.__setattr__(self, "optional", optional or {})


TEXT: tuple[Kind, ...] = ("text",)
CHAT: tuple[Kind, ...] = ("chat",)
SAID: tuple[Kind, ...] = ("text", "chat")

PAIR = {"chosen": SAID, "rejected": SAID}
ANSWERED = (
    {"messages": CHAT},
    {"conversations": CHAT},
    {"prompt": SAID, "completion": SAID},
    {"prompt": SAID, "answer": TEXT},
    {"instruction": TEXT, "output": TEXT},
    {"text": TEXT},
)
PREFERRED = (
    Columns({"prompt": SAID, **PAIR}),
    Columns({"chosen": CHAT, "rejected": CHAT}),
)
MARKS: tuple[Mapping[str, tuple[Kind, ...]], ...] = (
    {"label": ("label",)},
    {"score": ("number",)},
)
CHOICE: Mapping[str, tuple[Kind, ...]] = {"options": ("texts",)}

PHASES: dict[Phase, tuple[Columns, ...]] = {
    "pretrain": (Columns({"text": TEXT}),),
    "sft": tuple(Columns(columns) for columns in ANSWERED),
    "preference": PREFERRED,
    "reward": (
        *PREFERRED,
        Columns({"prompt": SAID, "completions": ("texts",), "labels": ("labels",)}),
        *(Columns({**answered, **mark}) for answered in ANSWERED for mark in MARKS),
    ),
    "rl": (
        Columns({"prompt": SAID, "answer": ("text", "number")}, CHOICE),
        Columns({"prompt": SAID, "tests": ("text", "texts")}),
        Columns({"prompt": SAID, "constraint": ("anything",)}),
    ),
}
"""For each phase the columns that its rows can have; the first that are there count."""


def kind_of(duckdb_type: str) -> Kind:
    """What a column of a DuckDB type holds."""
    if duckdb_type == "VARCHAR":
        return "text"
    if duckdb_type in NUMBERS or duckdb_type.startswith("DECIMAL"):
        return "number"
    fields = fields_of(duckdb_type)
    if any(fields.get(who) == fields.get(said) == "VARCHAR" for who, said in SPEAKING.items()):
        return "chat"
    lists: dict[str, Kind] = {"VARCHAR[]": "texts", "BOOLEAN[]": "labels", "BOOLEAN": "label"}
    return lists.get(duckdb_type, "anything")


def fits(duckdb_type: str, kinds: tuple[Kind, ...]) -> bool:
    """Whether a column's type is of one of some kinds. Labels may be numbers, 0 and 1."""
    kind = kind_of(duckdb_type)
    as_label = kind == "number" and "label" in kinds
    return "anything" in kinds or kind in kinds or as_label


def listed(phase: Phase) -> str:
    """The columns that rows of a phase can have, for a person to read."""
    sets = dict.fromkeys(" + ".join(f"`{name}`" for name in way.needed) for way in PHASES[phase])
    return "; or ".join(sets)
