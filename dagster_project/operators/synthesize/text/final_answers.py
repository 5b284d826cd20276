"""The final answer of a worked solution, and whether two say the same."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_NUMBER = re.compile(
    r"(?<![\w.])(?P<sign>[-−–]?)\s*[$€£¥]?\s*(?P<whole>\d{1,3}(?:,\d{3})+(?!\d)|\d+)?"
    r"(?P<part>\.\d+)?(?:\s*/\s*(?P<below>\d+(?:\.\d+)?))?"
)
_GOES_ON = re.compile(r"\s*[\^*×+=]|[eE][-+]?\d|[a-zA-Z](?![a-zA-Z])")
_WITHIN = re.compile(r"(?:[\^_]|\*\*|sqrt|\b(?!(?:boxed|text|math\w*)\b)[a-zA-Z]+[({])\s*[({]?\s*$")
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")
_MARKED = re.compile(r"^[ \t]*#{4}[ \t]*(?P<answer>[^\n]*)", re.MULTILINE)
_SAID = re.compile(
    r"(?:the |my )?(?:final |correct )?answer(?: is|:)(?P<answer>[^\n]*?(?:\.(?=\s|$)|(?=\n)|$))",
    re.IGNORECASE,
)
_FRACTION = re.compile(r"\\[dt]?frac\{([^{}]+)\}\{([^{}]+)\}")


class FinalAnswer(NamedTuple):
    """A final answer in a text, and where the steps that lead to it end."""

    text: str
    steps_end: int


def final_answer(text: str, last_number: bool = True) -> FinalAnswer | None:
    r"""The final answer that a text gives.

    Looked for in this order, of each the last one that is not empty: what follows `####` on a line,
    what is in `\boxed{…}`, what follows "the answer is" or "answer:", and the last number. The steps end
    before `####` and "the answer", and with the text otherwise.

    Args:
        text: a worked solution.
        last_number: whether the last number counts where no answer is marked.
    """
    for found in (_marked(text), _boxed(text), _said(text)):
        if found is not None:
            return found
    if not last_number:
        return None
    numbers = [found for found in _NUMBER.finditer(text) if found["whole"] or found["part"]]
    return FinalAnswer(numbers[-1][0].strip(), len(text)) if numbers else None


def same_answer(one: str, other: str) -> bool:
    """Whether two final answers say the same: equal numbers, or texts equal but for case, white space,
    articles and punctuation around them."""
    first, second = number(one), number(other)
    if first is not None and second is not None:
        return first == second
    return _plain(one) == _plain(other)


def number(text: str) -> Fraction | None:
    r"""The number that an answer is, if there is one and no more than one in it.

    Thousands separators, currency signs, units and per cent signs do not count: `$1,200.00`, `1200` and
    `1200 dollars` are one number, `50%` is 50. `3/4` and `\frac{3}{4}` are fractions. `x^2`, `\sqrt{2}`
    and `f(2)` are no numbers.
    """
    text = _FRACTION.sub(r"\1/\2", _BOLD.sub(r"\2", text)).replace("\\!", "").replace("{,}", ",")
    found = [match for match in _NUMBER.finditer(text) if match["whole"] or match["part"]]
    if len(found) != 1 or _GOES_ON.match(text, found[0].end()):
        return None
    match = found[0]
    if _WITHIN.search(text, 0, match.start()):
        return None
    value = Fraction((match["whole"] or "0").replace(",", "") + (match["part"] or ""))
    if match["below"]:
        below = Fraction(match["below"])
        if not below:
            return None
        value /= below
    return -value if match["sign"] else value


def _marked(text: str) -> FinalAnswer | None:
    found = [match for match in _MARKED.finditer(text) if match["answer"].strip()]
    return FinalAnswer(found[-1]["answer"].strip(), found[-1].start()) if found else None


def _boxed(text: str) -> FinalAnswer | None:
    found = None
    for match in re.finditer(r"\\boxed\s*\{", text):
        depth = 1
        for place in range(match.end(), len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0)
            if not depth:
                inside = text[match.end() : place].strip()
                found = FinalAnswer(inside, len(text)) if inside else found
                break
    return found


def _said(text: str) -> FinalAnswer | None:
    found = [
        FinalAnswer(answer, match.start())
        for match in _SAID.finditer(text)
        if (answer := match["answer"].strip(" \t*:.$\"'`"))
    ]
    return found[-1] if found else None


def _plain(text: str) -> str:
    text = re.sub(r"\\(?:text|mathrm|mathbf)\{([^{}]*)\}", r"\1", text)
    text = re.sub(r"\A(?:an?|the)\s", "", text.strip().casefold())
    return " ".join(text.split()).strip(" .,;:!?\"'`*()[]$")
