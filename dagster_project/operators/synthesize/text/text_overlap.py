"""How much two texts have in common, by their words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_UNSPACED = "぀-ヿ㐀-䶿一-鿿豈-﫿☀-➿\U0001f000-\U0001faff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

STOP_WORDS = frozenset(
    word
    for line in (
        "a about above after again against all also am an and any are aren't as at be because been",
        "before being below between both but by can can't cannot could couldn't did didn't do does",
        "doesn't doing don't down during each few for from further had hadn't has hasn't have haven't",
        "having he her here hers herself him himself his how i if in into is isn't it its itself just",
        "let me more most my myself no nor not now of off on once only or other ought our ours",
        "ourselves out over own same shan't she should shouldn't so some such than that the their",
        "theirs them themselves then there these they this those through to too under until up very",
        "was wasn't we were weren't what when where which while who whom why will with won't would",
        "wouldn't you your yours yourself yourselves s t d ll re ve m don",
    )
    for word in line.split()
)
"""English words that say nothing by themselves."""


def words(text: str) -> list[str]:
    """Runs of letters, digits and `_`, in lower case; characters of scripts that are written without
    spaces, and pictures, each alone."""
    return _WORD.findall(text.lower())


def overlap(one: str, other: str) -> float:
    """F1 of the words that two texts share, counted as often as they occur in both (ROUGE-1): 0 to 1."""
    first, second = Counter(words(one)), Counter(words(other))
    total = first.total() + second.total()
    return 2 * (first & second).total() / total if total else 0.0


def held(part: str, whole: str) -> float:
    """Share of the distinct words of one text, but stop words, that another has; 1 if it has none."""
    wanted = set(words(part)) - STOP_WORDS
    return len(wanted & set(words(whole))) / len(wanted) if wanted else 1.0


def longest_run(one: str, other: str) -> int:
    """Most words in a row that two texts share. Time grows with their lengths, not with the product."""
    shorter, longer = sorted((words(one), words(other)), key=len)
    follow, link, length = _runs(shorter)
    state = run = most = 0
    for word in longer:
        while state and word not in follow[state]:
            state = link[state]
            run = length[state]
        if word in follow[state]:
            state = follow[state][word]
            run += 1
        most = max(most, run)
    return most


def _runs(sequence: Sequence[str]) -> tuple[list[dict[str, int]], list[int], list[int]]:
    """The suffix automaton of a sequence: of each state what follows it, the state of its longest
    other suffix, and its length."""
    follow: list[dict[str, int]] = [{}]
    link, length, last = [-1], [0], 0
    for word in sequence:
        new = len(follow)
        follow.append({})
        link.append(0)
        length.append(length[last] + 1)
        state, last = last, new
        while state >= 0 and word not in follow[state]:
            follow[state][word] = new
            state = link[state]
        if state < 0:
            continue
        after = follow[state][word]
        if length[after] == length[state] + 1:
            link[new] = after
            continue
        copy = len(follow)
        follow.append(dict(follow[after]))
        link.append(link[after])
        length.append(length[state] + 1)
        while state >= 0 and follow[state].get(word) == after:
            follow[state][word] = copy
            state = link[state]
        link[new] = link[after] = copy
    return follow, link, length


def same_words(one: str, other: str) -> bool:
    """Whether two texts differ in nothing but case, punctuation and white space."""
    return words(one) == words(other)


def says_nothing(text: str) -> bool:
    """Whether a text is only punctuation and stop words."""
    spoken = re.findall(r"\w+(?:['’]\w+)*", text.lower().replace("’", "'"))
    return all(word in STOP_WORDS or STOP_WORDS.issuperset(word.split("'")) for word in spoken)
