"""Answers in plain text: several at once, their useful part, and why one is of no use."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterable, Sequence
from typing import TypeVar

import polars as pl

from dagster_project.operators.calls import Answer, CallFailed, Calls, Question
from dagster_project.operators.generator import Rejection
from dagster_project.operators.process.assistant_phrases import REFUSALS, compiled
from dagster_project.operators.synthesize.text.text_overlap import words

T = TypeVar("T")

UNUSABLE = ("unanswered", "empty", "cut_off", "refused")
"""Rules by which an answer is of no use whatever was asked."""

REFUSED_WITHIN = 200
"""In how many first characters of an answer a refusal counts."""

LASTING = ("refused", "cut_off", "invalid")
"""Failures that come again when the same is asked again."""

_REFUSAL = compiled(REFUSALS)
_CHATTER = re.compile(
    r"\A(?:sure|certainly|of course|okay|ok|absolutely|great|yes|here(?:'s| is| are))\b"
    r"[^\n:]{0,120}:[ \t]*\n+",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\A```[^\n`]*\n(?P<inside>.*?)\n?```\Z", re.DOTALL)
_QUOTES = {'"': '"', "“": "”", "„": "“", "«": "»", "'": "'", "‘": "’"}


async def together(work: Iterable[Awaitable[T]]) -> list[T]:
    """Results of work that is done at once, in order. All of it has ended when this does.

    Raises:
        Exception: the first that one of them raised, in order.
    """
    tasks = [asyncio.ensure_future(each) for each in work]
    await asyncio.gather(*tasks, return_exceptions=True)
    return [task.result() for task in tasks]


async def answers_to(calls: Calls, questions: Sequence[Question]) -> list[Answer | CallFailed]:
    """Answers to questions that are asked at once, each with its own failure in its place.

    Raises:
        CallFailed: when none has an answer, or for one it may only be missing now.
    """
    found = await together(answer_or_failure(calls, question) for question in questions)
    if found and all(isinstance(answer, CallFailed) for answer in found):
        raise next(answer for answer in found if isinstance(answer, CallFailed))
    return found


async def answer_or_failure(calls: Calls, question: Question) -> Answer | CallFailed:
    """An answer, or why there is none and never will be.

    Raises:
        CallFailed: when it may only be missing now.
    """
    try:
        return await calls.ask(question)
    except CallFailed as failure:
        if failure.kind not in LASTING:
            raise
        return failure


def useful(
    answer: Answer | CallFailed, *labels: str, until: Iterable[str] = (), about: str = ""
) -> str:
    """The part of an answer that was asked for; empty where there is none.

    Goes without "Sure, here is …:", a label such as `Instruction:` in front, a code fence around all
    of it, and quotation marks around all of it.

    Args:
        answer: what was said.
        labels: that may stand in front.
        until: labels at the start of a line, from which on it is about something else.
        about: the text that was asked about; labels that it has itself end nothing.
    """
    if isinstance(answer, CallFailed):
        return ""
    text = _CHATTER.sub("", answer.text.strip())
    if labels:
        text = re.sub(rf"(?i)\A[\s#*]*(?:{_any(labels)})[ \t*]*:[ \t*]*", "", text)
    if others := [label for label in until if f"{label}:".lower() not in about.lower()]:
        text = re.split(rf"(?im)^[ \t#*]*(?:{_any(others)})[ \t*]*:", text, maxsplit=1)[0]
    text = text.strip()
    if fenced := _FENCE.match(text):
        text = fenced["inside"].strip()
    return unquoted(text)


def kept(answer: Answer | CallFailed, text: str) -> str:
    """What a candidate has of an answer: its useful part, or all that was said where there is none."""
    return text or ("" if isinstance(answer, CallFailed) else answer.text)


def unquoted(text: str) -> str:
    """A text without the quotation marks around all of it."""
    inside = text[1:-1]
    closing = _QUOTES.get(text[:1])
    if closing is None or text[-1] != closing or not inside:
        return text
    return text if closing in inside or text[0] in inside else inside.strip()


def no_use(answer: Answer | CallFailed, text: str, of: str = "") -> Rejection | None:
    """Why an answer is of no use, by one of `UNUSABLE`.

    Args:
        answer: what was said.
        text: the useful part of it.
        of: put before the rule, as `response_`.
    """
    if isinstance(answer, CallFailed):
        return Rejection(f"{of}unanswered", answer.kind, "an answer")
    if answer.finish_reason == "length":
        return Rejection(f"{of}cut_off", "length", "finish_reason = stop")
    if not words(text):
        return Rejection(f"{of}empty", text, "letters, digits or pictures")
    if refuses(text):
        return Rejection(f"{of}refused", text[:REFUSED_WITHIN], "no refusal")
    return None


def refuses(text: str) -> bool:
    """Whether a text begins as assistants do that refuse, in English."""
    return bool(pl.Series([text[:REFUSED_WITHIN]]).str.contains(_REFUSAL).item())


def _any(labels: Iterable[str]) -> str:
    return "|".join(map(re.escape, labels))
