"""How Self-Instruct reads what a model wrote, and what it leaves out.

The rules are those of the published code (yizhongw/self-instruct: `post_process_gpt3_response` in
bootstrap_instructions.py, `parse_…`, `filter_invalid_instances` and `filter_duplicate_instances` in
prepare_for_finetuning.py), each under a name of its own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import NamedTuple

from dagster_project.operators.generator import Rejection

KEYWORDS = (
    *("image", "images", "graph", "graphs", "picture", "pictures", "file", "files", "map", "maps"),
    *("draw", "plot", "go to"),
)
"""Words of instructions that a language model cannot carry out, as published."""

INSTRUCTION_RULES = (
    "too_short",
    "too_long",
    "keyword",
    "write_a_program",
    "starts_with_punctuation",
    "starts_with_non_ascii",
)
INSTANCE_RULES = (
    "no_instance",
    "same_input_and_output",
    "empty_output",
    "ends_with_colon",
    "conflicting_outputs",
    "repeated_instance",
)

_NUMBERED = re.compile(r"\n[ \t*]*(?:Task[ \t]*)?\d+[ \t]?[.):](?:\*\*)?\s")
_EXAMPLE = re.compile(r"Example\s?\d*\.?")
_INPUT = re.compile(r"Input\s*\d*\s*:")
_OUTPUT = re.compile(r"Output\s*\d*\s*:")
_LABEL = "Class label:"


class Instance(NamedTuple):
    """What an instruction is applied to (may be empty), and what comes of it."""

    input: str
    output: str


def instructions_in(text: str) -> list[str]:
    """The instructions of a numbered list, without numbers and line breaks, with a capital in front.

    The published code splits at `\\n9. ` and lower-cases all but the first letter; here `9)` and
    `Task 9:` split as well, a list may begin with its number, words before it that end in a colon
    ("Here are more tasks:") are left out, and the other letters stay as they are.
    """
    pieces = [" ".join(piece.split()) for piece in _NUMBERED.split(f"\n{text.strip()}\n")]
    if len(pieces) > 1 and pieces[0].endswith(":"):
        pieces = pieces[1:]
    return [piece[0].upper() + piece[1:] for piece in pieces if piece]


def bad_instruction(
    instruction: str, min_words: int = 4, max_words: int = 150, keywords: Sequence[str] = KEYWORDS
) -> Rejection | None:
    """Why an instruction is left out, by the first of `INSTRUCTION_RULES` that it breaks."""
    said, long = instruction.capitalize(), len(instruction.split())
    if long < min_words:
        return Rejection("too_short", f"{long} words", f">= {min_words}")
    if long > max_words:
        return Rejection("too_long", f"{long} words", f"<= {max_words}")
    for word in keywords:
        if re.search(rf"\b{re.escape(word)}\b", said, re.IGNORECASE):
            return Rejection("keyword", word, "no word that asks for more than text")
    if said.startswith("Write a program"):
        return Rejection("write_a_program", "Write a program", "another beginning")
    if said[0] in string.punctuation:
        return Rejection("starts_with_punctuation", said[0], "a letter or digit")
    if not said[0].isascii():
        return Rejection("starts_with_non_ascii", said[0], "an ASCII character")
    return None


def instances_in(text: str, classification: bool) -> list[Instance]:
    """Inputs and outputs that a model wrote for an instruction, in the forms of the published templates.

    Args:
        text: `Example 1`, `Input: …`, `Output: …`; or, for a classification, `Class label: …` and
            the input on the lines below.
        classification: which of the two.
    """
    text = text.strip()
    if classification:
        labelled = [piece.strip().partition("\n") for piece in text.split(_LABEL)[1:]]
        return [Instance(below.strip(), label.strip()) for label, _, below in labelled]
    if _EXAMPLE.search(text):
        return [_instance(piece) for piece in _EXAMPLE.split(text) if piece.strip()]
    return [_instance(text)] if _OUTPUT.search(text) else []


def bad_instances(instances: Sequence[Instance]) -> list[Rejection | None]:
    """Why instances of one instruction are left out, each in its place.

    When two of those that are fit by themselves have the same input and different outputs, all go.
    """
    why = [_bad_instance(instance) for instance in instances]
    fit = [instance for instance, bad in zip(instances, why, strict=True) if bad is None]
    outputs: dict[str, str] = {}
    torn = next(
        (
            one
            for one in fit
            if one.input and outputs.setdefault(one.input, one.output) != one.output
        ),
        None,
    )
    seen: set[Instance] = set()
    for place, instance in enumerate(instances):
        if why[place] is None and torn is not None:
            why[place] = Rejection(
                "conflicting_outputs", torn.input[:80], "one output for an input"
            )
        elif why[place] is None and instance in seen:
            why[place] = Rejection("repeated_instance", "the same", "another instance")
        seen.add(instance)
    return why


def _bad_instance(instance: Instance) -> Rejection | None:
    if instance.input == instance.output:
        return Rejection("same_input_and_output", instance.output[:80], "an output of its own")
    if not instance.output:
        return Rejection("empty_output", "", "an output")
    for name, said in instance._asdict().items():
        if said.endswith(":"):
            return Rejection("ends_with_colon", name, "a whole input and output")
    return None


def _instance(text: str) -> Instance:
    before, *after = _OUTPUT.split(text)
    given, output = (before, after[0]) if after else ("", before)
    return Instance(
        re.sub(rf"\A{_INPUT.pattern}", "", given.strip()).strip(), _INPUT.split(output)[0].strip()
    )
