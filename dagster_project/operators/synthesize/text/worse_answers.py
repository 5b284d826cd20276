"""Answers made worse by rule."""

from __future__ import annotations

import re
from random import Random
from typing import Literal

from dagster_project.operators.synthesize.text.sentences import sentences

Degradation = Literal["truncated", "shuffled", "dropped", "off_topic", "repeated", "wrong_numbers"]

_WORD_END = re.compile(r"(?<=\w)(?!\w)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:[.,]\d+)*(?![\w])")
_ITEM = re.compile(r"(?:\A|\n)[ \t]*\Z")


def worse(kind: Degradation, answer: str, other: str, draw: Random) -> str | None:
    """An answer made worse in one way; None where that cannot be done to it.

    Args:
        kind: how.
        answer: that is good.
        other: an answer to something else; empty for none.
        draw: chance.
    """
    match kind:
        case "truncated":
            return _truncated(answer, draw)
        case "shuffled":
            return _shuffled(answer, draw)
        case "dropped":
            return _dropped(answer, draw)
        case "repeated":
            return _repeated(answer, draw)
        case "wrong_numbers":
            return _with_wrong_numbers(answer, draw)
        case "off_topic":
            return other if other.strip() else None


def _truncated(answer: str, draw: Random) -> str | None:
    """Cut off after a word, not where a sentence ends, with a fifth to four fifths left."""
    whole, at = set[int](), 0
    for sentence in sentences(answer):
        said = sentence.rstrip()
        whole |= {at + len(said), at + len(said.rstrip(".!?…。！？"))}
        at += len(sentence)
    ends = [found.end() for found in _WORD_END.finditer(answer) if found.end() not in whole]
    good = [end for end in ends if 0.2 <= end / len(answer) <= 0.8]
    return answer[: draw.choice(good)] if good else None


def _shuffled(answer: str, draw: Random) -> str | None:
    """Three sentences or more in another order; what stands between them stays where it is."""
    said, gaps = _parts(answer)
    if len(set(said)) < 3:
        return None
    order = said
    while order == said:
        order = draw.sample(said, len(said))
    return _joined(order, gaps)


def _dropped(answer: str, draw: Random) -> str | None:
    """A third of the sentences left out, at least one, at least one of them in the first half, so that
    it is not just shorter."""
    said, gaps = _parts(answer)
    if len(said) < 3:
        return None
    first = draw.randrange((len(said) + 1) // 2)
    rest = [at for at in range(len(said)) if at != first]
    gone = {first, *draw.sample(rest, max(1, len(said) // 3) - 1)}
    left = [at for at in range(len(said)) if at not in gone]
    return _joined([said[at] for at in left], [gaps[at] for at in left]).rstrip()


def _repeated(answer: str, draw: Random) -> str | None:
    """A sentence said three to six times more, as by a model that loops."""
    said, gaps = _parts(answer)
    spoken = [at for at, sentence in enumerate(said) if re.search(r"\w\W+\w", sentence)]
    if not spoken:
        return None
    at, more = draw.choice(spoken), draw.randint(3, 6)
    between = next((gap for gap in gaps if gap), " ")
    again = f"{between}{said[at]}" * more
    return _joined([*said[:at], said[at] + again, *said[at + 1 :]], gaps)


def _with_wrong_numbers(answer: str, draw: Random) -> str | None:
    """Wrong numbers: the last one, and up to two others that are drawn, each wherever it stands. The
    numbers of a list's items are none."""
    found = [each for each in _NUMBER.finditer(answer) if not _is_item(answer, each)]
    values = list(dict.fromkeys(each.group() for each in found))
    if not values:
        return None
    last = found[-1].group()
    others = [value for value in values if value != last]
    chosen = [last, *draw.sample(others, min(len(others), draw.randint(0, 2)))]
    taken = set(values)
    wrong: dict[str, str] = {}
    for value in chosen:
        wrong[value] = _other_number(value, taken, draw)
        taken.add(wrong[value])
    pieces, at = [], 0
    for each in found:
        pieces += [answer[at : each.start()], wrong.get(each.group(), each.group())]
        at = each.end()
    return "".join([*pieces, answer[at:]])


def _is_item(answer: str, number: re.Match[str]) -> bool:
    """Whether a number is the number of a list's item."""
    before = answer[max(0, number.start() - 40) : number.start()]
    return bool(_ITEM.search(before)) and answer[number.end() : number.end() + 1] in (".", ")")


def _other_number(value: str, taken: set[str], draw: Random) -> str:
    """A number near another one, with as many decimals, as it would be written."""
    marks = re.findall(r"[.,]", value)
    grouped = bool(re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", value))
    plain = value.replace(",", "") if grouped else value
    whole, _, decimals = plain.rpartition(".") if "." in plain else (plain, "", "")
    if (len(marks) > 1 and not grouped) or not whole.isdecimal() or len(whole) > 18:
        return _other_digit(value, taken, draw)  # a version, a date, or a very long number
    number = int(whole)
    ways = [number + 1, number + 2, number * 2, number * 10, number + 10]
    ways += [other for other in (number - 1, number - 2, number - 10, number // 2) if other > 0]
    for other in draw.sample(ways, len(ways)):
        said = f"{other:,}" if grouped else str(other)
        said += f".{decimals}" if decimals else ""
        if said not in taken:
            return said
    return _other_digit(value, taken, draw)


def _other_digit(value: str, taken: set[str], draw: Random) -> str:
    places = [at for at, mark in enumerate(value) if mark.isdecimal()]
    while True:
        at = draw.choice(places)
        value = value[:at] + draw.choice("123456789") + value[at + 1 :]
        if value not in taken:
            return value


def _parts(answer: str) -> tuple[list[str], list[str]]:
    """An answer's sentences, and the white space after each."""
    said = [sentence for sentence in sentences(answer) if sentence.strip()]
    return [each.rstrip() for each in said], [each[len(each.rstrip()) :] for each in said]


def _joined(said: list[str], gaps: list[str]) -> str:
    """Sentences with what stands between them; blocks of code on lines of their own."""
    text, block_before = "", False
    for sentence, gap in zip(said, gaps, strict=True):
        block = sentence.lstrip().startswith(("```", "~~~"))
        if (block or block_before) and text and not text.endswith("\n"):
            text += "\n"
        text, block_before = text + sentence + gap, block
    return text
