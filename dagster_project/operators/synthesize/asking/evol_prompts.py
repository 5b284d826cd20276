"""What Evol-Instruct asks, in shorter words than published, with answered examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Evolution = Literal[
    "add_constraints", "deepen", "concretise", "reasoning_steps", "complicate_input", "breadth"
]

METHODS: Mapping[str, str] = {
    "add_constraints": "Add one more constraint or requirement.",
    "deepen": "Where it asks about something, ask in more depth and breadth.",
    "concretise": "Replace general concepts by more specific ones.",
    "reasoning_steps": "Where it can be answered in a few simple steps of thought, ask for more of them "
    "explicitly.",
    "complicate_input": "Add input to work on, in the form of {{ input_form }}, written out in full.",
}

DEPTH_PROMPT = """\
I want you to act as a prompt rewriter. Rewrite the given prompt into a more complex version that is a \
bit harder for an AI system to handle. It must stay reasonable: people must understand it and be able \
to respond to it. Leave out no table, code or other input of the given prompt.

How to make it more complex: {{ method }}

Do not make it verbose: {{ "add nothing else" if input_form else "add 10 to 20 words at most" }}. The \
words "given prompt" and "rewritten prompt" must not be in it. Answer with it only.

#Given Prompt#:
{{ instruction }}

#Rewritten Prompt#:"""

BREADTH_PROMPT = """\
I want you to act as a prompt creator. Draw inspiration from the given prompt to create a brand new one, \
of the same domain but rarer, and as long and difficult. It must be reasonable: people must understand \
it and be able to respond to it. The words "given prompt" and "created prompt" must not be in it. \
Answer with it only.

#Given Prompt#:
{{ instruction }}

#Created Prompt#:"""

DEPTH_SHOTS: tuple[dict[str, Any], ...] = (
    {
        "instruction": "Explain how a bicycle stays upright.",
        "method": METHODS["add_constraints"],
        "input_form": "",
        "answer": "Explain how a bicycle stays upright, without using the word gyroscope, to somebody "
        "who knows no physics.",
    },
    {
        "instruction": "How do I find the most expensive product?",
        "method": METHODS["complicate_input"].replace("{{ input_form }}", "an SQL database"),
        "input_form": "an SQL database",
        "answer": "How do I find, for each shop, the most expensive product that is in stock?\n\n"
        "CREATE TABLE product (name TEXT, price REAL, stock INTEGER, shop TEXT);\n"
        "INSERT INTO product VALUES ('lamp', 30.0, 0, 'A'), ('desk', 120.0, 4, 'A'), "
        "('chair', 45.5, 9, 'B');",
    },
)
BREADTH_SHOTS: tuple[dict[str, Any], ...] = (
    {
        "instruction": "Explain how a bicycle stays upright.",
        "answer": "Explain why a spinning egg tells whether it is boiled.",
    },
)

GAIN_PROMPT = """\
Here are two instructions to an AI assistant. Are they equal to each other, that is:
1. They have the same constraints and requirements.
2. They have the same depth and breadth of the inquiry.

The first: {{ before }}

The second: {{ after }}

Your judgement ("equal" or "not equal"):"""

INPUT_FORMS = (
    *("XML data", "an SQL database", "Python code", "an HTML page", "a shell command"),
    "JSON data",
)
COPIED = (
    *("given prompt", "rewritten prompt", "created prompt"),
    *("#the given prompt#", "prompt rewriter", "prompt creator"),
)
