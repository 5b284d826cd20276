"""What a version lacks, as jobs: inputs of a recipe whose rows are made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from dagster_project.engine.profile.axes import LABEL, TOPIC, TURNS
from dagster_project.engine.profile.text_parts import TextParts
from dagster_project.warehouse.address import Answer

LEAST_SHARE = 0.005
"""Share of rows that a value lacks from which on it is a gap."""
ENOUGH = 0.8
"""Share of a job's rows that are enough."""
MOST_TOPICS = 12
"""Topics that a job of another axis draws from."""
TOKENS = 2_000
"""Of a budget, for each row."""
MOST_JOBS = 14
"""Jobs that one recipe has room for."""

_LANGUAGES = (
    "ar Arabic bg Bulgarian bn Bengali ca Catalan cs Czech da Danish de German el Greek en English",
    "es Spanish et Estonian fa Persian fi Finnish fr French he Hebrew hi Hindi hr Croatian",
    "hu Hungarian id Indonesian it Italian ja Japanese ko Korean lt Lithuanian lv Latvian ms Malay",
    "nl Dutch no Norwegian pl Polish pt Portuguese ro Romanian ru Russian sk Slovak sl Slovenian",
    "sr Serbian sv Swedish ta Tamil th Thai tr Turkish uk Ukrainian ur Urdu vi Vietnamese zh Chinese",
)
LANGUAGES = {
    code: name
    for line in _LANGUAGES
    for code, name in zip(line.split()[::2], line.split()[1::2], strict=True)
}
"""What models call languages, by code."""


class Gap(Answer):
    """A value that fewer rows have than are wanted.

    Attributes:
        axis, value: which.
        have: rows that have it, of all; an estimate where not all rows were looked at.
        want: rows that should, of all.
        more_rows: what is lacking.
        example_rows: some rows that have it: of the target if that is of rows, else of the version.
        examples: how their texts begin.
        job: an input of a recipe that makes rows like that.
        note: what the job cannot do.
    """

    axis: str
    value: str
    have: int
    want: int
    more_rows: int
    example_rows: tuple[int, ...]
    examples: tuple[str, ...]
    job: dict[str, Any]
    note: str


@dataclass(frozen=True)
class Maker:
    """What jobs are made for.

    Attributes:
        version: whose rows are lacking, as `dataset/version`.
        parts: which of its columns say what.
        topics: that it has, the largest first.
        labels: columns of few values that are texts.
    """

    version: str
    parts: TextParts
    topics: tuple[str, ...]
    labels: tuple[str, ...] = ()

    def job(self, axis: str, value: str, rows: int) -> tuple[dict[str, Any], str]:
        """An input that makes rows of a value, and what it cannot do.

        Args:
            axis, value: which rows.
            rows: how many.
        """
        counts = {"rows": rows, "at_least": math.ceil(ENOUGH * rows)}
        if axis == "turns" and value != TURNS[0]:
            return self._dialogues(value) | counts, "each seed row stands for who the user is"
        if axis == "typos" and value != "none":
            return self._misspelt(value) | counts, ""
        if axis == TOPIC:
            generate: dict[str, Any] = {"model": "writer", "topics": [value]}
        else:
            name = re.sub(r"\W+", "_", axis.removeprefix(LABEL)).strip("_").lower() or "wanted"
            wanted = LANGUAGES.get(value, value) if axis == "language" else value
            topics = list(self.topics[:MOST_TOPICS]) or ["anything"]
            name = f"wanted_{name}"  # no column that rows have already
            generate = {"model": "writer", "topics": topics, "slots": {name: [wanted]}}
        steps, note = self._shaped(axis.removeprefix(LABEL), value)
        job = {"generate": {"instruct_from_topics": generate}, **counts, "steps": steps}
        if axis != TOPIC:
            note = "; ".join(filter(None, ["the model is told so; look whether it does", note]))
        return job, note

    def _dialogues(self, value: str) -> dict[str, Any]:
        bounds = [int(number) for number in re.findall(r"\d+", value)]
        play = {
            "model": "writer",
            "persona": self.parts.columns()[:1],
            "turns": bounds[-1] if len(bounds) > 1 else bounds[0] + 2 * (value == TURNS[-1]),
            "least_turns": bounds[0],
        }
        into = self.parts.chat or "messages"
        renamed = {} if into == "messages" else {"rename": {"messages": into}}
        return {
            "generate": {"play_dialogue": play},
            "seeds": {"version": self.version},
            "steps": [{"map_columns": {**renamed, "keep": [into]}}],
        }

    def _misspelt(self, value: str) -> dict[str, Any]:
        column = self.parts.chat or self.parts.prompt or self.parts.texts[0]
        noise = {
            "columns": [column],
            "kinds": ["typos"],
            "rate": 0.03 if value == "many" else 0.005,
        }
        return {"generate": {"perturb_text": noise}, "seeds": {"version": self.version}}

    def _shaped(self, axis: str, value: str) -> tuple[list[dict[str, Any]], str]:
        """Steps that leave out what is not new, and give rows the columns of the version; and what they
        cannot do."""
        parts = self.parts
        steps: list[dict[str, Any]] = [
            {"filter_novelty": {"columns": ["instruction"], "most": 0.7}}
        ]
        shape: dict[str, Any] = {"rename": {}, "add": {}}
        if parts.chat is not None:
            chat = {"user": "{instruction}", "assistant": "{response}", "into": parts.chat}
            steps.append({"to_messages": chat})
            keep = [parts.chat]
        elif parts.prompt is not None:
            columns = {"instruction": parts.prompt, "response": parts.answer or "response"}
            shape["rename"] = {old: new for old, new in columns.items() if old != new}
            keep = list(dict.fromkeys(columns.values()))
        elif len(parts.texts) == 1:
            shape["add"][parts.texts[0]] = "instruction || '\n\n' || response"
            keep = [*parts.texts]
        else:
            return steps, "new rows have `instruction` and `response`; give them the right columns"
        if axis in self.labels:
            shape["add"][axis] = "'" + value.replace("'", "''") + "'"
            keep.append(axis)
        given = {name: mapping for name, mapping in shape.items() if mapping}
        return [*steps, {"map_columns": {**given, "keep": list(dict.fromkeys(keep))}}], ""


def gaps_of(
    axis: str,
    have: Mapping[str, float],
    want: Mapping[str, float],
    rows: int,
    wanted_rows: int,
    examples: Mapping[str, Sequence[tuple[int, str]]],
    maker: Maker,
) -> list[Gap]:
    """The gaps of an axis, the widest first.

    Args:
        axis: its name.
        have, want: shares by value.
        rows: that the version has.
        wanted_rows: how many it should have.
        examples: rows that have a value, with their texts.
        maker: of jobs.
    """
    found = []
    for value, share in want.items():
        there, wanted = round(have.get(value, 0.0) * rows), round(share * wanted_rows)
        more = wanted - there
        if more < 1 or more < LEAST_SHARE * wanted_rows:
            continue
        job, note = maker.job(axis, value, more)
        shown = list(examples.get(value, ()))
        found.append(
            Gap(
                axis=axis,
                value=value,
                have=there,
                want=wanted,
                more_rows=more,
                example_rows=tuple(row for row, _ in shown),
                examples=tuple(text for _, text in shown),
                job=job,
                note=note,
            )
        )
    return sorted(found, key=lambda gap: -gap.more_rows)


def recipe_of(gaps: Iterable[Gap], version: str, phase: str) -> str:
    """A recipe that adds what is lacking to a version: each gap's job is an input.

    Args:
        gaps: the first `MOST_JOBS` of them.
        version: as `dataset/version`.
        phase: of the recipe.
    """
    chosen = list(gaps)[:MOST_JOBS]
    inputs: dict[str, Any] = {"present": {"version": version}}
    for gap in chosen:
        inputs[_free(_input_name(gap), inputs)] = gap.job
    total = sum(gap.more_rows for gap in chosen)
    recipe = {
        "description": f"{version} with {total} more rows where it had fewer than were wanted.",
        "phase": phase or "sft",
        "on_request": True,
        "models": {"writer": {"provider": "embedded"}},
        "budget": {"tokens": TOKENS * max(total, 1)},
        "inputs": inputs,
    }
    head = (
        "# `embedded` shows how it works; name a model that can write what is wanted.\n"
        "# One new row can fill gaps of several axes: build a few inputs at a time, and look again.\n"
    )
    return head + yaml.safe_dump(recipe, allow_unicode=True, sort_keys=False, width=100)


def _input_name(gap: Gap) -> str:
    words = re.findall(r"[a-z0-9]+", f"{gap.axis} {gap.value}".lower().replace(LABEL, "label "))
    name = "_".join(words)[:56] or "gap"
    return name if name[0].isalpha() else f"gap_{name}"


def _free(name: str, taken: Mapping[str, Any]) -> str:
    numbered = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in numbered if each not in taken)
