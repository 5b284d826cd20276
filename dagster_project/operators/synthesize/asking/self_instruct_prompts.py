"""What Self-Instruct asks, in words for models that follow instructions, with answered examples."""

from __future__ import annotations

from typing import Any

PROMPT = """\
Come up with a series of tasks. Go on with tasks {{ first }} to {{ last }}, each unlike the others, one \
to a line:
{% for task in tasks %}
{{ loop.index }}. {{ task }}
{% endfor %}
{{ first }}."""

CLASSIFICATION_PROMPT = """\
Can the following task be regarded as a classification task with finite output labels? Answer Yes or No.

Task: {{ instruction }}
Is it classification?"""

CLASSIFICATION_SHOTS: tuple[dict[str, Any], ...] = (
    {"instruction": "Tell whether the review is positive, negative or neutral.", "answer": "Yes"},
    {"instruction": "Write a short poem about the given season.", "answer": "No"},
    {"instruction": "Decide if the two sentences contradict each other.", "answer": "Yes"},
    {"instruction": "Suggest a better title for the article.", "answer": "No"},
)

INSTANCES_PROMPT = """\
Come up with examples for the following task. Give different ones when possible. If the task needs no \
input, write the output directly.

Task: {{ instruction }}"""

INSTANCES_SHOTS: tuple[dict[str, Any], ...] = (
    {
        "instruction": "Sort the given list of numbers from small to large.",
        "answer": "Example 1\nInput: 10, 92, 2, 5, -4\nOutput: -4, 2, 5, 10, 92\n\n"
        "Example 2\nInput: 3.5, 0, 3\nOutput: 0, 3, 3.5",
    },
    {
        "instruction": "Which exercises reduce belly fat at home?",
        "answer": "Output: Planks, leg raises and mountain climbers work the muscles there, but only a "
        "lower intake of calories reduces the fat itself.",
    },
)

LABELLED_PROMPT = """\
Given the classification task, generate an input for each of the class labels. Write the class label \
first, and below it an input that it fits.

Task: {{ instruction }}"""

LABELLED_SHOTS: tuple[dict[str, Any], ...] = (
    {
        "instruction": "Tell whether the review is positive or negative.",
        "answer": "Class label: positive\nReview: I read it in one evening and cried at the end.\n\n"
        "Class label: negative\nReview: The plot makes no sense, and the ending even less.",
    },
)
